"""Asks the venue what the closer wants to know, a few questions at a time. Edge.

Every question gets an answer event, also when the venue gives none: the closer asks again later.
Not here: which minute is missing and what an answer means (klines.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from collector.actions import (
    CheckTrading,
    Event,
    FetchFailed,
    FetchKlines,
    KlinesFetched,
    TradingKnown,
)
from collector.clock import VenueClock
from collector.history import FORMING_BARS
from collector.malformed import MalformedLog
from collector.venues.binance.parse import parse_klines
from collector.venues.binance.rest import REPAIR_SHARE, BinanceRest
from shared.errors import FeedError, FeedRefused, MalformedMessage

WORKERS = 8
# A symbol has one question about minutes under way and few about higher klines.
QUEUE_MAX = 8192

log = structlog.get_logger()


class Repairs:
    """The questions of one session; answers go to `feed`."""

    def __init__(
        self,
        rest: BinanceRest,
        clock: VenueClock,
        malformed: MalformedLog,
        feed: Callable[[Event], None],
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._malformed = malformed
        self._feed = feed
        self._queue: asyncio.Queue[FetchKlines | CheckTrading] = asyncio.Queue(QUEUE_MAX)

    def put(self, action: FetchKlines | CheckTrading) -> None:
        """Take a question; a full queue is our mistake (QueueFull), the closer asks each once."""
        self._queue.put_nowait(action)

    async def run(self) -> None:
        """Ask for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            action = await self._queue.get()
            if isinstance(action, FetchKlines):
                self._feed(await self._fetch(action))
            else:
                await self._load_trading(action)

    async def _fetch(self, action: FetchKlines) -> KlinesFetched | FetchFailed:
        failed = FetchFailed(
            symbol=action.symbol,
            interval=action.interval,
            from_ms=action.from_ms,
            to_ms=action.to_ms,
        )
        asked_at_ms = self._clock.now_ms()
        bars = (asked_at_ms - action.from_ms) // action.interval.duration_ms + FORMING_BARS
        raw = b""
        try:
            raw = await self._rest.load_klines(
                action.symbol,
                action.interval,
                from_ms=action.from_ms,
                limit=bars,
                share=REPAIR_SHARE,
            )
            klines = parse_klines(
                raw, action.symbol, action.interval, receive_time_ms=self._clock.now_ms()
            )
        except MalformedMessage as error:
            self._malformed.add(error, raw, asked_at_ms)
            return failed
        except FeedError as error:
            log.warning("repair_failed", symbol=action.symbol, error=str(error))
            return failed
        return KlinesFetched(
            symbol=action.symbol,
            interval=action.interval,
            from_ms=action.from_ms,
            to_ms=action.to_ms,
            klines=tuple(klines),
            asked_at_ms=asked_at_ms,
        )

    async def _load_trading(self, action: CheckTrading) -> None:
        try:
            try:
                info = await self._rest.load_exchange_info(action.symbols)
            except FeedRefused as error:
                if error.context.get("status") != 400:
                    raise
                # One of them is not known any more: the list of all that trade tells which.
                info = await self._rest.load_exchange_info()
        except FeedError as error:
            log.warning("trading_unknown", error=str(error))
            return
        trading = frozenset(s.symbol for s in info.symbols if s.status == "TRADING")
        self._feed(TradingKnown(frozenset(action.symbols), trading))
