"""Tells the functions that a frame is there, so that no signal waits for the next cron tick.

Each poke carries what the collector has used since its start; it has no other way to Postgres.
Edge. Fire and forget, bounded: a poke that fails, or finds the queue full, is counted and left to
the tick, which finds the same slot. It never holds up the feed. One poke a published frame.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx
import msgspec
import structlog

from shared.market.interval import Interval
from shared.signing import signed_headers
from shared.usage import UsageReport

TIMEOUT = httpx.Timeout(10.0)
QUEUE_MAX = 64
WORKERS = 4

log = structlog.get_logger()


class Poker:
    """Sends `POST {functions_url}/trigger_executions`. `counts`: sent, failed, skipped."""

    def __init__(
        self,
        functions_url: str,
        secret: str,
        venue: str,
        now_s: Callable[[], int],
        usage: Callable[[], UsageReport],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._url = f"{functions_url.rstrip('/')}/trigger_executions"
        self._secret = secret
        self._venue = venue
        self._now_s = now_s
        self._usage = usage
        self._http = httpx.AsyncClient(timeout=TIMEOUT)
        self._queue: asyncio.Queue[tuple[Interval, int]] = asyncio.Queue(QUEUE_MAX)

    def poke(self, interval: Interval, closed_at_ms: int) -> None:
        """Say that the frame of this slot is stored, or has a new revision."""
        try:
            self._queue.put_nowait((interval, closed_at_ms))
        except asyncio.QueueFull:
            self.counts["skipped"] += 1
            log.warning("poke_skipped", interval=str(interval), closed_at_ms=closed_at_ms)

    async def run(self) -> None:
        """Send pokes for ever, a few at a time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _work(self) -> None:
        while True:
            interval, closed_at_ms = await self._queue.get()
            body = msgspec.json.encode(
                {
                    "venue": self._venue,
                    "interval": interval,
                    "closed_at_ms": closed_at_ms,
                    "usage": self._usage(),
                }
            )
            headers = signed_headers(self._secret, self._now_s(), body)
            try:
                response = await self._http.post(self._url, content=body, headers=headers)
                response.raise_for_status()
                self.counts["sent"] += 1
            except httpx.HTTPError as error:
                self.counts["failed"] += 1
                log.warning(
                    "poke_failed",
                    interval=str(interval),
                    closed_at_ms=closed_at_ms,
                    error=f"{type(error).__name__}: {error}",
                )
