"""What the collector's integration tests stand on: a venue, Redis behind its door, poked functions.

All on loopback and ephemeral ports. The venue and the functions run in the test's own loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import msgspec
from aiohttp import web
from pydantic import SecretStr

from collector.clock import wall_ms
from collector.run import Collector
from local.venue.clock import RunningClock
from local.venue.market import SimulatedMarket
from local.venue.options import VenueOptions
from local.venue.server import RunningVenue, running_venue
from shared.market.frame import Feed, Frame
from shared.market.interval import Interval
from shared.market.kline import Kline
from shared.settings import CollectorSettings
from shared.signing import verify
from shared.store.frames import FrameStore, connect_redis
from shared.store.meter import CommandMeter
from tests.integration.standin_servers import answers, free_port, run_redis, run_standin

TOKEN = "token-of-the-door"
SECRET = "secret-of-the-functions"
SYMBOLS = 24
INTERVALS = (Interval.M1, Interval.M3, Interval.M5, Interval.H1, Interval.H4, Interval.D1)


@contextmanager
def running_door() -> Iterator[str]:
    """Yield the URL of an Upstash door in front of a private Redis."""
    with run_redis() as redis:
        environment = {"REDIS_URL": redis.url, "UPSTASH_REDIS_REST_TOKEN": TOKEN}
        with run_standin(
            "upstash_door", environment, lambda port: answers(f"http://127.0.0.1:{port}/health")
        ) as (port, _process):
            yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def running_market(
    start_ms: int, speed: float, *, symbols: int = SYMBOLS, seed: int = 7, history_days: int = 3
) -> AsyncIterator[RunningVenue]:
    """Yield a simulated venue whose time starts at `start_ms`.

    Compressed time starts when history is there: how long that takes is the machine's affair.
    """
    market = SimulatedMarket(seed, symbols, anchor_ms=start_ms, history_days=history_days)
    options = VenueOptions(push_interval_s=0.5, close_jitter_ms=(5, 40))
    started_ms = [wall_ms()] if speed == 1.0 else []
    clock = RunningClock(speed, start_ms, lambda: wall_ms() - started_ms[0] if started_ms else 0)
    async with running_venue(market, clock, options) as venue:
        async with httpx.AsyncClient(timeout=60) as client, asyncio.timeout(120):
            url = f"{venue.url}/control/ready"
            # What is awaited is the venue's own loop.
            while (await client.get(url)).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        started_ms.append(wall_ms())
        yield venue


class PokedFunctions:
    """Takes signed pokes and keeps their bodies."""

    def __init__(self) -> None:
        self.pokes: list[dict[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        verify(SECRET, headers, body, int(time.time()))
        self.pokes.append(msgspec.json.decode(body))
        return web.json_response({"runs": []})


@asynccontextmanager
async def poked_functions() -> AsyncIterator[PokedFunctions]:
    """Yield functions that only remember what they were told."""
    functions = PokedFunctions()
    app = web.Application()
    app.router.add_post("/trigger_executions", functions.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    functions.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield functions
    finally:
        await runner.cleanup()


def make_settings(
    venue: RunningVenue, door_url: str, functions_url: str, speed: float, **changes: Any
) -> CollectorSettings:
    """Return settings for these parts; the budget is that of real time."""
    values: dict[str, Any] = {
        "upstash_redis_rest_url": door_url,
        "upstash_redis_rest_token": SecretStr(TOKEN),
        "functions_url": functions_url,
        "function_secret": SecretStr(SECRET),
        "feed": Feed.SIMULATED,
        "binance_rest_url": venue.url,
        "binance_stream_url": venue.socket_url,
        "universe_size": SYMBOLS,
        "universe_volume_min": 0,
        "intervals": INTERVALS,
        "streams_per_connection": 10,
        "commands_per_month_max": 10**9,
        "collector_host": "127.0.0.1",
        "collector_port": free_port(),
        "venue_time_speed": speed,
    }
    return CollectorSettings(**(values | changes))


@asynccontextmanager
async def running_collector(settings: CollectorSettings) -> AsyncIterator[Collector]:
    """Yield a running collector; at the end it is stopped as SIGTERM would."""
    collector = Collector(settings)
    stop = asyncio.Event()
    task = asyncio.create_task(collector.run(stop))
    try:
        yield collector
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await task


async def load_all_frames(door_url: str, interval: Interval) -> dict[int, Frame]:
    """Return every stored frame of an interval."""
    store = FrameStore(connect_redis(door_url, TOKEN), CommandMeter(0.0))
    try:
        times = await store.load_open_times("binance", interval)
        frames, _ = await store.load_frames("binance", interval, times)
    finally:
        await store.close()
    return {frame.open_time_ms: frame for frame in frames if frame is not None}


async def load_symbols(door_url: str, list_id: str) -> tuple[str, ...]:
    """Return the stored symbol list."""
    store = FrameStore(connect_redis(door_url, TOKEN), CommandMeter(0.0))
    try:
        symbols = await store.load_symbols("binance", list_id)
    finally:
        await store.close()
    assert symbols is not None
    return symbols


async def load_venue_klines(
    collector: Collector, symbol: str, interval: Interval, from_ms: int
) -> dict[int, Kline]:
    """Return what the venue itself has, by open time."""
    from collector.venues.binance.parse import parse_klines

    raw = await collector.rest.load_klines(symbol, interval, from_ms=from_ms, limit=1000)
    klines = parse_klines(raw, symbol, interval, receive_time_ms=collector.clock.now_ms())
    return {kline.open_time_ms: kline for kline in klines if kline.is_closed}
