"""A rule at many closes: its states, the signals a trigger makes of them, and what was unknown.

Shared by preview and backtest. Pure. Not here: the verdict at a close (evaluate), statistics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidRequest
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.rules import describe
from shared.rules.closes import evaluate_closes
from shared.rules.program import Plan
from shared.rules.tree import Rule
from shared.rules.verdicts import FALSE, TRUE, UNKNOWN, Verdicts
from shared.runs import Trigger

CLOSE = COLUMNS.index("close")

# Who is told of many unknown verdicts wants to know the kinds; one reason takes about 0.1 ms.
REASONS_ASKED_MAX = 50

MISSING, WARMING_UP = "missing", "warming up"


class UnknownCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many verdicts were unknown for one kind of reason.

    Kinds: "missing" (no bar at this close), "warming up", and what a sample of up to
    REASONS_ASKED_MAX of the rest says; if it says several, they are one kind, joined by "or".
    """

    kind: str
    count: int


class Replayed(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A rule at `closes` (indices of bars, rising), for the instruments at `columns`.

    `states`: int8[closes, instruments], unknown where an instrument has no bar at the close.
    `signals`: bool, likewise: where the trigger would have made a signal. `last`: the verdicts of
    the last close, of all instruments of the window.
    """

    closes: range
    columns: NDArray[np.int64]
    states: NDArray[np.int8]
    signals: NDArray[np.bool_]
    unknown: tuple[UnknownCount, ...]
    last: Verdicts


def columns_of_universe(universe: Sequence[str] | None, window: Window) -> NDArray[np.int64]:
    """Return the places of a universe in the window, in the window's order.

    Raises: InvalidRequest on an instrument that the window does not have.
    """
    if universe is None:
        return np.arange(len(window.symbols), dtype=np.int64)
    places = window.instrument_index()
    for symbol in universe:
        if symbol not in places:
            near = get_close_matches(symbol.upper(), window.symbols, n=1)
            raise InvalidRequest(
                f"expected an instrument that is there, was {symbol}",
                hint=f"did you mean {near[0]}?" if near else "there are no klines of it",
                field="universe",
                suggestion=near[0] if near else "",
            )
    return np.array(sorted({places[symbol] for symbol in universe}), dtype=np.int64)


def first_close(rule: Rule, trigger: Trigger) -> int:
    """Return the first bar at whose close a trigger can make a signal: after the rule's warm-up."""
    before = 0 if trigger is Trigger.WHILE else 1
    return max(rule.bars_needed - 1, 0) + before


def replay(
    plan: Plan,
    window: Window,
    closes: range,
    trigger: Trigger,
    columns: NDArray[np.int64],
    longer: Mapping[Interval, Window],
) -> Iterator[int | Replayed]:
    """Yield how many closes are done, after each, then what the plan's only rule found.

    `closes` must hold at least one bar.
    """
    rule = plan.rules[0]
    present = ~np.isnan(window.columns[CLOSE][closes.start : closes.stop, columns])
    runs = known_runs(rule, window)[closes.start : closes.stop, columns]
    explained = (runs < max(rule.bars_needed, 1)) | ~present
    # The close before the first one, for triggers that compare with it.
    start = closes.start if trigger is Trigger.WHILE else max(closes.start - 1, 0)
    raw = np.empty((closes.stop - start, len(columns)), dtype=np.int8)
    asked: list[str] = []
    lead = closes.start - start
    found = evaluate_closes(plan, window, range(start, closes.stop), longer=longer)
    for row, verdicts in enumerate(found):
        raw[row] = verdicts.state(0)[columns]
        if row < lead:
            continue
        if len(asked) < REASONS_ASKED_MAX:
            odd = np.flatnonzero((raw[row] == UNKNOWN) & ~explained[row - lead])
            reasons = (verdicts.unknown_reason(0, int(columns[i])) for i in odd[:1])
            asked += [reason for reason in reasons if reason is not None]
        yield row - lead + 1
    states = np.where(present, raw[lead:], np.int8(UNKNOWN))
    yield Replayed(
        closes=closes,
        columns=columns,
        states=states,
        signals=_signals(raw, states, trigger, lead),
        unknown=_count_unknown(states == UNKNOWN, runs, present, rule.bars_needed, asked),
        last=verdicts,
    )


def known_runs(rule: Rule, window: Window) -> NDArray[np.int32]:
    """Return how many bars in a row, ending at each, have all columns the rule reads.

    Shape: int32[bars, symbols].
    """
    used = sorted(describe.columns_of(rule.tree)) or [CLOSE]
    unknown = np.isnan(window.columns[used]).any(axis=0)
    places = np.arange(window.bars, dtype=np.int32)[:, None]
    last_unknown = np.maximum.accumulate(np.where(unknown, places, np.int32(-1)), axis=0)
    runs: NDArray[np.int32] = places - last_unknown
    return runs


def reason_kind(reason: str) -> str:
    """Return a reason without its numbers: "warming up (3 of 14 bars)" is "warming up"."""
    return reason.partition(" (")[0].partition(" in ")[0]


def _signals(
    raw: NDArray[np.int8], states: NDArray[np.int8], trigger: Trigger, lead: int
) -> NDArray[np.bool_]:
    """Return where the trigger fires, bool[closes, instruments], as functions/execute_traders."""
    if trigger is Trigger.WHILE:
        true: NDArray[np.bool_] = states == TRUE
        return true
    before = raw[:-1] if lead else np.vstack([np.full_like(raw[:1], UNKNOWN), raw[:-1]])
    now_is, before_was = (TRUE, FALSE) if trigger is Trigger.ENTER else (FALSE, TRUE)
    fired: NDArray[np.bool_] = (states == now_is) & (before == before_was)
    return fired


def _count_unknown(
    unknown: NDArray[np.bool_],
    runs: NDArray[np.int32],
    present: NDArray[np.bool_],
    bars_needed: int,
    asked: Sequence[str],
) -> tuple[UnknownCount, ...]:
    missing = unknown & (~present | (runs == 0))
    warming_up = unknown & ~missing & (runs < bars_needed)
    rest = int((unknown & ~missing & ~warming_up).sum())
    counts = Counter({MISSING: int(missing.sum()), WARMING_UP: int(warming_up.sum())})
    if rest:
        kinds = dict.fromkeys(reason_kind(reason) for reason in asked)
        counts[" or ".join(kinds) or "unknown"] += rest
    return tuple(
        UnknownCount(kind=kind, count=count) for kind, count in counts.most_common() if count
    )
