"""Where a command's windows come from: Redis, or a folder of files.

Everything that a person should know about the data (gaps, mended files, old data, intervals made
of shorter ones) is returned as a note. Not here: the two edges themselves (file_history,
redis_history), verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np

from shared.errors import InvalidRequest
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.memory import keep_freed_memory
from shared.rules import Rule

CLOSE = COLUMNS.index("close")

# Told of progress: done, total, of what.
Tell = Callable[[int, int, str], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which bars a command needs; `first_closed_at_ms`: of the closes to be judged."""

    venue: str
    interval: Interval
    universe: tuple[str, ...] | None = None
    first_closed_at_ms: int | None = None
    last_closed_at_ms: int | None = None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Windows, `longer` for the intervals that a rule reads by `tf=`, and what to know of them."""

    window: Window
    longer: Mapping[Interval, Window]
    source: str
    notes: tuple[str, ...] = ()


def load_history(rule: Rule, wanted: Wanted, folder: Path | None, tell: Tell) -> History:
    """Return the history a rule is judged on.

    Raises: InvalidRequest if it asks for what is not there; StaleData if there is nothing;
    StoreUnavailable, ConfigError about Redis.
    """
    keep_freed_memory()
    # Each way has its own heavy imports.
    if folder is not None:
        from cli.file_history import load_file_history

        history = load_file_history(rule, wanted, folder, tell)
    else:
        from cli.redis_history import load_redis_history

        history = load_redis_history(rule, wanted, tell)
    _check_instruments(rule, history.window)
    gaps = _gap_notes(history.window)
    return msgspec.structs.replace(history, notes=(*history.notes, *gaps))


def _check_instruments(rule: Rule, window: Window) -> None:
    for symbol in rule.instruments:
        if symbol not in window.symbols:
            raise InvalidRequest(
                f"expected klines of {symbol}, which the rule reads, found none", field="rule"
            )


def _gap_notes(window: Window) -> list[str]:
    """Say how many instruments have gaps: bars missing between their first and their last."""
    present = ~np.isnan(window.columns[CLOSE])
    places = np.arange(window.bars)[:, None]
    first = np.where(present, places, window.bars).min(axis=0)
    last = np.where(present, places, -1).max(axis=0)
    missing = np.maximum(last - first + 1, 0) - present.sum(axis=0)
    if not missing.any():
        return []
    count = int((missing > 0).sum())
    return [
        f"gaps: {int(missing.sum()):,} missing bars in {count:,} of {len(window.symbols):,}"
        " instruments; the history of each begins anew after its gap"
    ]
