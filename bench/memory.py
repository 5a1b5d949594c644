"""The collector's resident memory: 500 symbols × 5 intervals, after history and over an hour.

The hour is compressed: the simulated venue steps through 60 minutes, every close of every symbol
goes through the real socket, closer, frames and Redis.
"""

from __future__ import annotations

import time

import httpx
import psutil

from bench.figures import Figure, machine
from bench.latency import load_frame
from shared.market.interval import MINUTE_MS, Interval
from tests.stack import Stack

MINUTES = 60
PUSHES = 5
MEGABYTE = 1_000_000


def wait_for_frame(stack: Stack, open_time_ms: int) -> None:
    """Wait until the collector has stored the 1m frame of an open time, complete."""

    def is_there() -> bool:
        try:
            return load_frame(stack, open_time_ms).complete
        except (httpx.HTTPError, TypeError, AttributeError):
            return False

    stack.wait_for(is_there, f"the frame of {open_time_ms}", timeout_s=60)


def measure() -> list[Figure]:
    """Return the resident memory after history, its peak, and its growth over the hour."""
    start_ms = Interval.M1.floor_ms(int(time.time() * 1000)) - 120 * MINUTE_MS
    environment = {"VENUE_STEPPED": "1", "VENUE_START_MS": str(start_ms), "CLOSE_GRACE_S": "20"}
    names = ("redis", "upstash", "venue", "collector")
    with Stack(names, environment=environment) as stack:
        venue = stack.cloud.local_url(stack.cloud.ports.venue)
        health = f"{stack.cloud.local_url(stack.cloud.ports.collector)}/health"
        stack.wait_for(lambda: httpx.get(health).json()["phase"] == "live", "history", 300)
        process = psutil.Process(stack.supervisor.pids()["collector"])
        sizes = []
        for minute in range(MINUTES):
            step = {"minutes": 1, "forming_pushes": PUSHES}
            httpx.post(f"{venue}/control/step", json=step, timeout=30).raise_for_status()
            wait_for_frame(stack, start_ms + minute * MINUTE_MS)
            sizes.append(process.memory_info().rss / MEGABYTE)
    conditions = (
        f"500 symbols × 5 intervals × 600 bars in Redis, {MINUTES} closes and {PUSHES} pushes a "
        f"minute of each symbol in compressed time, {machine()}"
    )
    half = len(sizes) // 2
    growth = max(sizes[half:]) - max(sizes[:half])
    return [
        Figure(
            name="collector_memory",
            value=max(sizes),
            unit="MB resident at most",
            promise="< 128 MB",
            kept=max(sizes) < 128,
            conditions=conditions,
        ),
        Figure(
            name="collector_memory_growth",
            value=growth,
            unit="MB",
            promise="flat over an hour",
            kept=growth < 2,
            conditions="highest of the second half hour − highest of the first; " + conditions,
        ),
    ]
