"""What history must be fetched at a start, and the frames it makes. Pure.

Called by collector/backfill.py. Not here: REST, Redis, and anything that closes after the start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from collector.rollup import ClosedSpan
from shared.market.frame import Feed, Frame
from shared.market.interval import HOUR_MS, MINUTE_MS, Interval
from shared.market.kline import COLUMNS, Kline

# One klines call gives at most this many bars.
BARS_PER_CALL_MAX = 1000
# Room in a call for the forming kline, whose presence proves that earlier gaps are the venue's.
FORMING_BARS = 2
# Rolling up makes an object of every minute, so it is for short gaps; longer ones are fetched.
ROLL_REACH_MS = 2 * HOUR_MS


class HistoryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch so that every interval has its newest bars up to `live_from_ms`.

    `minutes_from_ms`: 1m klines from here on, one call a symbol; they also fill the forming
    higher klines of up to an hour. `roll_from_ms`: minutes from here on are rolled up.
    `missing`: open times to publish, oldest first. `rolled`: intervals made from the minutes;
    `fetched`: intervals that are asked for themselves. `seed_hours_from_ms`: where closed 1h
    klines must start to fill forming klines longer than an hour (None: not needed). `leading`:
    intervals that lack only bars older than all stored ones, which the venue may not have.
    """

    live_from_ms: int
    minutes_from_ms: int
    roll_from_ms: int
    missing: dict[Interval, tuple[int, ...]]
    rolled: tuple[Interval, ...]
    fetched: tuple[Interval, ...]
    seed_hours_from_ms: int | None
    leading: tuple[Interval, ...]

    @property
    def calls_per_symbol(self) -> int:
        """Return how many klines calls a symbol costs before and shortly after going live."""
        return 1 + len(self.fetched) + (self.seed_hours_from_ms is not None)


def plan_history(
    live_from_ms: int,
    intervals: Sequence[Interval],
    stored: Mapping[Interval, Collection[int]],
    bars: int,
) -> HistoryPlan:
    """Return the plan; `stored` holds the usable open times of each interval (1m among them)."""
    missing: dict[Interval, tuple[int, ...]] = {}
    for interval in intervals:
        last_ms = interval.floor_ms(live_from_ms) - interval.duration_ms
        first_ms = last_ms - (bars - 1) * interval.duration_ms
        span = range(first_ms, last_ms + 1, interval.duration_ms)
        have = set(stored.get(interval, ()))
        missing[interval] = tuple(t for t in span if t not in have)
    reach_ms = live_from_ms - (BARS_PER_CALL_MAX - FORMING_BARS) * MINUTE_MS
    hour_ms = Interval.H1.floor_ms(live_from_ms)
    higher = [interval for interval in intervals if interval is not Interval.M1]
    rolled = tuple(
        i for i in higher if missing[i] and missing[i][0] >= live_from_ms - ROLL_REACH_MS
    )
    fetched = tuple(i for i in higher if missing[i] and i not in rolled)
    # On the hour, so that closed 1h klines join it without a seam.
    roll_from_ms = Interval.H1.floor_ms(min([hour_ms, *(missing[i][0] for i in rolled)]))
    minutes_from_ms = min([roll_from_ms, *missing[Interval.M1][:1]])
    leading = tuple(i for i in fetched if stored.get(i) and missing[i][-1] < min(stored[i]))
    longest_ms = max((i.duration_ms for i in higher), default=0)
    seed_ms = min(i.floor_ms(live_from_ms) for i in higher) if higher else hour_ms
    needs_hours = longest_ms > HOUR_MS and seed_ms < roll_from_ms
    return HistoryPlan(
        live_from_ms=live_from_ms,
        minutes_from_ms=max(minutes_from_ms, reach_ms),
        roll_from_ms=max(roll_from_ms, reach_ms),
        missing=missing,
        rolled=rolled,
        fetched=fetched,
        seed_hours_from_ms=seed_ms if needs_hours else None,
        leading=leading,
    )


class HistoryBlock:
    """The bars of one interval for all symbols: float64[bars, 8, symbols], freed when written.

    Bar-major, so that one frame's columns are contiguous.
    """

    def __init__(self, interval: Interval, open_times_ms: Sequence[int], symbol_count: int) -> None:
        self.interval = interval
        self.open_times_ms = tuple(open_times_ms)
        self._bar_of = {t: bar for bar, t in enumerate(self.open_times_ms)}
        shape = (len(self.open_times_ms), len(COLUMNS), symbol_count)
        self.columns: NDArray[np.float64] = np.full(shape, np.nan)
        self.resolved: NDArray[np.bool_] = np.ones((shape[0], symbol_count), dtype=np.bool_)

    def put_columns(
        self, index: int, open_times_ms: Sequence[int], columns: NDArray[np.float64]
    ) -> None:
        """Set the bars of a symbol from float64[8, k]; bars of other times are passed over.

        A wanted bar later than the last one given is unresolved: the venue may have it yet. A
        venue that gives nothing has nothing.
        """
        if not open_times_ms:
            return
        pairs = [(self._bar_of[t], i) for i, t in enumerate(open_times_ms) if t in self._bar_of]
        if pairs:
            bars, given = np.array(pairs).T
            self.columns[bars, :, index] = columns[:, given].T
        last_ms = open_times_ms[-1]
        for bar in range(len(self.open_times_ms) - 1, -1, -1):
            if self.open_times_ms[bar] <= last_ms:
                break
            self.resolved[bar, index] = False

    def put_span(self, index: int, span: ClosedSpan) -> None:
        """Set one rolled-up bar of a symbol."""
        bar = self._bar_of.get(span.open_time_ms)
        if bar is None:
            return
        if span.kline is not None:
            self.columns[bar, :, index] = span.kline.row()
        self.resolved[bar, index] = span.is_covered

    def is_complete(self, bar: int, trading: NDArray[np.bool_]) -> bool:
        """Return whether every trading symbol is resolved in that bar."""
        return bool((self.resolved[bar] | ~trading).all())

    def frame(
        self,
        bar: int,
        *,
        venue: str,
        symbol_list_id: str,
        revision: int,
        feed: Feed,
        complete: bool,
        now_ms: int,
    ) -> Frame | None:
        """Return the frame of one bar, or None if no symbol has it."""
        columns = self.columns[bar]
        present = ~np.isnan(columns[0])
        if not present.any():
            return None
        return Frame(
            venue=venue,
            interval=self.interval,
            open_time_ms=self.open_times_ms[bar],
            symbol_list_id=symbol_list_id,
            revision=revision,
            feed=feed,
            complete=complete,
            received_at_ms=now_ms,
            published_at_ms=now_ms,
            present=present,
            columns=columns,
        )


def next_open_ms(live_from_ms: int, minutes: Sequence[Kline]) -> int:
    """Return the first minute that the closer must still get for a symbol.

    Normally `live_from_ms`; earlier if the venue's reply ended before it.
    """
    return min(live_from_ms, minutes[-1].closed_at_ms) if minutes else live_from_ms
