"""Every process is killed during a run; the signals are those of an undisturbed run.

The undisturbed run is the offline evaluation of the same frames: for every close since the
traders were saved, their rules on the window that ends there.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
import pytest

from shared.market.interval import MINUTE_MS, Interval
from shared.rules import build_plan, evaluate, parse_rule
from shared.store.frames import FrameStore, connect_redis
from shared.store.meter import CommandMeter
from shared.store.windows import WindowCache
from tests.account import Account
from tests.conftest import SMALL_MARKET
from tests.stack import Stack

RULES = (
    ("rsi(14) < 50", "enter"),
    ("rsi(14) < 50", "exit"),
    ("close > ema(9)", "enter"),
    ("volume > sma(volume, 20)", "while"),
    ("close > highest(20)[1] or close < lowest(20)[1]", "while"),
    # In a calm minute the others find next to nothing; this one is true of every instrument.
    ("close > 0", "while"),
)
# Each is killed once, some of them while a minute closes; Postgres and Redis hold the truth.
VICTIMS = (
    "functions",
    "collector",
    "redis",
    "postgres",
    "rest",
    "upstash",
    "requests",
    "realtime",
    "gateway",
    "venue",
)
# A frame that is completed late is evaluated by a later tick, after 1, 2, 4 minutes.
DONE_TIMEOUT_S = 480.0

Key = tuple[int, str, int, str]


def expected_signals(stack: Stack, traders: dict[int, tuple[str, str]], closes: range) -> set[Key]:
    """Return (trader, instrument, closed_at_ms, trigger) of the offline evaluation."""

    async def evaluate_all() -> set[Key]:
        url = stack.cloud.local_url(stack.cloud.ports.upstash)
        store = FrameStore(
            connect_redis(url, stack.cloud.secrets.redis_token), CommandMeter(time.monotonic())
        )
        plan = build_plan([parse_rule(rule) for rule, _ in traders.values()])
        found: set[Key] = set()
        for closed_at_ms in closes:
            window = await WindowCache(store).load_window(
                "binance", Interval.M1, closed_at_ms - MINUTE_MS
            )
            assert window.complete, f"the frame of {closed_at_ms} was never completed"
            now = evaluate(plan, window, bars_back=0)
            before = evaluate(plan, window, bars_back=1)
            for index, (trader_id, (_, trigger)) in enumerate(traders.items()):
                matches = {
                    "enter": (now.state(index) == 1) & (before.state(index) == 0),
                    "exit": (now.state(index) == 0) & (before.state(index) == 1),
                    "while": now.state(index) == 1,
                }[trigger]
                found |= {
                    (trader_id, window.symbols[column], closed_at_ms, trigger)
                    for column in matches.nonzero()[0]
                }
        await store.close()
        return found

    return asyncio.run(evaluate_all())


def query(stack: Stack, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.dsn, autocommit=True) as database:
        return database.execute(statement, arguments).fetchall()


def wait_for_minute(stack: Stack, closed_at_ms: int) -> None:
    stack.wait_for(
        lambda: time.time() * 1000 >= closed_at_ms, f"the minute {closed_at_ms}", timeout_s=90
    )


@pytest.fixture
def stack_of_its_own() -> Any:
    with Stack(environment=SMALL_MARKET, with_samples=False, durable=True) as stack:
        yield stack


def test_signals_after_killing_every_process_equal_an_undisturbed_run(
    stack_of_its_own: Stack,
) -> None:
    stack = stack_of_its_own
    account = Account(stack, "kills@example.com", tier_id="elite")
    traders = {}
    for rule, trigger in RULES:
        answer = account.save_trader(rule, trigger=trigger)
        assert answer.status_code == 200, answer.text
        traders[answer.json()["trader"]["id"]] = (rule, trigger)
    first_close_ms = Interval.M1.floor_ms(int(time.time() * 1000)) + MINUTE_MS

    for victim in VICTIMS[:3]:
        stack.kill(victim)
    wait_for_minute(stack, first_close_ms)
    for victim in VICTIMS[3:]:
        stack.kill(victim)
    last_close_ms = Interval.M1.floor_ms(int(time.time() * 1000)) + MINUTE_MS
    wait_for_minute(stack, last_close_ms)
    closes = range(first_close_ms, last_close_ms + 1, MINUTE_MS)

    def finished() -> bool:
        rows = query(
            stack,
            "select extract(epoch from closed_at)::bigint * 1000 from ops.runs"
            " where trader_id is null and status = 'finished' and complete",
        )
        return set(closes) <= {row[0] for row in rows}

    stack.wait_for(finished, "every slot to be finished", timeout_s=DONE_TIMEOUT_S)
    stored = query(
        stack,
        "select trader_id, instrument, extract(epoch from closed_at)::bigint * 1000, trigger"
        " from public.signals where closed_at between to_timestamp(%s) and to_timestamp(%s)",
        first_close_ms / 1000,
        last_close_ms / 1000,
    )
    assert len(stored) == len(set(stored))
    expected = expected_signals(stack, traders, closes)
    assert len(expected) > 20 * len(closes), "expected signals to compare"
    assert set(stored) == expected
    # A slot from before the first close compared, whose run was killed, waits for its lease.
    missing = "select closed_at, status from ops.slots_missing"
    stack.wait_for(lambda: query(stack, missing) == [], "no slot to be missing")
