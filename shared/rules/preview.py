"""What a rule says right now, and lately: what its author wants to see while writing it.

Pure. Called by the command line; not here: a longer past and what came after (backtest), saving.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np

from shared.market.frame import Feed
from shared.market.interval import DAY_MS, Interval
from shared.market.window import Window
from shared.rules.near_misses import NearMisses, find_near_misses
from shared.rules.plan import build_plan, rule_cost
from shared.rules.replay import (
    CLOSE,
    Replayed,
    UnknownCount,
    columns_of_universe,
    first_close,
    replay,
)
from shared.rules.tree import Rule, RuleLimits
from shared.rules.verdicts import FALSE, TRUE, UNKNOWN
from shared.runs import Trigger

# Too noisy: a signal for more than a tenth of the universe at one close (of small universes that
# says nothing), or more than one in a quarter of an hour, day and night.
NOISY_SHARE = 0.10
NOISY_SHARE_INSTRUMENTS_MIN = 20
NOISY_SIGNALS_PER_DAY = 96


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument on which the rule is true, its price, and the values that explain it."""

    instrument: str
    price: float
    values: dict[str, float]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule takes: rows of values in its plan, and the cost that is limited."""

    rows: int
    cost: int
    cost_max: int


class Lately(msgspec.Struct, frozen=True, kw_only=True):
    """Signals at the last closes that were judged, the newest included."""

    first_closed_at_ms: int
    closes_count: int
    signals_count: int
    signals_per_day: float


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A rule at the newest close of a window; counts are within the universe.

    `matches`: where it is true, in the window's order, at most as many as asked for.
    `would_signal`: the instruments for which the trigger fires at this close. `noise`: a sentence
    if it is too noisy. `lately` is None without enough history.
    """

    rule: str
    venue: str
    interval: Interval
    feed: Feed
    trigger: Trigger
    closed_at_ms: int
    instruments_count: int
    true_count: int
    false_count: int
    unknown_count: int
    unknown: tuple[UnknownCount, ...]
    matches: tuple[Match, ...]
    would_signal: tuple[str, ...]
    near_misses: NearMisses
    lately: Lately | None
    noise: str | None
    bars_needed: int
    bars_there: int
    cost: Cost


def cost_of(rule: Rule, limits: RuleLimits = RuleLimits()) -> Cost:  # noqa: B008 (immutable)
    """Return what a rule takes on its own."""
    return Cost(
        rows=build_plan([rule]).rows_count,
        cost=rule_cost(rule.tree, limits.cost_max, rule.interval),
        cost_max=limits.cost_max,
    )


def preview(
    rule: Rule,
    window: Window,
    *,
    trigger: Trigger = Trigger.ENTER,
    universe: Sequence[str] | None = None,
    longer: Mapping[Interval, Window] = MappingProxyType({}),
    closes_max: int = 100,
    matches_max: int = 50,
    near_misses_max: int = 10,
) -> Preview:
    """Return what a rule says at the last close of a window and at up to `closes_max` before it.

    `longer`: see evaluate. Raises: InvalidRequest if the window lacks an instrument of `universe`.
    """
    columns = columns_of_universe(universe, window)
    plan = build_plan([rule], [None if universe is None else tuple(universe)])
    start = max(min(first_close(rule, trigger), window.bars - 1), window.bars - closes_max)
    past = _whole(replay(plan, window, range(start, window.bars), trigger, columns, longer))
    newest = range(window.bars - 1, window.bars)
    unknown = _whole(replay(plan, window, newest, Trigger.WHILE, columns, longer)).unknown
    now = past.states[-1]
    prices = window.columns[CLOSE, -1]
    false = np.zeros(len(window.symbols), dtype=np.bool_)
    false[columns[now == FALSE]] = True
    lately = _lately(past, window) if len(past.closes) > 1 else None
    signals = columns[past.signals[-1]]
    return Preview(
        rule=rule.canonical,
        venue=window.venue,
        interval=window.interval,
        feed=window.feed,
        trigger=trigger,
        closed_at_ms=window.closed_at_ms,
        instruments_count=len(columns),
        true_count=int((now == TRUE).sum()),
        false_count=int((now == FALSE).sum()),
        unknown_count=int((now == UNKNOWN).sum()),
        unknown=unknown,
        matches=tuple(
            Match(
                instrument=window.symbols[column],
                price=float(prices[column]),
                values=past.last.values(0, column),
            )
            for column in columns[now == TRUE][:matches_max].tolist()
        ),
        would_signal=tuple(window.symbols[column] for column in signals.tolist()),
        near_misses=find_near_misses(past.last, among=false, count_max=near_misses_max),
        lately=lately,
        noise=noise_of(
            len(signals), int((now != UNKNOWN).sum()), lately.signals_per_day if lately else None
        ),
        bars_needed=rule.bars_needed,
        bars_there=window.bars,
        cost=cost_of(rule),
    )


def noise_of(signals_now: int, known_now: int, signals_per_day: float | None) -> str | None:
    """Return a sentence if that many signals are too many, None if not."""
    if signals_per_day is not None and signals_per_day > NOISY_SIGNALS_PER_DAY:
        return (
            f"too noisy: about {signals_per_day:,.0f} signals a day, more than one in a quarter"
            f" of an hour ({NOISY_SIGNALS_PER_DAY} a day)"
        )
    if known_now >= NOISY_SHARE_INSTRUMENTS_MIN and signals_now > NOISY_SHARE * known_now:
        return (
            f"too noisy: a signal for {signals_now} of {known_now} instruments at this close,"
            f" more than {NOISY_SHARE:.0%}"
        )
    return None


def per_day(signals_count: int, closes_count: int, interval: Interval) -> float:
    """Return signals a day when so many closes bring so many."""
    return signals_count * DAY_MS / (closes_count * interval.duration_ms)


def _lately(past: Replayed, window: Window) -> Lately:
    signals = int(past.signals.sum())
    first_ms = int(window.open_times_ms[past.closes.start]) + window.interval.duration_ms
    return Lately(
        first_closed_at_ms=first_ms,
        closes_count=len(past.closes),
        signals_count=signals,
        signals_per_day=per_day(signals, len(past.closes), window.interval),
    )


def _whole(steps: Iterator[int | Replayed]) -> Replayed:
    """Return what a replay ends with."""
    last: int | Replayed = 0
    for last in steps:  # noqa: B007 (the last one counts)
        pass
    assert isinstance(last, Replayed)
    return last
