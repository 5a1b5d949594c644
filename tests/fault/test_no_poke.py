"""The collector's poke is lost: ticks alone do the slot, once its frame is there."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import psycopg

from shared.market.frame import Feed, Frame, symbol_list_id
from shared.market.interval import MINUTE_MS, Interval
from shared.store.frames import FrameStore, Revisions, connect_redis
from shared.store.meter import CommandMeter
from tests.account import Account
from tests.stack import Stack

SYMBOLS = ("AAAUSDT", "BBBUSDT")
# Everything but the collector, and no timetable: the test ticks.
NAMES = ("functions", "gateway", "rest", "upstash", "redis", "requests")


def query(stack: Stack, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.dsn, autocommit=True) as database:
        cursor = database.execute(statement)
        return cursor.fetchall() if cursor.description else []


async def publish(stack: Stack, closed_at_ms: int) -> None:
    redis = connect_redis(
        stack.cloud.local_url(stack.cloud.ports.upstash), stack.cloud.secrets.redis_token
    )
    store = FrameStore(redis, CommandMeter(0.0))
    await store.publish_symbols("binance", SYMBOLS)
    frame = Frame(
        venue="binance",
        interval=Interval.M1,
        open_time_ms=closed_at_ms - MINUTE_MS,
        symbol_list_id=symbol_list_id(SYMBOLS),
        revision=1,
        feed=Feed.SIMULATED,
        complete=True,
        received_at_ms=closed_at_ms,
        published_at_ms=closed_at_ms,
        present=np.ones(2, dtype=np.bool_),
        columns=np.full((8, 2), 7.0),
    )
    await store.publish([frame], Revisions())
    await store.close()


def test_ticks_alone_do_a_slot_that_nobody_poked() -> None:
    with Stack(NAMES, with_samples=False) as stack:
        account = Account(stack, "nopoke@example.com")
        saved = account.save_trader("close > 1", trigger="while")
        assert saved.status_code == 200, saved.text
        # The minute before this one: a slot that has just closed is not claimed while its frame
        # may still be on its way (JUST_CLOSED_MS), whatever second of the minute it is now.
        closed_at_ms = Interval.M1.floor_ms(int(time.time() * 1000)) - MINUTE_MS
        closed_at = f"to_timestamp({closed_at_ms // 1000})"
        query(
            stack,
            "set session_replication_role = replica;"
            f" update public.traders set enabled_at = {closed_at}",
        )
        tick = f"select ops.tick({closed_at})"
        query(stack, tick)
        given_back = "select 1 from ops.runs where status = 'open' and error like 'StaleData%'"
        stack.wait_for(lambda: query(stack, given_back) != [], "the run to be given back")
        asyncio.run(publish(stack, closed_at_ms))
        # The next minute's tick.
        query(stack, tick)
        finished = "select attempt, signals_count, feed from ops.runs where status = 'finished'"
        stack.wait_for(lambda: query(stack, finished) != [], "the slot to be finished")
        ((attempt, signals_count, feed),) = query(stack, finished)
        assert (signals_count, feed) == (2, "simulated")
        assert attempt == 1, "expected a wait for data to cost no attempt"
        stored = account.get("signals", order="id")
        assert [row["instrument"] for row in stored] == list(SYMBOLS)
        assert {row["origin"] for row in stored} <= {"live", "late"}
