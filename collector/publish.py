"""Frames → Redis, in order, without losing one. Edge; uses shared/store only.

One HSET for all frames of an interval that wait; a refused write stays in the queue and is tried
again. The queue is bounded in frames: if Redis is away for so long that it overflows, the
session starts again from history (`lost`), because the venue still has what was dropped.

Not here: what a frame holds, and when it is ready (collector/klines.py).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from shared.cost.commands import TRIM_SLACK
from shared.errors import StoreUnavailable
from shared.market.frame import Feed, Frame
from shared.market.interval import Interval
from shared.store.frames import FrameStore, Revisions

# 300 frames of 500 symbols are 10 MB: an hour and a half of five intervals.
PENDING_MAX = 300
# Frames a command of history: 25 × about 30 kB stays far below the store's 10 MB a request, and
# packing them holds up live closes for less than 50 ms.
HISTORY_FRAMES_PER_COMMAND = 25
# The newest frames that are looked at when the collector starts, then as many as it takes.
CHECKED_FIRST, CHECKED_THEN = 3, 100
BACKOFF_MAX_S = 5.0
LATENCIES_KEPT = 500

log = structlog.get_logger()


class StoredFrames(msgspec.Struct, kw_only=True):
    """What Redis has of one interval: usable open times, and who wrote the newest frame."""

    open_times_ms: set[int]
    symbol_list_id: str = ""
    feed: Feed | None = None


class Publisher:
    """Writes the frames of one venue. `on_published(interval, closed_at_ms)` is called after."""

    def __init__(
        self,
        store: FrameStore,
        venue: str,
        history_bars: int,
        *,
        on_published: Callable[[Interval, int], None],
        now_s: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.lost: str | None = None
        self.failures_count = 0
        self.published_count = 0
        self._store = store
        self._venue = venue
        self._history_bars = history_bars
        self._on_published = on_published
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._pending: dict[tuple[Interval, int], Frame] = {}
        self._held: set[Interval] = set()
        self._wake = asyncio.Event()
        self._known: dict[Interval, set[int]] = {}
        self._revisions: dict[Interval, Revisions] = {}
        self._locks: dict[Interval, asyncio.Lock] = {}

    # --- start

    async def load(self, interval: Interval) -> StoredFrames:
        """Read what is stored; frames that are incomplete or unreadable do not count as stored."""
        stored_times = await self._store.load_open_times(self._venue, interval)
        usable = set(stored_times)
        newest: Frame | None = None
        revisions = Revisions()
        at = len(stored_times)
        count = CHECKED_FIRST
        while at > 0:
            times = stored_times[max(0, at - count) : at]
            frames, revisions = await self._store.load_frames(self._venue, interval, times)
            usable -= {t for t, f in zip(times, frames, strict=True) if f is None or not f.complete}
            newest = newest or next((f for f in reversed(frames) if f is not None), None)
            at -= len(times)
            if any(f is not None and f.complete for f in frames):
                break
            count = CHECKED_THEN
        self._known[interval] = set(stored_times)
        self._revisions[interval] = revisions
        return StoredFrames(
            open_times_ms=usable,
            symbol_list_id=newest.symbol_list_id if newest else "",
            feed=newest.feed if newest else None,
        )

    async def reset(self, interval: Interval) -> None:
        """Drop all frames of an interval: they are of another universe or feed.

        The generation is at least the present second, so that it grows even if the store lost it.
        """
        old = self._revisions.get(interval, Revisions())
        generation = max(old.generation + 1, self._now_s())
        self._revisions[interval] = Revisions(generation=generation, revisions={})
        if self._known.get(interval):
            await self._store.drop(self._venue, interval)
        self._known[interval] = set()
        log.info("frames_dropped", interval=str(interval), generation=generation)

    def next_revision(self, interval: Interval, open_time_ms: int) -> int:
        """Return the revision that a rewritten frame gets."""
        if open_time_ms not in self._known.get(interval, ()):
            return 1
        return self._revisions[interval].of(open_time_ms) + 1

    def newest_closed_ms(self, interval: Interval) -> int | None:
        """Return when the newest stored slot closed, or None if nothing is stored."""
        known = self._known.get(interval)
        return max(known) + interval.duration_ms if known else None

    async def publish_history(self, frames: Sequence[Frame]) -> None:
        """Write frames of one interval in bounded commands, waiting for Redis if need be."""
        for start in range(0, len(frames), HISTORY_FRAMES_PER_COMMAND):
            chunk = frames[start : start + HISTORY_FRAMES_PER_COMMAND]
            attempt = 0
            while True:
                try:
                    await self._write(chunk[0].interval, chunk)
                    break
                except StoreUnavailable as error:
                    attempt += 1
                    await self._back_off(attempt, error)

    # --- live

    def enqueue(self, frame: Frame) -> None:
        """Take a frame to be written; a later revision replaces one that still waits."""
        self._pending[(frame.interval, frame.open_time_ms)] = frame
        if len(self._pending) > PENDING_MAX:
            del self._pending[next(iter(self._pending))]
            self.lost = f"Redis was away for more than {PENDING_MAX} frames"
        self._wake.set()

    def hold(self, intervals: Iterable[Interval]) -> None:
        """Keep live frames of these intervals waiting until `release`: their history comes first.

        A slot evaluated on a frame without the bars before it would be unknown for ever.
        """
        self._held = set(intervals)

    def release(self, interval: Interval) -> None:
        """Write what waits for the history of an interval, which is in place."""
        self._held.discard(interval)
        self._wake.set()

    @property
    def pending_count(self) -> int:
        """Return how many frames wait to be written."""
        return len(self._pending)

    async def run(self) -> None:
        """Write what waits, for ever."""
        attempt = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._write_pending()
                if attempt:
                    await self.verify()
                attempt = 0
            except StoreUnavailable as error:
                attempt += 1
                self._wake.set()
                await self._back_off(attempt, error)

    async def flush(self) -> None:
        """Write what waits, once. Raises: StoreUnavailable."""
        await self._write_pending()

    async def verify(self) -> None:
        """Compare what should be stored with what is; sets `lost` if Redis lost frames."""
        for interval, known in self._known.items():
            stored = set(await self._store.load_open_times(self._venue, interval))
            if known - stored:
                self.lost = f"Redis lost {len(known - stored)} frames of {interval}"

    async def _write_pending(self) -> None:
        batches: dict[Interval, list[Frame]] = {}
        for (interval, _), frame in self._pending.items():
            if interval not in self._held:
                batches.setdefault(interval, []).append(frame)
        written: list[Frame] = []
        results = await asyncio.gather(
            *(self._write_batch(interval, frames, written) for interval, frames in batches.items()),
            return_exceptions=True,
        )
        # Only now, when what closed together is stored together: a 1m rule may read 1h bars.
        for frame in written:
            self._on_published(frame.interval, frame.closed_at_ms)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _write_batch(
        self, interval: Interval, frames: list[Frame], written: list[Frame]
    ) -> None:
        for start in range(0, len(frames), HISTORY_FRAMES_PER_COMMAND):
            chunk = frames[start : start + HISTORY_FRAMES_PER_COMMAND]
            await self._write(interval, chunk)
            for frame in chunk:
                key = (interval, frame.open_time_ms)
                # A newer revision may have come while this one was written.
                if self._pending.get(key) is frame:
                    del self._pending[key]
                written.append(frame)

    async def _write(self, interval: Interval, frames: Sequence[Frame]) -> None:
        async with self._locks.setdefault(interval, asyncio.Lock()):
            known = self._known.setdefault(interval, set())
            current = self._revisions.setdefault(interval, Revisions())
            oldest_ms = min(known, default=0)
            revisions = {t: r for t, r in current.revisions.items() if t >= oldest_ms}
            revisions |= {f.open_time_ms: f.revision for f in frames if f.revision > 1}
            updated = Revisions(generation=current.generation, revisions=revisions)
            started_s = self._monotonic_s()
            await self._store.publish(frames, updated)
            if len(frames) == 1:
                # Packing included; a batch of history would say nothing about a close.
                self.latencies_ms.append(1000 * (self._monotonic_s() - started_s))
            self.published_count += len(frames)
            self._revisions[interval] = updated
            known.update(frame.open_time_ms for frame in frames)
            if len(known) > self._history_bars + TRIM_SLACK:
                old = sorted(known)[: -self._history_bars]
                await self._store.trim(self._venue, interval, old)
                known.difference_update(old)

    async def _back_off(self, attempt: int, error: StoreUnavailable) -> None:
        self.failures_count += 1
        log.warning(
            "frames_not_written", pending=self.pending_count, attempt=attempt, error=str(error)
        )
        await asyncio.sleep(random.uniform(0, min(BACKOFF_MAX_S, 0.2 * 2 ** min(attempt, 10))))
