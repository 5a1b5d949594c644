"""Windows from frames, read once: a warm function asks Redis only for what is new (design D2).

Frames are immutable per revision, so the columns already read are kept, one ring per venue and
interval. Warm and cold give identical windows: the store's `revisions` tell which kept bars are
outdated. Correctness never depends on what is kept: dropping a ring costs only commands.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, OrderedDict
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.errors import StaleData
from shared.market.frame import Feed, Frame
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window, reorder_columns
from shared.store.frames import FRAMES_PER_COMMAND, FrameStore

# 500 for the verdict and one more for the verdict at the close before (enter and exit).
WINDOW_BARS = 501
# Bars that a ring can grow by before its bars are moved: 16 MB at each eighth close.
SPARE_BARS = 8
# Closes for which a ring stays as long as a longer window that somebody asked for.
LONGER_FOR_BARS = 128
# A ring of 500 symbols is (501 + 8) bars × 32 kB = 16 MB; five intervals are the default.
RINGS_MAX = 8
SYMBOL_LISTS_MAX = 32


class _Known(msgspec.Struct, frozen=True):
    """What is remembered of a frame whose columns are in the ring. No array: it would keep them."""

    revision: int
    feed: Feed
    complete: bool


class _Ring:
    """The bars of one venue and interval that were read, contiguous, in one symbol order.

    `columns` is float64[8, capacity, symbols]; bars `[0, filled)` are in use. A window is a view:
    bars that somebody reads are never written again, there is a new array instead. Where bars that
    were handed out change (a newer revision, a frame that comes after its successors) there is a
    new edition. `longest` is the longest window asked for of late, last at `longest_ms`.
    """

    def __init__(
        self, interval: Interval, symbols: tuple[str, ...], span: range, generation: int
    ) -> None:
        self.interval = interval
        self.symbols = symbols
        self.generation = generation
        self.first_open_time_ms = span.start
        self.step_ms = span.step
        self.filled = len(span)
        self.handed_out = 0
        self.frames: dict[int, _Known] = {}
        self.longest, self.longest_ms = WINDOW_BARS, span[-1]
        self.edition = object()
        self.columns = self._allocate(len(span) + SPARE_BARS)
        self.columns[:, : self.filled] = np.nan

    def _allocate(self, bars: int) -> NDArray[np.float64]:
        return np.empty((len(COLUMNS), bars, len(self.symbols)))

    @property
    def next_open_time_ms(self) -> int:
        return self.first_open_time_ms + self.filled * self.step_ms

    @property
    def last_open_time_ms(self) -> int:
        return self.next_open_time_ms - self.step_ms

    def bar(self, open_time_ms: int) -> int:
        return (open_time_ms - self.first_open_time_ms) // self.step_ms

    def extend_to(self, span: range) -> None:
        """Make room for the last of these bars; new ones are NaN until their frame is put."""
        added = self.bar(span[-1]) + 1 - self.filled
        if added <= 0:
            return
        if self.filled + added > self.columns.shape[1]:
            if span[-1] - self.longest_ms > LONGER_FOR_BARS * self.step_ms:
                self.longest = WINDOW_BARS
            bars = max(self.longest, len(span))
            self._drop(max(self.filled + added - bars, 0), bars)
        self.columns[:, self.filled : self.filled + added] = np.nan
        self.filled += added

    def _drop(self, oldest: int, bars: int) -> None:
        """Drop the oldest bars and move the others to the start of an array for so many."""
        capacity = bars + SPARE_BARS
        stays = self.columns.shape[1] == capacity and not self._is_read()
        columns = self.columns if stays else self._allocate(capacity)
        # One by one: what overlaps is copied on the way.
        for old, new in zip(self.columns, columns, strict=True):
            new[: self.filled - oldest] = old[oldest : self.filled]
        self.columns = columns
        self.first_open_time_ms += oldest * self.step_ms
        self.filled -= oldest
        self.handed_out = max(self.handed_out - oldest, 0)
        self.frames = {t: f for t, f in self.frames.items() if t >= self.first_open_time_ms}

    def _is_read(self) -> bool:
        """Return whether somebody still has a window: a view counts as a user of its array."""
        # The other two are ours and the call's.
        return sys.getrefcount(self.columns) > 2

    def put(self, frame: Frame, columns: NDArray[np.float64]) -> None:
        known = self.frames.get(frame.open_time_ms)
        if known is not None and known.revision >= frame.revision:
            return
        bar = self.bar(frame.open_time_ms)
        if bar < self.handed_out:
            if self._is_read():
                self.columns = self.columns.copy()
            self.edition = object()
            self.handed_out = 0
        self.columns[:, bar] = columns
        self.frames[frame.open_time_ms] = _Known(frame.revision, frame.feed, frame.complete)

    def window(self, venue: str, span: range) -> Window:
        """Return the bars of these open times. Raises: StaleData if the last frame is not here."""
        last = self.frames.get(span[-1])
        if last is None:
            raise _missing(venue, self.interval, span[-1])
        start, stop = self.bar(span.start), self.bar(span[-1]) + 1
        self.handed_out = max(self.handed_out, stop)
        if len(span) >= self.longest:
            self.longest, self.longest_ms = len(span), span[-1]
        return Window(
            venue=venue,
            interval=self.interval,
            symbols=self.symbols,
            open_times_ms=np.array(span, dtype=np.int64),
            columns=self.columns[:, start:stop],
            frame_revision=last.revision,
            feed=last.feed,
            complete=last.complete,
            edition=self.edition,
        )


class WindowCache:
    """Loads windows, keeping what it has read. One per process; safe for concurrent use."""

    def __init__(self, store: FrameStore) -> None:
        self._store = store
        self._rings: OrderedDict[tuple[str, Interval], _Ring] = OrderedDict()
        self._symbol_lists: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()
        self._locks: dict[tuple[str, Interval], asyncio.Lock] = {}
        # Windows by kind: warm ones asked for what is new, cold ones for every bar.
        self.loads: Counter[str] = Counter(warm=0, cold=0)

    async def load_window(
        self, venue: str, interval: Interval, last_open_time_ms: int, bars: int = WINDOW_BARS
    ) -> Window:
        """Return the `bars` bars that end with the one of `last_open_time_ms`.

        Costs one HMGET when warm. Raises: StaleData if the last frame is not in the store,
        StoreUnavailable if the store does not answer.
        """
        key = (venue, interval)
        step_ms = interval.duration_ms
        first_ms = last_open_time_ms - (bars - 1) * step_ms
        span = range(first_ms, last_open_time_ms + step_ms, step_ms)
        async with self._locks.setdefault(key, asyncio.Lock()):
            ring = self._rings.get(key)
            if ring is not None and ring.first_open_time_ms <= first_ms <= ring.next_open_time_ms:
                window = await self._load_warm(ring, venue, interval, span)
                if window is not None:
                    self.loads["warm"] += 1
                    return window
            self.loads["cold"] += 1
            return await self._load_cold(venue, interval, span)

    async def load_newest_open_time(self, venue: str, interval: Interval) -> int | None:
        """Return the open time of the newest frame in the store, or None if there is none."""
        open_times_ms = await self._store.load_open_times(venue, interval)
        return open_times_ms[-1] if open_times_ms else None

    async def _load_cold(self, venue: str, interval: Interval, span: range) -> Window:
        """Return the window read from the store, a command's frames at a time, the last first."""
        read: _Ring | None = None
        is_kept = False
        for stop in range(len(span), 0, -FRAMES_PER_COMMAND):
            some = span[max(0, stop - FRAMES_PER_COMMAND) : stop]
            frames, revisions = await self._store.load_frames(venue, interval, some)
            lists = await self._load_lists(venue, frames)
            if read is None:
                # The others are not asked for without the last: it names the symbols.
                if frames[-1] is None or frames[-1].symbol_list_id not in lists:
                    raise _missing(venue, interval, span[-1])
                symbols = lists[frames[-1].symbol_list_id]
                is_kept = self._shall_keep(venue, interval, span, revisions.generation)
                read = _Ring(interval, symbols, span, revisions.generation)
            for frame in frames:
                if frame is not None and frame.symbol_list_id in lists:
                    listed = lists[frame.symbol_list_id]
                    read.put(frame, reorder_columns(frame.columns, listed, read.symbols))
        assert read is not None, "a window has a bar"
        if is_kept:
            self._keep(venue, interval, read)
        return read.window(venue, span)

    def _shall_keep(self, venue: str, interval: Interval, span: range, generation: int) -> bool:
        """Return whether what is read shall be the ring from now on."""
        ring = self._rings.get((venue, interval))
        return (
            ring is None
            or ring.generation != generation
            or ring.last_open_time_ms < span[-1]
            # A longer window that ends where the ring does: the next one like it shall be warm.
            or (span.start < ring.first_open_time_ms and span[-1] == ring.last_open_time_ms)
        )

    def _keep(self, venue: str, interval: Interval, ring: _Ring) -> None:
        self._rings[(venue, interval)] = ring
        self._rings.move_to_end((venue, interval))
        while len(self._rings) > RINGS_MAX:
            self._rings.popitem(last=False)

    async def _load_warm(
        self, ring: _Ring, venue: str, interval: Interval, span: range
    ) -> Window | None:
        """Return the window from the ring and what it lacks, or None if the ring is void."""
        wanted = [t for t in span if t not in ring.frames]
        frames, revisions = await self._store.load_frames(venue, interval, wanted)
        if revisions.generation != ring.generation:
            return None
        changed = [
            t for t in span if t in ring.frames and revisions.of(t) > ring.frames[t].revision
        ]
        if changed:
            newer, _ = await self._store.load_frames(venue, interval, changed)
            frames += newer
        found = [f for f in frames if f is not None]
        lists = await self._load_lists(venue, found)
        if any(lists.get(f.symbol_list_id) != ring.symbols for f in found):
            return None
        ring.extend_to(span)
        for frame in found:
            ring.put(frame, frame.columns)
        window = ring.window(venue, span)
        # Anew: while the store was asked, windows of other intervals may have pushed it out.
        self._keep(venue, interval, ring)
        return window

    async def _load_lists(
        self, venue: str, frames: Sequence[Frame | None]
    ) -> dict[str, tuple[str, ...]]:
        lists = {}
        for list_id in dict.fromkeys(f.symbol_list_id for f in frames if f is not None):
            symbols = self._symbol_lists.get((venue, list_id))
            if symbols is None:
                symbols = await self._store.load_symbols(venue, list_id)
                if symbols is None:
                    continue
                self._symbol_lists[(venue, list_id)] = symbols
                while len(self._symbol_lists) > SYMBOL_LISTS_MAX:
                    self._symbol_lists.popitem(last=False)
            lists[list_id] = symbols
        return lists


def _missing(venue: str, interval: Interval, open_time_ms: int) -> StaleData:
    return StaleData(
        f"expected the {venue} {interval} frame of open time {open_time_ms}, was missing",
        hint="the collector publishes it when its klines have closed; see its /health",
        venue=venue,
        interval=str(interval),
        open_time_ms=open_time_ms,
    )
