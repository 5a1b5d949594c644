"""Checks of expressions against an oracle (TA-Lib, or a plain loop) on many kinds of history."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.rules import parse_rule
from tests.unit.rules.windows import random_columns, verdicts_of, window_of

Series = NDArray[np.float64]
Bars = dict[str, Series]
Oracle = Callable[[Bars], Series]

RECORDED = Path(__file__).parents[4] / "shared" / "data"
needs_recorded = pytest.mark.skipif(
    not (RECORDED / "klines_spot_1d").is_dir(),
    reason="no recorded klines (../shared/data) on this machine",
)
# What is recorded, and how many bars of it a test takes.
RECORDINGS = ("klines_usdm_202510/*_15m", "klines_usdm_202510/*_1h", "klines_spot_1d/*_1d")
RECORDED_BARS = 500


class Case(NamedTuple):
    """An expression and what gives the same series from the columns of one symbol.

    `slack`: absolute tolerance, for values that pass through 0; in units of the highest price if
    `of_price`. Without it, 1e-9 of the value is all that is allowed.
    """

    text: str
    oracle: Oracle
    slack: float = 0.0
    of_price: bool = False


def cases(
    text: str,
    oracle: Callable[..., Series],
    *periods: float | tuple[float, ...],
    slack: float = 0.0,
    of_price: bool = False,
) -> list[Case]:
    """Return a case for each set of periods: what the text has {} for, and the oracle takes."""
    found = []
    for each in periods:
        given = each if isinstance(each, tuple) else (each,)
        found.append(Case(text.format(*given), _with(oracle, given), slack, of_price))
    return found


def _with(oracle: Callable[..., Series], periods: tuple[float, ...]) -> Oracle:
    return lambda bars: oracle(bars, *periods)


def bars_of(columns: Series) -> Bars:
    """Return float64[8, bars] by name."""
    return {name: np.ascontiguousarray(columns[i]) for i, name in enumerate(COLUMNS)}


def shifted(values: Series, bars: int) -> Series:
    """Return the values that many bars later."""
    return np.concatenate([np.full(bars, np.nan), values[:-bars]])


def check(case: Case, window: Window, first_bars: list[int] | None = None) -> None:
    """Compare every symbol's value at the last close.

    `first_bars`: a symbol's first bar in the window, by default that of 500 bars.
    """
    verdicts = verdicts_of(f"{case.text} > 0", window)
    for symbol in range(len(window.symbols)):
        first = first_bars[symbol] if first_bars else max(window.bars - 500, 0)
        known = window.columns[:, first:, symbol]
        series = case.oracle(bars_of(known)) if known.shape[1] else np.full(1, np.nan)
        expected = float(series[-1])
        shown = verdicts.values(0, symbol)
        actual = next(iter(shown.values()), float("nan"))
        scale = float(np.abs(known[:4]).max()) if case.of_price and known.size else 1.0
        assert actual == pytest.approx(expected, rel=1e-9, abs=case.slack * scale, nan_ok=True), (
            f"{case.text} of symbol {symbol}"
        )


def jumping_columns(seed: int, bars: int, symbols: int) -> Series:
    """Return plausible bars of which many open away from the close before."""
    columns = random_columns(seed, bars, symbols)
    random = np.random.default_rng(seed + 1)
    jumps = random.normal(0, 0.01, (bars, symbols)) * (random.random((bars, symbols)) < 0.3)
    columns[:4] *= np.exp(jumps)
    return columns


def check_lengths(case: Case) -> None:
    """Compare on full and short histories, and where it is just known and just not yet."""
    needed = parse_rule(f"{case.text} > 0").bars_needed
    for history in sorted({500, 503, 499, 250, 41, needed, needed + 1, needed - 1} - {0}):
        window = window_of(jumping_columns(history, history, 3))
        check(case, window)
        shown = verdicts_of(f"{case.text} > 0", window).values(0, 0)
        known = any(np.isfinite(value) for value in shown.values())
        assert known == (history >= needed), f"{case.text} after {history} of {needed} bars"


def check_after_gaps(case: Case) -> None:
    """Compare where each symbol lacks one bar: its history is what follows."""
    columns = jumping_columns(5, 501, 5)
    restarts = [30, 250, 420, 470, 497]
    for symbol, bar in enumerate(restarts):
        columns[:, bar - 1, symbol] = np.nan
    check(case, window_of(columns), restarts)


def check_recorded(case: Case) -> None:
    """Compare on what was recorded from venues."""
    for pattern in RECORDINGS:
        check(case, window_of(recorded_columns(pattern)))


@cache
def recorded_columns(pattern: str) -> Series:
    """Return the last recorded bars of every symbol: float64[8, 500, symbols]."""
    files = sorted(RECORDED.glob(f"{pattern}.csv.gz"))
    return np.stack([np.array(list(_bars(file)))[-RECORDED_BARS:].T for file in files], axis=2)


def _bars(file: Path) -> Iterator[list[float]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            close, volume = float(row["close"]), float(row["volume"])
            yield [
                *(float(row[name]) for name in ("open", "high", "low")),
                close,
                volume,
                float(row.get("quote_asset_volume") or close * volume),
                float(row.get("trades") or 1.0),
                float(row.get("taker_buy_base") or volume / 2),
            ]
