"""Windows: warm equals cold after any history of publications, at the stated command cost."""

import asyncio
import time
import tracemalloc
from collections.abc import Set
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.errors import StaleData, StoreUnavailable
from shared.market.frame import Feed, Frame, encode_frame, symbol_list_id
from shared.market.interval import Interval
from shared.market.window import Window
from shared.store.frames import FrameStore, Revisions, klines_key
from shared.store.meter import CommandMeter
from shared.store.windows import RINGS_MAX, SPARE_BARS, WINDOW_BARS, WindowCache

MINUTE_MS = 60_000
BARS = 6


class MemoryRedis:
    """The few commands FrameStore sends, over a dict; counts nothing, fails on demand."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}
        self.texts: dict[str, str] = {}
        self.broken = 0

    async def hset(self, key: str, *, values: dict[str, str]) -> int:
        self.hashes.setdefault(key, {}).update(values)
        return len(values)

    async def hmget(self, key: str, *fields: str) -> list[str | None]:
        if self.broken:
            self.broken -= 1
            raise TimeoutError
        return [self.hashes.get(key, {}).get(field) for field in fields]

    async def hkeys(self, key: str) -> list[str]:
        return list(self.hashes.get(key, {}))

    async def set(self, key: str, value: str, ex: int) -> str:
        self.texts[key] = value
        return "OK"

    async def get(self, key: str) -> str | None:
        return self.texts.get(key)


def store_over(redis: Any) -> tuple[FrameStore, CommandMeter]:
    meter = CommandMeter(time.monotonic())
    return FrameStore(redis, meter), meter


def frame_at(
    minute: int, symbols: tuple[str, ...], absent: Set[str] = frozenset(), revision: int = 1
) -> Frame:
    present = np.array([symbol not in absent for symbol in symbols])
    columns = np.full((8, len(symbols)), np.nan)
    for index, symbol in enumerate(symbols):
        if present[index]:
            columns[:, index] = minute * 1000 + sum(map(ord, symbol)) + np.arange(8) / 8
    return Frame(
        venue="binance",
        interval=Interval.M1,
        open_time_ms=minute * MINUTE_MS,
        symbol_list_id=symbol_list_id(symbols),
        revision=revision,
        feed=Feed.SIMULATED,
        complete=not absent,
        received_at_ms=0,
        published_at_ms=0,
        present=present,
        columns=columns,
    )


def assert_same_window(one: Window, other: Window) -> None:
    assert one.symbols == other.symbols
    assert one.open_times_ms.tolist() == other.open_times_ms.tolist()
    assert one.columns.tobytes() == other.columns.tobytes()
    assert (one.frame_revision, one.complete) == (other.frame_revision, other.complete)


class WarmEqualsCold(RuleBasedStateMachine):
    """Publish, skip, revise and rewrite frames in any order; compare a warm and a cold reader."""

    @initialize()
    def start(self) -> None:
        self.redis = MemoryRedis()
        self.store, _ = store_over(self.redis)
        self.warm = WindowCache(self.store)
        self.revisions = Revisions()
        self.symbols: tuple[str, ...] = ("AAA", "BBB", "CCC")
        self.frames: dict[int, Frame] = {}
        self.minute = 100
        self.handed_out: list[tuple[Window, bytes]] = []

    def publish(self, *frames: Frame) -> None:
        for frame in frames:
            self.frames[frame.open_time_ms // MINUTE_MS] = frame
        asyncio.run(self.store.publish_symbols("binance", self.symbols))
        asyncio.run(self.store.publish(frames, self.revisions))

    @rule(absent=st.sets(st.sampled_from(["AAA", "BBB", "CCC"])), skipped=st.integers(0, 2))
    def close(self, absent: set[str], skipped: int) -> None:
        self.minute += 1 + skipped
        self.publish(frame_at(self.minute, self.symbols, absent))

    @rule(back=st.integers(0, 8), absent=st.sets(st.sampled_from(["AAA", "BBB"])))
    def revise_or_fill(self, back: int, absent: set[str]) -> None:
        minute = self.minute - back
        known = self.frames.get(minute)
        revision = known.revision + 1 if known else 1
        if revision > 1:
            self.revisions.revisions[minute * MINUTE_MS] = revision
        self.publish(frame_at(minute, self.symbols, absent, revision))

    @rule(symbols=st.permutations(["AAA", "BBB", "CCC", "DDD"]), kept=st.integers(1, 4))
    def rewrite_history(self, symbols: list[str], kept: int) -> None:
        self.symbols = tuple(symbols[:kept])
        self.revisions = Revisions(generation=self.revisions.generation + 1)
        if self.frames:
            self.publish(*[frame_at(minute, self.symbols) for minute in self.frames])

    @rule(back=st.integers(0, 4), bars=st.sampled_from((BARS, BARS, 2, 2 * BARS)))
    def read_warm(self, back: int, bars: int) -> None:
        self.compare(self.minute - back, bars)

    @invariant()
    def newest_is_equal(self) -> None:
        self.compare(self.minute)

    @invariant()
    def windows_handed_out_never_change(self) -> None:
        for window, columns in self.handed_out[-5:]:
            assert window.columns.tobytes() == columns

    def compare(self, minute: int, bars: int = BARS) -> None:
        args = ("binance", Interval.M1, minute * MINUTE_MS, bars)
        cold = WindowCache(self.store)
        try:
            expected = asyncio.run(cold.load_window(*args))
        except StaleData:
            with pytest.raises(StaleData):
                asyncio.run(self.warm.load_window(*args))
            return
        actual = asyncio.run(self.warm.load_window(*args))
        assert_same_window(actual, expected)
        self.handed_out.append((actual, actual.columns.tobytes()))


WarmEqualsCold.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_warm_window_equals_cold_window = WarmEqualsCold.TestCase


async def publish_minutes(store: FrameStore, minutes: range) -> None:
    symbols = ("AAA", "BBB")
    await store.publish_symbols("binance", symbols)
    for minute in minutes:
        await store.publish([frame_at(minute, symbols)], Revisions())


async def test_warm_load_costs_one_command() -> None:
    store, meter = store_over(MemoryRedis())
    cache = WindowCache(store)
    await publish_minutes(store, range(10))
    await cache.load_window("binance", Interval.M1, 9 * MINUTE_MS, BARS)
    await publish_minutes(store, range(10, 11))
    before = meter.total
    await cache.load_window("binance", Interval.M1, 10 * MINUTE_MS, BARS)
    assert meter.total - before == 1
    assert meter.commands["HMGET"] == 2


async def test_ring_holds_over_many_closes() -> None:
    store, _ = store_over(MemoryRedis())
    cache = WindowCache(store)
    await publish_minutes(store, range(2200))
    for minute in range(501, 2200, 3):
        window = await cache.load_window("binance", Interval.M1, minute * MINUTE_MS)
        assert window.columns[0, :, 0].tolist() == [
            (minute - back) * 1000 + 195 for back in range(500, -1, -1)
        ]


async def test_longer_windows_hold_over_many_closes() -> None:
    store, _ = store_over(MemoryRedis())
    cache = WindowCache(store)
    await publish_minutes(store, range(900))
    for minute in range(600, 900):
        window = await cache.load_window("binance", Interval.M1, minute * MINUTE_MS, 600)
        assert window.columns[0, :, 0].tolist() == [
            (minute - back) * 1000 + 195 for back in range(599, -1, -1)
        ]
    assert dict(cache.loads) == {"warm": 299, "cold": 1}


async def test_longer_window_stays_warm_for_a_while() -> None:
    store, _ = store_over(MemoryRedis())
    cache = WindowCache(store)
    await publish_minutes(store, range(900))
    for minute in range(600, 900):
        asked = [600] if minute % 100 == 0 else []
        for bars in (501, *asked):
            window = await cache.load_window("binance", Interval.M1, minute * MINUTE_MS, bars)
            assert window.columns.shape == (8, bars, 2)
    # The first of each length.
    assert cache.loads["cold"] == 2
    assert window.columns.base is not None and window.columns.base.shape[1] < 620


async def test_window_that_is_read_is_never_written() -> None:
    store, _ = store_over(MemoryRedis())
    cache = WindowCache(store)
    await publish_minutes(store, range(560))
    read = await cache.load_window("binance", Interval.M1, 505 * MINUTE_MS)
    columns = read.columns.tobytes()
    for minute in range(506, 560):
        await cache.load_window("binance", Interval.M1, minute * MINUTE_MS)
    assert read.columns.tobytes() == columns


async def test_cache_keeps_a_window_once_and_moves_it_in_place() -> None:
    symbols = tuple(f"S{number:03}" for number in range(200))
    store, _ = store_over(MemoryRedis())
    await store.publish_symbols("binance", symbols)
    for minute in range(540):
        await store.publish([frame_at(minute, symbols)], Revisions())
    cache = WindowCache(store)
    ring_bytes = 8 * 8 * (WINDOW_BARS + SPARE_BARS) * len(symbols)
    tracemalloc.start()
    try:
        for minute in range(WINDOW_BARS, 540):
            await cache.load_window("binance", Interval.M1, minute * MINUTE_MS)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ring_bytes <= kept < 1.1 * ring_bytes
    assert most < 1.7 * ring_bytes


async def test_windows_are_of_one_edition_until_a_bar_of_theirs_changes() -> None:
    store, _ = store_over(MemoryRedis())
    cache = WindowCache(store)
    await publish_minutes(store, range(540))
    first = await cache.load_window("binance", Interval.M1, 510 * MINUTE_MS)
    later = await cache.load_window("binance", Interval.M1, 538 * MINUTE_MS)
    assert later.has_bars_of(first)
    assert not later.has_bars_of(msgspec.structs.replace(first, edition=None))
    revised = frame_at(537, ("AAA", "BBB"), revision=2)
    await store.publish([revised], Revisions(revisions={537 * MINUTE_MS: 2}))
    assert not (await cache.load_window("binance", Interval.M1, 539 * MINUTE_MS)).has_bars_of(later)


async def test_ring_that_others_push_out_while_it_is_read_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redis = MemoryRedis()
    store, _ = store_over(redis)
    cache = WindowCache(store)
    await publish_minutes(store, range(10))
    others = [f"venue{number}" for number in range(RINGS_MAX)]
    for venue in others:
        await store.publish_symbols(venue, ("AAA", "BBB"))
        frame = msgspec.structs.replace(frame_at(9, ("AAA", "BBB")), venue=venue)
        await store.publish([frame], Revisions())
    await cache.load_window("binance", Interval.M1, 8 * MINUTE_MS, BARS)
    ask, is_asked, may_answer = redis.hmget, asyncio.Event(), asyncio.Event()

    async def hmget_slowly(key: str, *fields: str) -> list[str | None]:
        if key == klines_key("binance", Interval.M1):
            is_asked.set()
            await may_answer.wait()
        return await ask(key, *fields)

    monkeypatch.setattr(redis, "hmget", hmget_slowly)
    reading = asyncio.create_task(cache.load_window("binance", Interval.M1, 9 * MINUTE_MS, BARS))
    await is_asked.wait()
    for venue in others:
        await cache.load_window(venue, Interval.M1, 9 * MINUTE_MS, BARS)
    may_answer.set()
    assert (await reading).columns.shape == (8, BARS, 2)
    assert cache.loads["warm"] == 1


async def test_unreadable_frame_counts_as_missing() -> None:
    redis = MemoryRedis()
    store, _ = store_over(redis)
    await publish_minutes(store, range(3))
    text = encode_frame(frame_at(1, ("AAA", "BBB")))
    redis.hashes[klines_key("binance", Interval.M1)][str(MINUTE_MS)] = "9" + text[1:]
    window = await WindowCache(store).load_window("binance", Interval.M1, 2 * MINUTE_MS, 3)
    assert np.isnan(window.columns[:, 1]).all()
    assert not np.isnan(window.columns[:, [0, 2]]).any()
    assert store.unreadable_count == 1


async def test_missing_last_frame_is_stale() -> None:
    store, _ = store_over(MemoryRedis())
    await publish_minutes(store, range(3))
    with pytest.raises(StaleData, match="was missing"):
        await WindowCache(store).load_window("binance", Interval.M1, 3 * MINUTE_MS, 3)


async def test_store_retries_then_names_the_settings() -> None:
    redis = MemoryRedis()
    store, meter = store_over(redis)
    await publish_minutes(store, range(1))
    redis.broken = 2
    frames, _ = await store.load_frames("binance", Interval.M1, [0])
    assert frames[0] is not None
    redis.broken = 99
    before = meter.commands["HMGET"]
    with pytest.raises(StoreUnavailable, match="UPSTASH_REDIS_REST_URL"):
        await store.load_frames("binance", Interval.M1, [0])
    assert meter.commands["HMGET"] - before == 3


def test_meter_projects_a_month() -> None:
    meter = CommandMeter(100.0)
    assert meter.per_month(100.0) == 0.0
    for _ in range(60):
        meter.count("HSET")
    assert meter.per_month(100.0 + 3600) == 60 * 720


async def test_longer_window_is_cold_once_and_then_warm() -> None:
    redis = MemoryRedis()
    store, meter = store_over(redis)
    await publish_minutes(store, range(20))
    cache = WindowCache(store)
    await cache.load_window("binance", Interval.M1, 18 * MINUTE_MS, BARS)
    first = await cache.load_window("binance", Interval.M1, 18 * MINUTE_MS, 2 * BARS)
    commands = meter.total
    again = await cache.load_window("binance", Interval.M1, 19 * MINUTE_MS, 2 * BARS)
    assert meter.total - commands == 1
    assert dict(cache.loads) == {"warm": 1, "cold": 2}
    assert (first.bars, again.bars) == (2 * BARS, 2 * BARS)
    np.testing.assert_array_equal(first.columns[:, 1:], again.columns[:, :-1])
    # A shorter one is a part of it.
    short = await cache.load_window("binance", Interval.M1, 19 * MINUTE_MS, BARS)
    np.testing.assert_array_equal(short.columns, again.columns[:, -BARS:])
    assert dict(cache.loads) == {"warm": 2, "cold": 2}
