"""The write of one close: 500 symbols, one HSET through the REST door to a real Redis."""

from __future__ import annotations

import statistics
import time

import numpy as np
import uvloop

from bench.figures import Figure, machine, percentile
from shared.market.frame import Feed, Frame, symbol_list_id
from shared.market.interval import Interval
from shared.store.frames import FrameStore, Revisions, connect_redis
from shared.store.meter import CommandMeter
from tests.stack import Stack

SYMBOLS = 500
WRITES, WARM_UP_WRITES = 500, 50
ROUNDS = 5


def frame_of(minute: int) -> Frame:
    """Return a frame as a market makes it: prices of six digits, sums of eight decimals."""
    random = np.random.default_rng(minute)
    price = np.exp(random.normal(2, 3, SYMBOLS))
    columns = price * (1 + random.normal(0, 1e-3, (8, SYMBOLS)))
    tick_size = 10.0 ** (np.floor(np.log10(price)) - 5)
    columns[:4] = np.round(columns[:4] / tick_size) * tick_size
    columns[4] = columns[7] = np.round(np.exp(random.normal(5, 3, SYMBOLS)), 2)
    columns[5] = np.round(columns[4] * price, 8)
    columns[6] = random.integers(0, 5_000, SYMBOLS)
    return Frame(
        venue="binance",
        interval=Interval.M1,
        open_time_ms=minute * 60_000,
        symbol_list_id=symbol_list_id(["BENCH"]),
        revision=1,
        feed=Feed.SIMULATED,
        complete=True,
        received_at_ms=0,
        published_at_ms=0,
        present=np.ones(SYMBOLS, dtype=np.bool_),
        columns=columns,
    )


async def write_closes(stack: Stack, meter: CommandMeter) -> list[float]:
    """Return the milliseconds of each publication, encoding included, after a warm-up."""
    url = stack.cloud.local_url(stack.cloud.ports.upstash)
    store = FrameStore(connect_redis(url, stack.cloud.secrets.redis_token), meter)
    durations_ms = []
    for minute in range(WRITES + WARM_UP_WRITES):
        frame = frame_of(minute)
        began_s = time.perf_counter()
        await store.publish([frame], Revisions())
        durations_ms.append((time.perf_counter() - began_s) * 1000)
    await store.drop("binance", Interval.M1)
    await store.close()
    return durations_ms[WARM_UP_WRITES:]


def measure() -> list[Figure]:
    """Return p50 and p99 of the write, and the commands one write takes."""
    with Stack(("redis", "upstash")) as stack:
        meter = CommandMeter(time.monotonic())
        # The collector's own loop.
        rounds = [uvloop.run(write_closes(stack, meter)) for _ in range(ROUNDS)]
    conditions = (
        f"{WRITES} closes of {SYMBOLS} symbols, encode + REST door + Redis, median of {ROUNDS} "
        f"rounds, {machine()}"
    )
    p50_ms, p99_ms = (
        statistics.median(percentile(durations_ms, share) for durations_ms in rounds)
        for share in (0.5, 0.99)
    )
    commands = meter.commands["HSET"] / ROUNDS / (WRITES + WARM_UP_WRITES)
    return [
        Figure(
            name="redis_write_p50",
            value=p50_ms,
            unit="ms",
            conditions=conditions,
        ),
        Figure(
            name="redis_write_p99",
            value=p99_ms,
            unit="ms",
            promise="< 5 ms",
            kept=p99_ms < 5,
            conditions=conditions,
        ),
        Figure(
            name="redis_write_commands",
            value=commands,
            unit="commands a close",
            promise="one command",
            kept=commands == 1,
            conditions=conditions,
        ),
    ]
