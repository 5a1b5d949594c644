"""Computing a simulated market's history ahead of the first questions, an hour at a time.

Runs on the event loop between requests (a few milliseconds an hour of market time), newest first.
Once the day files exist it takes a second.
"""

from __future__ import annotations

import asyncio

import structlog

from local.venue.market import SimulatedMarket
from shared.market.interval import DAY_MS, HOUR_MS

log = structlog.get_logger()


class Warming:
    """How far back history is computed; everything is, unless `run` has a market to warm."""

    def __init__(self, market: object, now_ms: int) -> None:
        self._market = market if isinstance(market, SimulatedMarket) else None
        self._now_ms = now_ms
        self.reached_ms = now_ms if self._market is not None else 0
        self._moved = asyncio.Event()

    @property
    def is_done(self) -> bool:
        """Return whether all history is there."""
        return self.reached_ms == 0

    async def reached(self, at_ms: int) -> None:
        """Wait until history is computed back to `at_ms`."""
        while self.reached_ms > at_ms:
            await self._moved.wait()

    async def run(self) -> None:
        """Compute all history, newest first, then end."""
        market = self._market
        if market is None:
            return
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        hour = self._now_ms // HOUR_MS - 1
        first_hour = market.history_from_ms // HOUR_MS
        age_hours = 0
        while hour >= first_hour:
            market.warm_hour(hour, age_hours)
            self._move(hour * HOUR_MS)
            hour -= 1
            age_hours += 1
            await asyncio.sleep(0)
        market.warm_hour(self._now_ms // HOUR_MS, 0)
        self._move(0)
        days = (self._now_ms - market.history_from_ms) // DAY_MS
        log.info("history_computed", days=days, seconds=round(loop.time() - started_s, 1))

    def _move(self, at_ms: int) -> None:
        self.reached_ms = at_ms
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
