"""Windows from frames, read once: a warm function asks Redis only for what is new (design D2).

Frames are immutable per revision, so the columns already read are kept, one ring per venue and
interval. Warm and cold give identical windows: the store's `revisions` tell which kept bars are
outdated. Correctness never depends on what is kept: dropping a ring costs only commands.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import StaleData
from shared.market.frame import Frame
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window, assemble_window
from shared.store.frames import FrameStore

# 500 for the verdict and one more for the verdict at the close before (enter and exit).
WINDOW_BARS = 501
# What the collector keeps in Redis (HISTORY_BARS); beyond it a window has no bars.
KEPT_BARS = 600
# Bars that a ring can grow by before it is copied: twenty milliseconds now and then, or memory.
SPARE_BARS = 128
# A ring of 500 symbols is (501 + 128) bars × 32 kB = 20 MB; five intervals are the default.
RINGS_MAX = 8
SYMBOL_LISTS_MAX = 32


class _Ring:
    """The bars of one venue and interval that were read, contiguous, in one symbol order.

    `columns` is float64[8, capacity, symbols]; bars `[0, filled)` are in use. A window is a view:
    bars that were handed out are never written again (a newer revision, a frame that comes after
    its successors, or a full ring gets a new array).
    """

    def __init__(self, window: Window, frames: dict[int, Frame], generation: int) -> None:
        self.symbols = window.symbols
        self.generation = generation
        self.first_open_time_ms = int(window.open_times_ms[0])
        self.step_ms = window.interval.duration_ms
        self.filled = window.bars
        self.handed_out = window.bars
        self.frames = {t: _without_columns(frame) for t, frame in frames.items()}
        self.columns = self._allocate(window.columns, window.bars)

    def _allocate(self, kept: NDArray[np.float64], bars: int) -> NDArray[np.float64]:
        columns = np.full((len(COLUMNS), bars + SPARE_BARS, len(self.symbols)), np.nan)
        columns[:, : kept.shape[1]] = kept
        return columns

    @property
    def next_open_time_ms(self) -> int:
        return self.first_open_time_ms + self.filled * self.step_ms

    @property
    def last_open_time_ms(self) -> int:
        return self.next_open_time_ms - self.step_ms

    def bar(self, open_time_ms: int) -> int:
        return (open_time_ms - self.first_open_time_ms) // self.step_ms

    def extend_to(self, last_open_time_ms: int) -> None:
        """Make room up to a bar; the new bars are NaN until their frame is put."""
        added = self.bar(last_open_time_ms) + 1 - self.filled
        if added <= 0:
            return
        if self.filled + added > self.columns.shape[1]:
            dropped = self.filled + added - WINDOW_BARS
            self.columns = self._allocate(self.columns[:, dropped : self.filled], WINDOW_BARS)
            self.first_open_time_ms += dropped * self.step_ms
            self.filled -= dropped
            self.handed_out = 0
            self.frames = {t: f for t, f in self.frames.items() if t >= self.first_open_time_ms}
        self.filled += added

    def put(self, frame: Frame, columns: NDArray[np.float64]) -> None:
        known = self.frames.get(frame.open_time_ms)
        if known is not None and known.revision >= frame.revision:
            return
        bar = self.bar(frame.open_time_ms)
        if bar < self.handed_out:
            self.columns = self.columns.copy()
            self.handed_out = 0
        self.columns[:, bar] = columns
        self.frames[frame.open_time_ms] = _without_columns(frame)


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
        async with self._locks.setdefault(key, asyncio.Lock()):
            ring = self._rings.get(key)
            first_ms = last_open_time_ms - (bars - 1) * interval.duration_ms
            if ring is not None and ring.first_open_time_ms <= first_ms <= ring.next_open_time_ms:
                window = await self._load_warm(ring, venue, interval, first_ms, last_open_time_ms)
                if window is not None:
                    self.loads["warm"] += 1
                    return window
            self.loads["cold"] += 1
            return await self._load_cold(venue, interval, first_ms, last_open_time_ms)

    async def load_newest_open_time(self, venue: str, interval: Interval) -> int | None:
        """Return the open time of the newest frame in the store, or None if there is none."""
        open_times_ms = await self._store.load_open_times(venue, interval)
        return open_times_ms[-1] if open_times_ms else None

    async def _load_cold(
        self, venue: str, interval: Interval, first_ms: int, last_open_time_ms: int
    ) -> Window:
        step_ms = interval.duration_ms
        open_times_ms = list(range(first_ms, last_open_time_ms + step_ms, step_ms))
        frames, revisions = await self._store.load_frames(
            venue, interval, open_times_ms, needs_last=True
        )
        if frames[-1] is None:
            raise _missing(venue, interval, last_open_time_ms)
        lists = await self._load_lists(venue, frames)
        usable = [f if f is not None and f.symbol_list_id in lists else None for f in frames]
        if usable[-1] is None:
            raise _missing(venue, interval, last_open_time_ms)
        window = assemble_window(usable, lists, last_open_time_ms=last_open_time_ms)
        ring = self._rings.get((venue, interval))
        if (
            ring is None
            or ring.generation != revisions.generation
            or ring.next_open_time_ms <= last_open_time_ms
            # A longer window that ends where the ring does: the next one like it shall be warm.
            or (first_ms < ring.first_open_time_ms and last_open_time_ms == ring.last_open_time_ms)
        ):
            known = {f.open_time_ms: f for f in usable if f is not None}
            self._rings[(venue, interval)] = _Ring(window, known, revisions.generation)
            self._rings.move_to_end((venue, interval))
            while len(self._rings) > RINGS_MAX:
                self._rings.popitem(last=False)
        return window

    async def _load_warm(
        self, ring: _Ring, venue: str, interval: Interval, first_ms: int, last_open_time_ms: int
    ) -> Window | None:
        """Return the window from the ring and what it lacks, or None if the ring is void."""
        span = range(first_ms, last_open_time_ms + ring.step_ms, ring.step_ms)
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
        ring.extend_to(last_open_time_ms)
        for frame in found:
            ring.put(frame, frame.columns)
        last = ring.frames.get(last_open_time_ms)
        if last is None:
            raise _missing(venue, interval, last_open_time_ms)
        start, stop = ring.bar(first_ms), ring.bar(last_open_time_ms) + 1
        ring.handed_out = max(ring.handed_out, stop)
        self._rings.move_to_end((venue, interval))
        return Window(
            venue=venue,
            interval=interval,
            symbols=ring.symbols,
            open_times_ms=np.array(span, dtype=np.int64),
            columns=ring.columns[:, start:stop],
            frame_revision=last.revision,
            feed=last.feed,
            complete=last.complete,
        )

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


def _without_columns(frame: Frame) -> Frame:
    return Frame(
        venue=frame.venue,
        interval=frame.interval,
        open_time_ms=frame.open_time_ms,
        symbol_list_id=frame.symbol_list_id,
        revision=frame.revision,
        feed=frame.feed,
        complete=frame.complete,
        received_at_ms=frame.received_at_ms,
        published_at_ms=frame.published_at_ms,
        present=frame.present[:0],
        columns=frame.columns[:, :0],
    )


def _missing(venue: str, interval: Interval, open_time_ms: int) -> StaleData:
    return StaleData(
        f"expected the {venue} {interval} frame of open time {open_time_ms}, was missing",
        hint="the collector publishes it when its klines have closed; see its /health",
        venue=venue,
        interval=str(interval),
        open_time_ms=open_time_ms,
    )
