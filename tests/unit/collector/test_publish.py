"""Frames → Redis: one command a close, nothing lost, revisions and generations kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from collector.publish import PENDING_MAX, Publisher
from shared.errors import StoreUnavailable
from shared.market.frame import Feed, Frame, decode_frame
from shared.market.interval import MINUTE_MS, Interval
from shared.store.frames import Revisions
from tests.unit.collector.fakes import FakeRedis, make_store, until
from tests.unit.collector.make_klines import MIDNIGHT_MS, make_minute

KEY = "klines:binance:1m"


def make_frame(minute: int, revision: int = 1, *, complete: bool = True) -> Frame:
    columns = np.array([make_minute("A", minute).row()]).T
    return Frame(
        venue="binance",
        interval=Interval.M1,
        open_time_ms=MIDNIGHT_MS + minute * MINUTE_MS,
        symbol_list_id="list",
        revision=revision,
        feed=Feed.SIMULATED,
        complete=complete,
        received_at_ms=1,
        published_at_ms=2,
        present=np.array([True]),
        columns=columns,
    )


class Setting:
    """A publisher over a Redis in memory, and the slots it told of."""

    def __init__(self, redis: FakeRedis | None = None, history_bars: int = 600) -> None:
        self.redis = redis or FakeRedis()
        self.store, self.meter = make_store(self.redis)
        self.told: list[tuple[Interval, int]] = []
        self.publisher = Publisher(
            self.store,
            "binance",
            history_bars,
            on_published=lambda interval, closed_at_ms: self.told.append((interval, closed_at_ms)),
            now_s=lambda: 1_800_000_000,
        )

    def revisions(self) -> Revisions:
        return msgspec.json.decode(self.redis.hashes[KEY]["revisions"], type=Revisions)

    def stored(self) -> dict[int, Frame]:
        fields = self.redis.hashes.get(KEY, {})
        return {int(f): decode_frame(text) for f, text in fields.items() if f.isdecimal()}


async def test_close_is_one_command_and_one_poke() -> None:
    setting = Setting()
    task = asyncio.create_task(setting.publisher.run())
    setting.publisher.enqueue(make_frame(0))
    await until(lambda: setting.told == [(Interval.M1, MIDNIGHT_MS + MINUTE_MS)])
    assert setting.meter.commands == {"HSET": 1}
    assert setting.stored()[MIDNIGHT_MS].columns[3, 0] == 100.0
    assert len(setting.publisher.latencies_ms) == 1
    task.cancel()


async def test_frames_that_close_together_are_all_stored_before_any_is_told() -> None:
    setting = Setting()
    told_at_write: list[int] = []

    class Watched(FakeRedis):
        async def hset(self, key: str, values: Mapping[str, str]) -> int:
            told_at_write.append(len(setting.told))
            await asyncio.sleep(0)
            return await super().hset(key, values)

    setting = Setting(Watched())
    setting.publisher.enqueue(make_frame(4))
    five = msgspec.structs.replace(make_frame(4), interval=Interval.M5, open_time_ms=MIDNIGHT_MS)
    setting.publisher.enqueue(five)
    await setting.publisher.flush()
    assert told_at_write == [0, 0]
    closed_at_ms = MIDNIGHT_MS + 5 * MINUTE_MS
    assert sorted(setting.told) == [(Interval.M1, closed_at_ms), (Interval.M5, closed_at_ms)]


async def test_revision_is_listed_and_told_again() -> None:
    setting = Setting()
    setting.publisher.enqueue(make_frame(0))
    await setting.publisher.flush()
    assert setting.revisions() == Revisions(generation=1, revisions={})
    setting.publisher.enqueue(make_frame(0, 2))
    await setting.publisher.flush()
    assert setting.revisions() == Revisions(generation=1, revisions={MIDNIGHT_MS: 2})
    assert len(setting.told) == 2


async def test_redis_away_keeps_every_frame_and_writes_them_when_it_is_back() -> None:
    setting = Setting()
    setting.redis.is_away = True
    task = asyncio.create_task(setting.publisher.run())
    for minute in range(5):
        setting.publisher.enqueue(make_frame(minute))
    setting.publisher.enqueue(make_frame(4, 2))
    await until(lambda: setting.publisher.failures_count >= 2)
    assert (setting.told, setting.publisher.pending_count) == ([], 5)
    setting.redis.is_away = False
    await until(lambda: setting.publisher.pending_count == 0)
    frames = setting.stored()
    assert [frames[MIDNIGHT_MS + m * MINUTE_MS].revision for m in range(5)] == [1, 1, 1, 1, 2]
    assert len(setting.told) == 5
    assert setting.publisher.lost is None
    task.cancel()


async def test_revision_that_comes_while_the_frame_is_written_is_written_too() -> None:
    setting = Setting()
    setting.redis.during_write = lambda: setting.publisher.enqueue(make_frame(0, 2))
    setting.publisher.enqueue(make_frame(0))
    await setting.publisher.flush()
    assert setting.publisher.pending_count == 1
    await setting.publisher.flush()
    assert setting.stored()[MIDNIGHT_MS].revision == 2


async def test_queue_is_bounded_and_an_overflow_asks_for_history() -> None:
    setting = Setting()
    for minute in range(PENDING_MAX + 1):
        setting.publisher.enqueue(make_frame(minute))
    assert setting.publisher.pending_count == PENDING_MAX
    assert setting.publisher.lost is not None


async def test_redis_that_lost_frames_is_noticed_after_it_was_away() -> None:
    setting = Setting()
    task = asyncio.create_task(setting.publisher.run())
    setting.publisher.enqueue(make_frame(0))
    await until(lambda: len(setting.told) == 1)
    setting.redis.is_away = True
    setting.publisher.enqueue(make_frame(1))
    await until(lambda: setting.publisher.failures_count >= 1)
    setting.redis.hashes.clear()
    setting.redis.is_away = False
    await until(lambda: setting.publisher.lost is not None)
    assert setting.publisher.lost == "Redis lost 1 frames of 1m"
    task.cancel()


async def test_flush_without_redis_says_so() -> None:
    setting = Setting()
    setting.redis.is_away = True
    setting.publisher.enqueue(make_frame(0))
    with pytest.raises(StoreUnavailable):
        await setting.publisher.flush()
    assert setting.publisher.pending_count == 1


async def test_old_frames_are_trimmed_in_bulk_with_their_revisions() -> None:
    setting = Setting(history_bars=50)
    await setting.publisher.publish_history([make_frame(m, 2) for m in range(151)])
    assert setting.meter.commands == {"HSET": 7, "HDEL": 1}
    times = sorted(setting.stored())
    assert (len(times), times[0]) == (50, MIDNIGHT_MS + 101 * MINUTE_MS)
    setting.publisher.enqueue(make_frame(151))
    await setting.publisher.flush()
    assert set(setting.revisions().revisions) == set(times)


async def test_second_start_knows_what_is_stored_and_does_not_trust_the_incomplete() -> None:
    first = Setting()
    frames = [make_frame(m, complete=m not in (7, 9)) for m in range(10)]
    await first.publisher.publish_history(frames)
    second = Setting(first.redis)
    stored = await second.publisher.load(Interval.M1)
    # 9 and 7 are among the three newest, with a complete one between them.
    good = {MIDNIGHT_MS + m * MINUTE_MS for m in range(10) if m not in (7, 9)}
    assert stored.open_times_ms == good
    assert (stored.symbol_list_id, stored.feed) == ("list", Feed.SIMULATED)
    assert second.meter.commands == {"HKEYS": 1, "HMGET": 1}
    assert second.publisher.next_revision(Interval.M1, MIDNIGHT_MS + 9 * MINUTE_MS) == 2
    assert second.publisher.next_revision(Interval.M1, MIDNIGHT_MS + 10 * MINUTE_MS) == 1
    assert second.publisher.newest_closed_ms(Interval.M1) == MIDNIGHT_MS + 10 * MINUTE_MS


async def test_second_start_after_a_long_gap_looks_back_to_the_last_complete_frame() -> None:
    first = Setting()
    await first.publisher.publish_history([make_frame(m, complete=m < 20) for m in range(40)])
    second = Setting(first.redis)
    stored = await second.publisher.load(Interval.M1)
    assert stored.open_times_ms == {MIDNIGHT_MS + m * MINUTE_MS for m in range(20)}


async def test_frame_that_does_not_decode_counts_as_missing() -> None:
    first = Setting()
    await first.publisher.publish_history([make_frame(m) for m in range(3)])
    first.redis.hashes[KEY][str(MIDNIGHT_MS + 2 * MINUTE_MS)] = "9:unreadable"
    second = Setting(first.redis)
    stored = await second.publisher.load(Interval.M1)
    assert stored.open_times_ms == {MIDNIGHT_MS, MIDNIGHT_MS + MINUTE_MS}
    assert second.store.unreadable_count == 1


async def test_reset_drops_all_and_starts_a_generation_that_no_cache_has_seen() -> None:
    setting = Setting()
    await setting.publisher.publish_history([make_frame(m) for m in range(3)])
    await setting.publisher.reset(Interval.M1)
    assert setting.stored() == {}
    await setting.publisher.publish_history([make_frame(5)])
    assert setting.revisions().generation == 1_800_000_000
    assert list(setting.stored()) == [MIDNIGHT_MS + 5 * MINUTE_MS]
