"""Counts what a process sends to a store: commands by name, and bytes both ways.

The free tier of the hosted store is counted in them, so the count is part of the product.
Not here: what it costs in money (shared/cost), and the store's own count (tests compare the two).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

# A month of 30 days, as the store's bills use.
MONTH_S = 30 * 24 * 3600


class TrafficMeter:
    """Bytes of the bodies that an HTTP client sent and received, as they were on the wire.

    Headers and TLS are not counted: bills say nothing of them.
    """

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.bytes_received = 0

    @property
    def total(self) -> int:
        """Return the bytes of both directions."""
        return self.bytes_sent + self.bytes_received

    @property
    def hooks(self) -> dict[str, list[Callable[[Any], Awaitable[None]]]]:
        """Return the `event_hooks` of the httpx client that is to be counted."""
        return {"request": [self._count_request], "response": [self._count_response]}

    async def _count_request(self, request: httpx.Request) -> None:
        self.bytes_sent += int(request.headers.get("content-length", 0))

    async def _count_response(self, response: httpx.Response) -> None:
        # Nobody streams these replies: reading them here is what the client does next.
        await response.aread()
        self.bytes_received += response.num_bytes_downloaded


class CommandMeter:
    """Commands by name since `started_s` (a monotonic clock's reading, in seconds)."""

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.commands: Counter[str] = Counter()
        self.traffic = TrafficMeter()

    def count(self, name: str) -> None:
        """Count one command, named as Redis names it ("HSET")."""
        self.commands[name] += 1

    @property
    def total(self) -> int:
        """Return the number of commands so far."""
        return self.commands.total()

    def per_month(self, now_s: float) -> float:
        """Return the month's projection at the rate since the start; 0 before the first second."""
        elapsed_s = now_s - self.started_s
        return self.total * MONTH_S / elapsed_s if elapsed_s >= 1 else 0.0
