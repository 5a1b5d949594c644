"""What the doctor says of a collector that runs: loading, live, cut off, behind, its clock wrong.

A collector of its own in compressed time, in this loop; the others cannot wait for minutes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from cli.checks.check import Finding, Verdict, fault
from cli.checks.collector import ask_collector
from cli.checks.ground import Ground
from collector.clock import wall_ms
from local.venue.fault import Fault
from local.venue.server import RunningVenue
from shared.errors import StoreUnavailable
from shared.market.interval import Interval
from shared.settings import CollectorSettings
from tests.integration.collector_parts import (
    TOKEN,
    make_settings,
    poked_functions,
    running_collector,
    running_market,
)
from tests.integration.doctor.patient import FAULT, OK, WARNING, standin, suspended
from tests.integration.standin_servers import answers, run_redis, run_standin

# Three seconds a close: a machine under load falls behind at more.
SPEED = 20.0
TIMEOUT_S = 120.0
Door = tuple[str, psutil.Process]


@asynccontextmanager
async def collecting(
    venue: RunningVenue, door_url: str, speed: float, **changes: Any
) -> AsyncIterator[CollectorSettings]:
    async with poked_functions() as functions:
        settings = make_settings(
            venue, door_url, functions.url, speed, intervals=(Interval.M1,), **changes
        )
        async with running_collector(settings):
            yield settings


async def until(settings: CollectorSettings, verdict: Verdict, words: str) -> Finding:
    """Ask as the doctor does until it says so."""
    url = f"http://127.0.0.1:{settings.collector_port}"
    deadline_s = time.monotonic() + TIMEOUT_S
    async with Ground({"collector_url": url}) as ground:
        while True:
            try:
                found = await ask_collector(ground)
                if found.verdict is verdict and words in found.found:
                    return found
            except StoreUnavailable as error:
                found = fault(error.message)
            assert time.monotonic() < deadline_s, found
            await asyncio.sleep(0.05)


@pytest.fixture
def door() -> Iterator[tuple[str, psutil.Process]]:
    """The URL of a door in front of a private Redis, and its process."""
    with run_redis() as redis:
        environment = {"REDIS_URL": redis.url, "UPSTASH_REDIS_REST_TOKEN": TOKEN}
        with run_standin(
            "upstash_door", environment, lambda port: answers(f"http://127.0.0.1:{port}/health")
        ) as (port, process):
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)


async def test_collector_waits_for_history_and_is_refused(door: Door) -> None:
    is_over = threading.Event()

    def answer(_asked: str) -> tuple[int, str, str]:
        is_over.wait(60)
        return 503, "text/plain", ""

    async with running_market(wall_ms(), SPEED) as venue:
        with standin(answer) as silent:
            async with collecting(venue, door[0], SPEED, binance_rest_url=silent) as settings:
                found = await until(settings, WARNING, "starting, 0 symbols, no close yet, stale")
                again = "closebell doctor collector, in a minute: history is being loaded"
                assert found.mend == again
                is_over.set()
                await until(settings, FAULT, "starting, 0 symbols, no close yet, stale: ")


async def test_collector_lives_falls_behind_and_is_cut_off(door: Door) -> None:
    async with (
        running_market(wall_ms(), SPEED) as market,
        collecting(market, door[0], SPEED) as settings,
    ):
        await until(settings, OK, "SIMULATED live, 24 symbols")
        market.venue.inject(Fault(kind="missing", count=1_000_000))
        market.venue.inject(
            Fault(kind="http", status=503, path="/api/v3/klines", duration_s=TIMEOUT_S)
        )
        found = await until(settings, WARNING, "symbols with a gap: ")
        again = "closebell doctor collector, in a minute: gaps are repaired over REST"
        assert found.mend == again
        market.venue.faults.clear()
        with suspended([door[1]]):
            found = await until(settings, WARNING, "frames waiting for Redis: ")
        assert found.mend == "closebell doctor redis"


async def test_clock_of_the_collector_is_wrong(door: Door) -> None:
    async with (
        running_market(wall_ms() + 60_000, 1.0) as market,
        collecting(market, door[0], 1.0) as settings,
    ):
        found = await until(settings, WARNING, "its clock is wrong")
    assert found.mend == "sudo timedatectl set-ntp true, on its machine"
