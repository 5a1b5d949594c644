"""The tick is paused, closes go by, it is resumed: the signals are those of ticks never paused.

Real request worker, real functions, and the very call that pg_cron makes each minute (that pg_cron
makes it: tests/sql/test_cron.py). It runs here as well, at whatever second, and must do no harm.
There is no collector, so that nothing pokes: what is missed is made up for by the tick alone.
"""

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

SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
NAMES = ("functions", "gateway", "rest", "upstash", "redis", "requests", "schedules")
# Closes that are missed, and bars before the first of them.
MISSED, WARM_UP = 6, 4
# What a machine under load may need; a quiet one needs a tenth of it.
TIMEOUT_S = 240.0
# The command of cron.job.
CRON_CALL = "call ops.run_schedule('tick')"
RULES = (("close > 3", "enter"), ("close > 3", "exit"), ("close > 3", "while"))
# Each symbol crosses 3 at its own closes, some of them in the first or last that is missed.
CLOSES = np.array(
    [
        [1, 1, 1, 1, 5, 5, 1, 1, 5, 5],
        [5, 5, 5, 5, 1, 5, 1, 5, 1, 5],
        [1, 1, 1, 5, 5, 5, 5, 5, 5, 1],
    ],
    dtype=np.float64,
)


def query(stack: Stack, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.dsn, autocommit=True) as database:
        cursor = database.execute(statement.encode(), arguments or None)
        return cursor.fetchall() if cursor.description else []


async def publish(stack: Stack, first_open_ms: int) -> None:
    redis = connect_redis(
        stack.cloud.local_url(stack.cloud.ports.upstash), stack.cloud.secrets.redis_token
    )
    store = FrameStore(redis, CommandMeter(0.0))
    await store.publish_symbols("binance", SYMBOLS)
    frames = [
        Frame(
            venue="binance",
            interval=Interval.M1,
            open_time_ms=first_open_ms + place * MINUTE_MS,
            symbol_list_id=symbol_list_id(SYMBOLS),
            revision=1,
            feed=Feed.SIMULATED,
            complete=True,
            received_at_ms=first_open_ms + (place + 1) * MINUTE_MS,
            published_at_ms=first_open_ms + (place + 1) * MINUTE_MS,
            present=np.ones(len(SYMBOLS), dtype=np.bool_),
            columns=np.tile(values, (8, 1)),
        )
        for place, values in enumerate(CLOSES.T)
    ]
    await store.publish(frames, Revisions())
    await store.close()


def signals(stack: Stack) -> list[tuple[Any, ...]]:
    return query(
        stack,
        "select trader_id, instrument, closed_at, trigger, price from public.signals"
        " order by trader_id, instrument, closed_at",
    )


def wait_for_finished(stack: Stack, closes_s: list[int]) -> None:
    """Wait until the slots of these closes are finished."""
    finished = (
        "select count(*) from ops.runs where status = 'finished' and trader_id is null"
        " and extract(epoch from closed_at) = any (%s)"
    )
    stack.wait_for(
        lambda: query(stack, finished, closes_s) == [(len(closes_s),)],
        f"{len(closes_s)} finished slots",
        timeout_s=TIMEOUT_S,
    )


def test_signals_after_a_pause_equal_those_of_ticks_never_paused() -> None:
    with Stack(NAMES, with_samples=False) as stack:
        query(stack, "select ops.pause('tick', 'infinity', 'the test ticks')")
        account = Account(stack, "pause@example.com", tier_id="elite")
        for rule, trigger in RULES:
            saved = account.save_trader(rule, trigger=trigger)
            assert saved.status_code == 200, saved.text
        # All of it in the past, long enough ago for a frame to be no longer waited for.
        last_close_ms = Interval.M1.floor_ms(int(time.time() * 1000)) - 2 * MINUTE_MS
        first_close_ms = last_close_ms - (MISSED - 1) * MINUTE_MS
        closes_s = [ms // 1000 for ms in range(first_close_ms, last_close_ms + 1, MINUTE_MS)]
        asyncio.run(publish(stack, first_close_ms - (WARM_UP + 1) * MINUTE_MS))
        query(
            stack,
            "set session_replication_role = replica;"
            f" update public.traders set enabled_at = to_timestamp({closes_s[0]})",
        )

        # Never paused: a tick at each close.
        for place, close_s in enumerate(closes_s):
            query(stack, f"select ops.tick(to_timestamp({close_s}))")
            wait_for_finished(stack, closes_s[: place + 1])
        undisturbed = signals(stack)
        assert len(undisturbed) > 2 * MISSED, "expected signals to compare"
        assert {row[3] for row in undisturbed} == {"enter", "exit", "while"}

        # The same closes once more, with the scheduled tick paused while they go by.
        query(stack, "delete from public.signals")
        query(stack, "delete from ops.runs")
        skipped = (
            "select count(*) from ops.schedule_runs where schedule = 'tick'"
            " and status = 'skipped' and error = 'paused: the test ticks'"
        )
        assert query(stack, "select command from cron.job where jobname = 'tick'") == [(CRON_CALL,)]
        ((before,),) = query(stack, skipped)
        for _ in range(2):
            query(stack, CRON_CALL)
        assert query(stack, skipped)[0][0] >= before + 2
        assert query(stack, "select 1 from ops.runs") == []
        query(stack, "select ops.resume('tick')")
        query(stack, CRON_CALL)
        wait_for_finished(stack, closes_s)
        assert signals(stack) == undisturbed
        shown = "select last_status, paused_until from ops.schedules where name = 'tick'"
        assert query(stack, shown) == [("succeeded", None)]

        # Ticks that follow, scheduled and by hand, neither double nor take anything.
        for call in (CRON_CALL, "call ops.run_now('tick')"):
            query(stack, call)
        unanswered = (
            "select 1 from ops.schedule_runs as tick"
            " left join net._http_response as reply on reply.id = tick.request_id"
            " where tick.request_id is not null and reply.id is null"
        )
        stack.wait_for(lambda: query(stack, unanswered) == [], "the answers to all ticks")
        assert signals(stack) == undisturbed
        refused = "select status_code, content from net._http_response where status_code <> 200"
        assert query(stack, refused) == []
