"""History at a start: REST → frames in Redis, and the closer's beginning. Edge.

First the minutes (one call a symbol), so that the feed is live within seconds; then, while it is
live, the intervals that cannot be rolled up from those minutes, one at a time, each freed when
written. Not here: what is missing (history.py), how frames are written (publish.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import structlog

from collector.clock import VenueClock
from collector.history import FORMING_BARS, HistoryBlock, HistoryPlan, next_open_ms
from collector.klines import KlineCloser
from collector.malformed import MalformedLog
from collector.publish import Publisher
from collector.rollup import SymbolRollUps
from collector.universe import Universe
from collector.venues.binance.parse import parse_kline_columns, parse_klines
from collector.venues.binance.rest import BinanceRest
from shared.errors import FeedRefused, MalformedMessage
from shared.market.frame import Feed, Frame, symbol_list_id
from shared.market.interval import HOUR_MS, Interval
from shared.market.kline import Kline

# Calls under way; fewer than the REST client allows, so that repairs find a place.
CONCURRENCY = 16
# Symbols that tell how far back the venue's history of an interval reaches.
PROBED_SYMBOLS = 5

log = structlog.get_logger()


class Backfill:
    """The history of one session."""

    def __init__(
        self,
        *,
        plan: HistoryPlan,
        universe: Universe,
        venue: str,
        feed: Feed,
        rest: BinanceRest,
        publisher: Publisher,
        closer: KlineCloser,
        clock: VenueClock,
        malformed: MalformedLog,
        on_history: Callable[[Interval, int], None],
    ) -> None:
        self._plan = plan
        self._universe = universe
        self._venue = venue
        self._feed = feed
        self._rest = rest
        self._publisher = publisher
        self._closer = closer
        self._clock = clock
        self._malformed = malformed
        self._on_history = on_history
        self._list_id = symbol_list_id(universe.symbols)
        self._trading = np.array([s in universe.trading for s in universe.symbols], dtype=np.bool_)

    async def load_minutes(self) -> None:
        """Fetch the minutes of every symbol, write what they make up, start the closer."""
        plan, closer = self._plan, self._closer
        count = len(self._universe.symbols)
        minute_block = HistoryBlock(Interval.M1, plan.missing[Interval.M1], count)
        blocks = {i: HistoryBlock(i, plan.missing[i], count) for i in plan.rolled}

        async def load(index: int, symbol: str) -> None:
            raw = await self._fetch(symbol, Interval.M1, plan.minutes_from_ms)
            if raw is None:
                self._trading[index] = False
                return
            times, columns = parse_kline_columns(raw, symbol)
            minute_block.put_columns(index, times, columns)
            minutes = self._parse(raw, symbol, Interval.M1, plan.roll_from_ms)
            next_ms = next_open_ms(plan.live_from_ms, minutes)
            roll_ups = SymbolRollUps(closer.config.intervals, plan.roll_from_ms)
            spans = [
                span
                for minute in minutes
                if minute.open_time_ms < next_ms
                for span in roll_ups.add_minute(minute)
            ]
            spans += roll_ups.pass_time(next_ms)
            for span in spans:
                if span.interval in blocks:
                    blocks[span.interval].put_span(index, span)
            closer.begin(symbol, next_ms, roll_ups)

        await self._for_all(load)
        await self._write(minute_block)
        for interval in plan.rolled:
            await self._write(blocks[interval])

    async def load_higher(self) -> None:
        """Fetch, one interval after the other, what the minutes could not give."""
        plan = self._plan
        for interval in plan.fetched:
            if interval not in plan.leading or await self._has_older(interval):
                await self._load_interval(interval)
            self._publisher.release(interval)
        seed_from_ms = plan.seed_hours_from_ms
        if seed_from_ms is None or Interval.H1 in plan.fetched:
            return

        async def seed(_index: int, symbol: str) -> None:
            raw = await self._fetch(symbol, Interval.H1, seed_from_ms)
            if raw is not None:
                self._seed(symbol, raw, seed_from_ms)

        await self._for_all(seed)

    async def _load_interval(self, interval: Interval) -> None:
        block = HistoryBlock(interval, self._plan.missing[interval], len(self._universe.symbols))
        from_ms = block.open_times_ms[0]

        async def load(index: int, symbol: str) -> None:
            raw = await self._fetch(symbol, interval, from_ms)
            if raw is None:
                return
            times, columns = parse_kline_columns(raw, symbol)
            block.put_columns(index, times, columns)
            if interval is Interval.H1:
                self._seed(symbol, raw, from_ms)

        await self._for_all(load)
        await self._write(block)

    async def _has_older(self, interval: Interval) -> bool:
        """Return whether the venue has any of the missing bars, judged by some symbols."""
        missing = self._plan.missing[interval]
        for symbol in self._universe.symbols[:PROBED_SYMBOLS]:
            raw = await self._fetch(symbol, interval, missing[0])
            times, _ = parse_kline_columns(raw, symbol) if raw is not None else ([], None)
            if times and times[0] <= missing[-1]:
                return True
        return False

    def _seed(self, symbol: str, raw: bytes, from_ms: int) -> None:
        """Give the closer the hours before its minutes, for forming klines of hours and days."""
        plan = self._plan
        if plan.seed_hours_from_ms is None or from_ms > plan.seed_hours_from_ms:
            return
        hours = self._parse(raw, symbol, Interval.H1, plan.seed_hours_from_ms)
        earlier = [k for k in hours if k.open_time_ms + HOUR_MS <= plan.roll_from_ms]
        self._closer.prepend(symbol, earlier, plan.seed_hours_from_ms, plan.roll_from_ms)

    def _parse(self, raw: bytes, symbol: str, interval: Interval, from_ms: int) -> list[Kline]:
        now_ms = self._clock.now_ms()
        klines = parse_klines(raw, symbol, interval, receive_time_ms=now_ms, from_ms=from_ms)
        return [k for k in klines if k.is_closed]

    async def _fetch(self, symbol: str, interval: Interval, from_ms: int) -> bytes | None:
        """Return the raw reply, or None if the venue does not know the symbol (any more)."""
        bars = (self._clock.now_ms() - from_ms) // interval.duration_ms + FORMING_BARS
        try:
            return await self._rest.load_klines(symbol, interval, from_ms=from_ms, limit=bars)
        except FeedRefused as error:
            if error.context.get("status") != 400:
                raise
            log.warning("history_refused", symbol=symbol, error=str(error))
            return None

    async def _for_all(self, load: Callable[[int, str], Awaitable[None]]) -> None:
        todo = iter(enumerate(self._universe.symbols))

        async def work() -> None:
            for index, symbol in todo:
                try:
                    await load(index, symbol)
                except MalformedMessage as error:
                    self._malformed.add(error, b"", self._clock.now_ms())
                    log.warning("history_malformed", symbol=symbol, error=str(error))

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(work())

    async def _write(self, block: HistoryBlock) -> None:
        """Publish the frames of a block, oldest first; the closer adopts the unfinished ones."""
        frames: list[Frame] = []
        for bar, open_time_ms in enumerate(block.open_times_ms):
            complete = block.is_complete(bar, self._trading)
            frame = block.frame(
                bar,
                venue=self._venue,
                symbol_list_id=self._list_id,
                revision=self._publisher.next_revision(block.interval, open_time_ms),
                feed=self._feed,
                complete=complete,
                now_ms=self._clock.now_ms(),
            )
            if frame is None:
                continue
            frames.append(frame)
            if not complete:
                self._closer.adopt(frame, block.resolved[bar])
        await self._publisher.publish_history(frames)
        log.info("history_written", interval=str(block.interval), frames=len(frames))
        if frames:
            self._on_history(block.interval, frames[-1].closed_at_ms)
