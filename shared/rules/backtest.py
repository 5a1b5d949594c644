"""A rule over recorded history: how often it would have signalled, and what prices did after.

Counts and distributions, beside those of the whole universe in the same span; nothing is fitted,
no fee, no fill, no position. Which closes: from the rule's warm-up on, because that is all that
there is to judge; at those with fewer than W bars behind them an average that never forgets (ema,
rsi, …) may differ from what it would have been live, so these closes are counted apart.
Pure. Not here: the verdicts (replay, evaluate), reading files (cli).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidRequest
from shared.market.frame import Feed
from shared.market.interval import DAY_MS, Interval
from shared.market.window import Window
from shared.rules.plan import build_plan
from shared.rules.preview import Cost, cost_of, noise_of, per_day
from shared.rules.replay import (
    CLOSE,
    Replayed,
    UnknownCount,
    columns_of_universe,
    first_close,
    replay,
)
from shared.rules.tree import W_BARS, Rule
from shared.rules.verdicts import FALSE, TRUE
from shared.runs import Trigger

# Bars after a signal at which its return is taken.
HORIZONS = (1, 5, 20)
PERCENTILES = (5, 25, 50, 75, 95)

CAUTION = "Past returns promise nothing. No fee, spread or fill is in these numbers."


class Progress(msgspec.Struct, frozen=True):
    """How many closes are judged."""

    done: int
    total: int


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Returns, as fractions (0.01 is one percent); all but the count None if there are none.

    Percentiles by linear interpolation. `share_above_0`: fraction of them that is positive.
    """

    count: int
    mean: float | None = None
    median: float | None = None
    p5: float | None = None
    p25: float | None = None
    p75: float | None = None
    p95: float | None = None
    share_above_0: float | None = None


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """Returns `bars` bars after: of the signals, and of every instrument at every judged close."""

    bars: int
    signals: Distribution
    universe: Distribution


class DaySignals(msgspec.Struct, frozen=True, kw_only=True):
    """Signals of one UTC day, named by its beginning; the first and last may be parts of days."""

    day_ms: int
    signals_count: int


class InstrumentSignals(msgspec.Struct, frozen=True, kw_only=True):
    """Signals of one instrument."""

    instrument: str
    signals_count: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest found.

    `short_history_closes_count`: judged closes with fewer than W bars before them. Verdicts are
    counted over closes × instruments. `by_day` holds every day of the span, `by_instrument` those
    with a signal, the most first.
    """

    rule: str
    venue: str
    interval: Interval
    feed: Feed
    trigger: Trigger
    instruments_count: int
    first_closed_at_ms: int
    last_closed_at_ms: int
    closes_count: int
    short_history_closes_count: int
    signals_count: int
    signals_per_day: float
    by_day: tuple[DaySignals, ...]
    by_instrument: tuple[InstrumentSignals, ...]
    true_count: int
    false_count: int
    unknown_count: int
    unknown: tuple[UnknownCount, ...]
    horizons: tuple[Horizon, ...]
    noise: str | None
    bars_needed: int
    cost: Cost
    caution: str = CAUTION


def backtest(
    rule: Rule,
    window: Window,
    *,
    trigger: Trigger = Trigger.ENTER,
    universe: Sequence[str] | None = None,
    longer: Mapping[Interval, Window] = MappingProxyType({}),
    first_closed_at_ms: int | None = None,
) -> Iterator[Progress | Report]:
    """Yield the progress after each close, then the report.

    `first_closed_at_ms`: judge no close before this; None: from the rule's warm-up on.
    Raises: InvalidRequest if there is no close to judge, or the window lacks an instrument.
    """
    columns = columns_of_universe(universe, window)
    start = first_close(rule, trigger)
    if first_closed_at_ms is not None:
        first_open_ms = first_closed_at_ms - window.interval.duration_ms
        start = max(start, int(np.searchsorted(window.open_times_ms, first_open_ms)))
    closes = range(start, window.bars)
    if not closes:
        raise InvalidRequest(
            f"expected more than {first_close(rule, trigger)} bars of history, was {window.bars}",
            hint="use fewer bars in the rule, or give more history",
            field="rule",
        )
    plan = build_plan([rule], [None if universe is None else tuple(universe)])
    for found in replay(plan, window, closes, trigger, columns, longer):
        if isinstance(found, Replayed):
            yield report(rule, window, found, trigger)
        else:
            yield Progress(found, len(closes))


def report(rule: Rule, window: Window, replayed: Replayed, trigger: Trigger) -> Report:
    """Return the statistics of a replay; arrays only, whatever the number of signals."""
    closes, signals, states = replayed.closes, replayed.signals, replayed.states
    closed_at_ms = window.open_times_ms[closes.start : closes.stop] + window.interval.duration_ms
    signals_count = int(signals.sum())
    signals_per_day = per_day(signals_count, len(closes), window.interval)
    true_count, false_count = int((states == TRUE).sum()), int((states == FALSE).sum())
    return Report(
        rule=rule.canonical,
        venue=window.venue,
        interval=window.interval,
        feed=window.feed,
        trigger=trigger,
        instruments_count=len(replayed.columns),
        first_closed_at_ms=int(closed_at_ms[0]),
        last_closed_at_ms=int(closed_at_ms[-1]),
        closes_count=len(closes),
        short_history_closes_count=max(min(W_BARS - 1, closes.stop) - closes.start, 0),
        signals_count=signals_count,
        signals_per_day=signals_per_day,
        by_day=_by_day(closed_at_ms, signals),
        by_instrument=_by_instrument(window, replayed),
        true_count=true_count,
        false_count=false_count,
        unknown_count=states.size - true_count - false_count,
        unknown=replayed.unknown,
        horizons=_horizons(window, replayed),
        noise=noise_of(0, 0, signals_per_day),
        bars_needed=rule.bars_needed,
        cost=cost_of(rule),
    )


def distribution(returns: NDArray[np.float64]) -> Distribution:
    """Return the distribution of float64[n], n from 0; no NaN among them."""
    if not len(returns):
        return Distribution(count=0)
    p5, p25, median, p75, p95 = np.percentile(returns, PERCENTILES).tolist()
    return Distribution(
        count=len(returns),
        mean=float(returns.mean()),
        median=median,
        p5=p5,
        p25=p25,
        p75=p75,
        p95=p95,
        share_above_0=float((returns > 0).mean()),
    )


def _horizons(window: Window, replayed: Replayed) -> tuple[Horizon, ...]:
    closes, columns = replayed.closes, replayed.columns
    prices = window.columns[CLOSE][:, columns]
    horizons = []
    for bars in HORIZONS:
        # The last closes have no bar yet so far after them.
        stop = max(min(closes.stop, window.bars - bars), closes.start)
        returns = prices[closes.start + bars : stop + bars] / prices[closes.start : stop] - 1.0
        known = ~np.isnan(returns)
        signals = replayed.signals[: stop - closes.start] & known
        horizons.append(
            Horizon(
                bars=bars,
                signals=distribution(returns[signals]),
                universe=distribution(returns[known]),
            )
        )
    return tuple(horizons)


def _by_day(closed_at_ms: NDArray[np.int64], signals: NDArray[np.bool_]) -> tuple[DaySignals, ...]:
    # A close at midnight ends the day before.
    days = (closed_at_ms - 1) // DAY_MS
    counts = np.bincount(days - days[0], weights=signals.sum(axis=1))
    return tuple(
        DaySignals(day_ms=int(days[0] + place) * DAY_MS, signals_count=int(count))
        for place, count in enumerate(counts.tolist())
    )


def _by_instrument(window: Window, replayed: Replayed) -> tuple[InstrumentSignals, ...]:
    counts = replayed.signals.sum(axis=0)
    order = np.argsort(-counts, kind="stable")
    return tuple(
        InstrumentSignals(
            instrument=window.symbols[int(replayed.columns[place])],
            signals_count=int(counts[place]),
        )
        for place in order[: int((counts > 0).sum())].tolist()
    )
