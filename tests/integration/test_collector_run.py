"""The collector in compressed time against a simulated venue: frames equal the venue's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from collector.run import Collector
from local.venue.fault import Fault
from local.venue.venue import Venue
from shared.market.frame import Feed
from shared.market.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval
from shared.store.frames import FrameStore, connect_redis
from shared.store.meter import CommandMeter
from tests.integration.collector_parts import (
    INTERVALS,
    SYMBOLS,
    TOKEN,
    load_all_frames,
    load_symbols,
    load_venue_klines,
    make_settings,
    poked_functions,
    running_collector,
    running_door,
    running_market,
)

SPEED = 120.0
# 23:40 UTC, so that every interval closes within 20 minutes.
START_MS = 20_778 * DAY_MS - 20 * MINUTE_MS


@pytest.fixture
def door_url() -> Iterator[str]:
    with running_door() as url:
        yield url


async def until(condition: Callable[[], bool], timeout_s: float = 180.0) -> None:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while not condition():
        assert loop.time() < deadline_s, "not in time"
        await asyncio.sleep(0.02)


async def until_published(collector: Collector, closed_at_ms: int) -> None:
    """Wait until the 1m slot is in Redis, and every other interval's that closed by then."""

    def is_there() -> bool:
        session = collector.status.session
        return session is not None and all(
            session.newest_closed_ms.get(i, 0) >= i.floor_ms(closed_at_ms) for i in INTERVALS
        )

    await until(is_there)


async def until_whole(collector: Collector, door_url: str, to_ms: int) -> None:
    """Wait until every stored frame up to then is complete."""
    deadline_s = time.monotonic() + 180
    while True:
        incomplete = [
            frame
            for interval in INTERVALS
            for frame in (await load_all_frames(door_url, interval)).values()
            if not frame.complete and frame.closed_at_ms <= to_ms
        ]
        if not incomplete:
            return
        assert time.monotonic() < deadline_s, f"stay incomplete: {incomplete}"
        await asyncio.sleep(0.1)


async def until_healthy(base: str) -> tuple[dict[str, Any], str]:
    """Wait until nothing is behind; return what /health and /metrics tell then.

    At this speed a pause of the machine of two seconds is a gap of minutes, for a moment.
    """
    deadline_s = time.monotonic() + 180
    async with httpx.AsyncClient(timeout=60) as client:
        while True:
            health = await client.get(f"{base}/health")
            report: dict[str, Any] = health.json()
            if health.status_code == 200 and report["gaps"]["count"] == 0:
                return report, (await client.get(f"{base}/metrics")).text
            assert time.monotonic() < deadline_s, report
            await asyncio.sleep(0.1)


async def assert_equals_venue(venue: Venue, collector: Collector, door_url: str, to_ms: int) -> int:
    """Compare every row of every stored frame with the venue's REST; return the rows compared.

    Passed over is what the simulated venue does unlike the real one: its REST leaves out the
    kline within which a symbol was listed, and its higher klines take prices from minutes without
    trades (fault `no_trade`).
    """
    compared = 0
    for interval in INTERVALS:
        frames = await load_all_frames(door_url, interval)
        times = sorted(t for t in frames if t + interval.duration_ms <= to_ms)
        assert times, f"no {interval} frames"
        # No hole between the first and the last.
        assert times == list(range(times[0], times[-1] + 1, interval.duration_ms))
        symbols = await load_symbols(door_url, frames[times[-1]].symbol_list_id)
        assert len(symbols) == SYMBOLS
        for index, symbol in enumerate(symbols):
            own = await load_venue_klines(collector, symbol, interval, times[0])
            minutes = await load_venue_klines(collector, symbol, Interval.M1, to_ms - HOUR_MS)
            quiet_ms = [k.open_time_ms for k in minutes.values() if k.trades == 0]
            listed_at_ms = venue.market.instruments[venue.index_of[symbol]].listed_at_ms
            for open_time_ms in times:
                end_ms = open_time_ms + interval.duration_ms
                if open_time_ms < listed_at_ms < end_ms:
                    continue
                is_higher = interval is not Interval.M1
                if is_higher and any(open_time_ms <= t < end_ms for t in quiet_ms):
                    continue
                frame = frames[open_time_ms]
                assert frame.feed is Feed.SIMULATED
                row = own.get(open_time_ms)
                assert bool(frame.present[index]) == (row is not None), (interval, symbol)
                if row is not None:
                    assert tuple(frame.columns[:, index]) == row.row(), (interval, symbol)
                    compared += 1
    return compared


async def test_collector_first_start_live_and_second_start_equal_the_venue(door_url: str) -> None:
    async with running_market(START_MS, SPEED) as venue, poked_functions() as functions:
        settings = make_settings(venue, door_url, functions.url, SPEED)
        async with running_collector(settings) as collector:
            await until(lambda: collector.status.is_fresh)
            # Over midnight, so that rolled-up hours and days are among them.
            to_ms = START_MS + 24 * MINUTE_MS
            await until_published(collector, to_ms)
            await until_whole(collector, door_url, to_ms)
            assert await assert_equals_venue(venue.venue, collector, door_url, to_ms) > 24 * 600
            report, metrics = await until_healthy(f"http://127.0.0.1:{settings.collector_port}")
            assert report["feed"] == "simulated"
            assert report["last_close"]["1d"]["closed_at_ms"] == START_MS + 20 * MINUTE_MS
            assert report["redis"]["write_p99_ms"] > 0
            assert 'closebell_close_age_seconds{interval="1m"}' in metrics
            slots = {(p["interval"], p["closed_at_ms"]) for p in functions.pokes}
            assert ("1m", to_ms) in slots
            assert ("1d", START_MS + 20 * MINUTE_MS) in slots
            assert {p["venue"] for p in functions.pokes} == {"binance"}
        # Stopped for some minutes; the second start repairs exactly the gap.
        stopped_ms = venue.venue.clock.now_ms()
        await until(lambda: venue.venue.clock.now_ms() > stopped_ms + 7 * MINUTE_MS)
        started_ms = venue.venue.clock.now_ms()
        async with running_collector(settings) as collector:
            await until(lambda: collector.status.is_fresh)
            report = collector.status.report(0.0)
            # One write an interval that lacked frames, and those of the closes since: no history
            # again, which were about 150.
            closes = 2 * (venue.venue.clock.now_ms() - started_ms) // MINUTE_MS
            assert report["redis"]["commands"].get("HSET", 0) < 12 + closes
            to_ms = Interval.M1.floor_ms(venue.venue.clock.now_ms()) + 3 * MINUTE_MS
            await until_published(collector, to_ms)
            await until_whole(collector, door_url, to_ms)
            await assert_equals_venue(venue.venue, collector, door_url, to_ms)


async def test_collector_in_a_storm_ends_with_the_frames_of_a_calm(door_url: str) -> None:
    start_ms = START_MS + 30 * DAY_MS
    async with running_market(start_ms, SPEED, seed=8) as venue, poked_functions() as functions:
        settings = make_settings(
            venue, door_url, functions.url, SPEED, stall_timeout_s=5.0, reconnect_after_s=60.0
        )
        async with running_collector(settings) as collector:
            await until(lambda: collector.status.is_fresh)
            for fault in (
                Fault(kind="storm", share=0.2, duration_s=9.0, seed=3),
                Fault(kind="malformed", count=5),
                Fault(kind="server_shutdown", delay_ms=500),
            ):
                venue.venue.inject(fault)
            await until_published(collector, start_ms + 22 * MINUTE_MS)
            venue.venue.faults.clear()
            to_ms = Interval.M1.floor_ms(venue.venue.clock.now_ms()) + 4 * MINUTE_MS
            await until_published(collector, to_ms)
            await until_whole(collector, door_url, to_ms)
            assert await assert_equals_venue(venue.venue, collector, door_url, to_ms) > 24 * 600
            session = collector.status.session
            assert session is not None and session.closer is not None
            assert session.closer.counts["closed_by_rest"] > 0
            assert session.closer.counts["duplicates"] > 0
            assert sum(collector.malformed.counts.values()) >= 5
            assert collector.malformed.samples
            groups = session.groups
            await until(lambda: sum(g.connections_count for g in groups) > len(groups))


async def test_collector_other_feed_label_rewrites_history_as_a_new_generation(
    door_url: str,
) -> None:
    start_ms = START_MS + 60 * DAY_MS - 5 * HOUR_MS
    async with running_market(start_ms, SPEED, seed=9) as venue, poked_functions() as functions:
        for feed in (Feed.SIMULATED, Feed.REPLAY):
            settings = make_settings(venue, door_url, functions.url, SPEED, feed=feed)
            async with running_collector(settings) as collector:
                await until(partial(getattr, collector.status, "is_fresh"))
        frames = await load_all_frames(door_url, Interval.M1)
        assert {frame.feed for frame in frames.values()} == {Feed.REPLAY}
        assert len(frames) >= 600
        store = FrameStore(connect_redis(door_url, TOKEN), CommandMeter(0.0))
        _, revisions = await store.load_frames("binance", Interval.M1, [])
        await store.close()
        # No cache can have seen it: it is the second of the rewrite.
        assert revisions.generation > 1_700_000_000
