"""The functions between a real Redis and a real Postgres: a frame becomes signals, once."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from shared.errors import SlotAlreadyDone
from shared.market.frame import Feed, Frame, symbol_list_id
from shared.market.interval import Interval
from shared.runs import Outcome, Signal, Trigger
from shared.signing import signed_headers
from shared.store.database import Database
from shared.store.frames import FRAMES_PER_COMMAND, FrameStore, Revisions, connect_redis
from shared.store.meter import CommandMeter
from tests.stack import Stack

SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
MINUTE_MS = 60_000
DEADLINE_S = 60.0
GENERATIONS = itertools.count(2)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """Postgres, REST and auth, Redis and the functions; no cron, no collector."""
    names = ("functions", "gateway", "rest", "upstash", "redis")
    with Stack(names=names, with_samples=False) as running:
        yield running


class World:
    """What a test does to the cloud from outside: publish, call, look."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.cloud = stack.cloud
        self.http = httpx.AsyncClient(timeout=60.0)
        # Each test rewrites history: what the functions keep of the one before is void.
        self.generation = next(GENERATIONS)
        redis = connect_redis(
            self.cloud.local_url(self.cloud.ports.upstash), self.cloud.secrets.redis_token
        )
        self.frames = FrameStore(redis, CommandMeter(0.0))
        self.database = Database(self.cloud.supabase_url, self.cloud.secret_key)

    async def close(self) -> None:
        await self.http.aclose()
        await self.frames.close()
        await self.database.close()

    def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.stack.dsn, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, arguments)
            return cursor.fetchall() if cursor.description else []

    async def sign_up(self) -> tuple[str, dict[str, str]]:
        """Return a new user's id and the headers that prove it."""
        reply = await self.http.post(
            f"{self.cloud.url}/auth/v1/signup",
            headers={"apikey": self.cloud.publishable_key},
            json={"email": f"{uuid4().hex}@example.com", "password": uuid4().hex},
        )
        assert reply.status_code == 200, reply.text
        session = reply.json()
        return session["user"]["id"], {"authorization": f"Bearer {session['access_token']}"}

    async def save(self, headers: dict[str, str], **fields: Any) -> httpx.Response:
        trader = {"name": "A test", "rule": "close > 1", "interval": "1m", "trigger": "while"}
        url = f"{self.cloud.functions_url}/save_trader"
        return await self.http.post(url, headers=headers, json=trader | fields)

    async def call(self, name: str, content: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(content).encode()
        headers = signed_headers(self.cloud.function_secret, int(time.time()), body)
        url = f"{self.cloud.functions_url}/{name}"
        reply = await self.http.post(url, content=body, headers=headers)
        assert reply.status_code == 200, reply.text
        result: dict[str, Any] = reply.json()
        return result

    async def poke(self, interval: Interval, closed_at_ms: int) -> dict[str, Any]:
        slot = {"venue": "binance", "interval": interval, "closed_at_ms": closed_at_ms}
        reply = await self.call("trigger_executions", slot)
        (run,) = reply["runs"]
        result: dict[str, Any] = run
        return result

    async def publish(
        self,
        interval: Interval,
        closed_at_ms: int,
        closes: Sequence[float],
        *,
        bars: int = 1,
        revision: int = 1,
    ) -> None:
        """Publish `bars` frames with these closes that end at a close; NaN: absent in the last."""
        list_id = symbol_list_id(SYMBOLS)
        await self.frames.publish_symbols("binance", SYMBOLS)
        frames = []
        for back in range(bars - 1, -1, -1):
            values = np.array(closes if back == 0 else np.nan_to_num(closes, nan=1.0))
            frames.append(
                Frame(
                    venue="binance",
                    interval=interval,
                    open_time_ms=closed_at_ms - (back + 1) * interval.duration_ms,
                    symbol_list_id=list_id,
                    revision=revision if back == 0 else 1,
                    feed=Feed.SIMULATED,
                    complete=not np.isnan(values).any(),
                    received_at_ms=closed_at_ms + 100,
                    published_at_ms=closed_at_ms + 120,
                    present=~np.isnan(values),
                    columns=np.tile(values, (8, 1)),
                )
            )
        newer = {frames[-1].open_time_ms: revision} if revision > 1 else {}
        revisions = Revisions(generation=self.generation, revisions=newer)
        for start in range(0, bars, FRAMES_PER_COMMAND):
            await self.frames.publish(frames[start : start + FRAMES_PER_COMMAND], revisions)

    def signals(self, trader_id: int) -> list[dict[str, Any]]:
        return self.rows(
            "select instrument, closed_at, origin, feed, price, values, rule_version, trigger"
            " from public.signals where trader_id = %s order by id",
            trader_id,
        )

    def run(self, run_id: int) -> dict[str, Any]:
        (row,) = self.rows("select * from ops.runs where id = %s", run_id)
        return row


@pytest.fixture
async def world(cloud: Stack) -> AsyncIterator[World]:
    """A database without traders, runs and frames."""
    made = World(cloud)
    made.rows("delete from ops.runs")
    made.rows("delete from public.traders")
    made.rows("update ops.settings set value = 'on' where name = 'signals_enabled'")
    for interval in (Interval.M1, Interval.M3, Interval.M5):
        await made.frames.drop("binance", interval)
    yield made
    await made.close()


def last_close_ms(interval: Interval) -> int:
    return interval.floor_ms(int(time.time() * 1000))


async def test_trader_is_saved_with_the_users_token_and_runs_at_once(world: World) -> None:
    closed_at_ms = last_close_ms(Interval.M5)
    await world.publish(Interval.M5, closed_at_ms, [3.5, 0.5, 2.0], bars=30)
    user_id, headers = await world.sign_up()
    reply = await world.save(headers, interval="5m", rule="close > sma(3) - 1 and close > 1")
    assert reply.status_code == 200, reply.text
    row, preview = reply.json()["trader"], reply.json()["preview"]
    assert (row["user_id"], row["version"], row["enabled"]) == (user_id, 1, True)
    assert (preview["matched_count"], preview["known_count"]) == (2, 3)
    signals = world.signals(row["id"])
    assert [s["instrument"] for s in signals] == ["AAAUSDT", "CCCUSDT"]
    assert signals[0]["values"] == {"close": 3.5, "sma(3) - 1": 2.5}
    assert (str(signals[0]["price"]), signals[0]["feed"]) == ("3.5", "simulated")


async def test_frame_poked_twice_becomes_signals_once(world: World) -> None:
    closed_at_ms = last_close_ms(Interval.M1)
    _, headers = await world.sign_up()
    trader = (await world.save(headers)).json()["trader"]
    # As if enabled before: a trader is not owed closes of the past.
    world.rows("update public.traders set enabled_at = now() - interval '1 hour'")
    await world.publish(Interval.M1, closed_at_ms, [2.0, 2.0, 0.5], bars=3)
    first = await world.poke(Interval.M1, closed_at_ms)
    second = await world.poke(Interval.M1, closed_at_ms)
    assert (first["status"], first["signals_count"]) == ("finished", 2)
    assert (second["status"], second["run_id"]) == ("already_done", first["run_id"])
    assert [s["instrument"] for s in world.signals(trader["id"])] == ["AAAUSDT", "BBBUSDT"]
    stats = world.run(first["run_id"])["stats"]
    assert set(stats) >= {"claim_ms", "load_ms", "evaluate_ms"}


async def test_rule_on_a_longer_interval_and_across_instruments_becomes_signals(
    world: World,
) -> None:
    closed_at_ms = last_close_ms(Interval.M1)
    _, headers = await world.sign_up()
    await world.publish(Interval.M5, Interval.M5.floor_ms(closed_at_ms), [2.0, 4.0, 6.0], bars=3)
    await world.publish(Interval.M1, closed_at_ms, [3.0, 3.0, 3.5], bars=3)
    rule = 'close(tf="5m") > close and rank(close(tf="5m")) <= 2 and of("CCCUSDT", close) > 3'
    trader = (await world.save(headers, rule=rule)).json()["trader"]
    narrow = (await world.save(headers, rule=rule, universe=["AAAUSDT", "BBBUSDT"])).json()
    world.rows("update public.traders set enabled_at = now() - interval '1 hour'")
    assert (await world.poke(Interval.M1, closed_at_ms))["status"] in ("finished", "already_done")
    signals = world.signals(trader["id"])
    assert [s["instrument"] for s in signals] == ["BBBUSDT", "CCCUSDT"]
    assert signals[0]["values"] == {
        'close(tf="5m")': 4.0,
        "close": 3.0,
        'rank(close(tf="5m"))': 2.0,
        'of("CCCUSDT", close)': 3.5,
    }
    # Among its own two instruments AAAUSDT is second, but not above its close.
    assert [s["instrument"] for s in world.signals(narrow["trader"]["id"])] == ["BBBUSDT"]


async def test_interval_that_nobody_collects_is_refused(world: World) -> None:
    await world.publish(Interval.M1, last_close_ms(Interval.M1), [2.0, 2.0, 2.0], bars=3)
    _, headers = await world.sign_up()
    reply = await world.save(headers, rule='close(tf="12h") > 1')
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "InvalidRule")
    assert "there are no 12h klines" in reply.json()["error"]["message"]


async def test_claim_and_emit_twice_store_once(world: World) -> None:
    _, headers = await world.sign_up()
    trader = (await world.save(headers)).json()["trader"]
    # Told last: a slot that is opened 90 s after its close is no live one.
    closed_at_ms = last_close_ms(Interval.M1)
    (opened,) = await world.database.open_slot("binance", Interval.M1, closed_at_ms)
    claim = await world.database.claim_run(opened.run_id, "test:1")
    assert claim.traders is not None
    assert [t.id for t in claim.traders] == [trader["id"]]
    with pytest.raises(SlotAlreadyDone) as held:
        await world.database.claim_run(opened.run_id, "test:2")
    assert held.value.context["reason"] == "claimed"
    signal = Signal(
        trader_id=trader["id"],
        rule_version=1,
        instrument="AAAUSDT",
        trigger=Trigger.WHILE,
        price="1.234e-05",
        values={"close": 1.234e-05},
    )
    outcome = Outcome(
        feed=Feed.SIMULATED,
        frame_revision=1,
        complete=True,
        missing_instruments=(),
        traders_count=1,
        evaluated_at_ms=closed_at_ms + 500,
        late=False,
        matched_count=1,
        signals=(signal,),
        overflow={},
        errors=(),
    )
    for _ in range(2):
        emitted = await world.database.emit_signals(opened.run_id, claim.claim_token, outcome)
        assert emitted.inserted == 1
    (row,) = world.signals(trader["id"])
    assert (str(row["price"]), row["origin"]) == ("0.00001234", "live")
    with pytest.raises(SlotAlreadyDone) as finished:
        await world.database.claim_run(opened.run_id, "test:1")
    assert finished.value.context["reason"] == "finished"
    with pytest.raises(SlotAlreadyDone):
        await world.database.emit_signals(opened.run_id, str(uuid4()), outcome)


async def test_symbol_that_comes_late_is_evaluated_by_a_later_tick_and_labelled(
    world: World,
) -> None:
    closed_at_ms = last_close_ms(Interval.M1)
    _, headers = await world.sign_up()
    trader = (await world.save(headers)).json()["trader"]
    world.rows("update public.traders set enabled_at = now() - interval '1 hour'")
    await world.publish(Interval.M1, closed_at_ms, [2.0, float("nan"), 0.5], bars=3)
    first = await world.poke(Interval.M1, closed_at_ms)
    run = world.run(first["run_id"])
    assert (run["complete"], run["missing_instruments"]) == (False, ["BBBUSDT"])
    await world.publish(Interval.M1, closed_at_ms, [2.0, 2.0, 0.5], revision=2)
    # What ops.tick would name a minute later.
    query = "select ops.list_claimable_runs(now() + interval '1 minute') as runs"
    named = world.rows(query)[0]["runs"]
    assert [r["run_id"] for r in named] == [first["run_id"]]
    reply = await world.call("trigger_executions", {"runs": named})
    assert [r["status"] for r in reply["runs"]] == ["finished"]
    signals = world.signals(trader["id"])
    assert [s["instrument"] for s in signals] == ["AAAUSDT", "BBBUSDT"]
    assert signals[1]["origin"] in ("late", "backfill")
    run = world.run(first["run_id"])
    assert (run["complete"], run["frame_revision"], run["attempt"]) == (True, 2, 2)


async def test_slot_without_its_frame_stays_open_with_the_reason(world: World) -> None:
    closed_at_ms = last_close_ms(Interval.M3)
    _, headers = await world.sign_up()
    saved = (await world.save(headers, interval="3m")).json()
    assert saved["preview"]["closed_at_ms"] is None
    report = await world.poke(Interval.M3, closed_at_ms)
    assert report["status"] == "waiting"
    run = world.run(report["run_id"])
    assert (run["status"], run["error"].split(":")[0]) == ("open", "StaleData")
    await world.publish(Interval.M3, closed_at_ms, [2.0, 2.0, 2.0], bars=2)
    assert (await world.poke(Interval.M3, closed_at_ms))["status"] == "finished"


async def test_bad_trader_is_counted_shown_and_hurts_no_other(world: World) -> None:
    closed_at_ms = last_close_ms(Interval.M1)
    _, headers = await world.sign_up()
    good = (await world.save(headers)).json()["trader"]
    bad = (await world.save(headers, name="Bad")).json()["trader"]
    # A rule of another release: stored once, not readable now.
    world.rows("update public.traders set enabled_at = now() - interval '1 hour'")
    world.rows("update public.traders set rule = 'rsii(3) < 1' where id = %s", bad["id"])
    await world.publish(Interval.M1, closed_at_ms, [2.0, 0.5, 0.5], bars=3)
    report = await world.poke(Interval.M1, closed_at_ms)
    assert (report["status"], report["signals_count"]) == ("finished", 1)
    assert [s["instrument"] for s in world.signals(good["id"])] == ["AAAUSDT"]
    (row,) = world.rows("select * from public.traders where id = %s", bad["id"])
    assert (row["error_count"], row["enabled"]) == (1, True)
    assert "rsii" in row["last_error"]


async def test_kill_switch_leaves_the_slot_waiting(world: World) -> None:
    closed_at_ms = last_close_ms(Interval.M1)
    _, headers = await world.sign_up()
    await world.save(headers)
    await world.publish(Interval.M1, closed_at_ms, [2.0, 2.0, 2.0], bars=3)
    world.rows("update ops.settings set value = 'off' where name = 'signals_enabled'")
    report = await world.poke(Interval.M1, closed_at_ms)
    assert report["status"] == "waiting"
    world.rows("update ops.settings set value = 'on' where name = 'signals_enabled'")
    assert (await world.poke(Interval.M1, closed_at_ms))["status"] == "finished"


async def test_database_refuses_with_the_status_and_the_field(world: World) -> None:
    _, headers = await world.sign_up()
    _, stranger = await world.sign_up()
    mine = (await world.save(headers)).json()["trader"]
    foreign = await world.save(stranger, id=mine["id"])
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "NotFound")
    venue = await world.save(headers, venue="moon")
    assert (venue.status_code, venue.json()["error"]["field"]) == (400, "venue")
    for number in range(9):
        assert (await world.save(headers, name=f"Trader {number}")).status_code == 200
    over = await world.save(headers)
    assert (over.status_code, over.json()["error"]["code"]) == (403, "Forbidden")
    assert over.json()["error"]["hint"]
    unsigned = await world.http.post(
        f"{world.cloud.functions_url}/trigger_executions", json={"runs": []}
    )
    assert unsigned.status_code == 401


async def test_summary_of_a_run_reaches_the_log_table(world: World) -> None:
    closed_at_ms = last_close_ms(Interval.M1)
    _, headers = await world.sign_up()
    await world.save(headers)
    await world.publish(Interval.M1, closed_at_ms, [2.0, 2.0, 2.0], bars=3)
    report = await world.poke(Interval.M1, closed_at_ms)
    query = "select * from ops.function_logs where run_id = %s and event = 'run_finished'"
    deadline_s = time.monotonic() + DEADLINE_S
    while not (rows := world.rows(query, report["run_id"])):
        assert time.monotonic() < deadline_s, "expected the summary in ops.function_logs"
        await world.frames.ping()
    assert rows[0]["fields"]["stats"].keys() >= {"claim_ms", "emit_ms"}
    assert (rows[0]["level"], rows[0]["source"]) == ("info", "execute_traders")


async def test_warm_run_costs_one_redis_command(world: World) -> None:
    _, headers = await world.sign_up()
    await world.save(headers)
    newest_ms = last_close_ms(Interval.M1)
    await world.publish(Interval.M1, newest_ms, [2.0, 2.0, 2.0], bars=510)
    await world.poke(Interval.M1, newest_ms - MINUTE_MS)
    before = await _commands(world)
    assert (await world.poke(Interval.M1, newest_ms))["status"] == "finished"
    assert await _commands(world) - before <= 1


async def _commands(world: World) -> int:
    door = world.cloud.local_url(world.cloud.ports.upstash)
    token = {"authorization": f"Bearer {world.cloud.secrets.redis_token}"}
    reply = await world.http.get(f"{door}/_meter", headers=token)
    total: int = msgspec.json.decode(reply.content)["total"]
    return total


async def test_trader_of_every_third_close_compares_with_the_due_close_before(
    world: World,
) -> None:
    # A close that is due, and the one three minutes before.
    due_ms = Interval.M3.floor_ms(last_close_ms(Interval.M1))
    await world.publish(Interval.M1, due_ms - 3 * MINUTE_MS, [0.5, 2.0, 0.5], bars=30)
    _, headers = await world.sign_up()
    traders = {}
    for cadence in ("close", "every 3 closes"):
        reply = await world.save(headers, trigger="enter", cadence=cadence)
        assert reply.status_code == 200, reply.text
        traders[cadence] = reply.json()["trader"]["id"]
    world.rows("delete from ops.runs")
    world.rows("update public.traders set enabled_at = now() - interval '1 hour'")
    # The first instrument enters between two due closes and stays; the third enters and leaves.
    for minutes, closes in ((2, [2.0, 2.0, 0.5]), (1, [2.0, 2.0, 2.0]), (0, [2.0, 2.0, 0.5])):
        await world.publish(Interval.M1, due_ms - minutes * MINUTE_MS, closes)
    for minutes in (3, 2, 1, 0, 0):
        await world.poke(Interval.M1, due_ms - minutes * MINUTE_MS)

    def found(cadence: str) -> list[tuple[str, int]]:
        return [
            (s["instrument"], round((due_ms / 1000 - s["closed_at"].timestamp()) / 60))
            for s in world.signals(traders[cadence])
        ]

    assert found("close") == [("AAAUSDT", 2), ("CCCUSDT", 1)]
    assert found("every 3 closes") == [("AAAUSDT", 0)]
    counts = world.rows("select traders_count from ops.runs order by closed_at")
    assert [row["traders_count"] for row in counts] == [2, 1, 1, 2]


async def test_close_at_which_nobody_is_due_has_no_run(world: World) -> None:
    due_ms = Interval.M3.floor_ms(last_close_ms(Interval.M1))
    await world.publish(Interval.M1, due_ms, [2.0, 2.0, 2.0], bars=30)
    _, headers = await world.sign_up()
    reply = await world.save(headers, cadence="every 3 closes")
    trader_id = reply.json()["trader"]["id"]
    world.rows("update public.traders set enabled_at = now() - interval '1 hour'")
    world.rows("delete from public.signals")
    world.rows("delete from ops.runs")
    slot = {"venue": "binance", "interval": "1m", "closed_at_ms": due_ms - MINUTE_MS}
    assert (await world.call("trigger_executions", slot))["runs"] == []
    named = slot | {"trader_id": trader_id}
    assert (await world.call("trigger_executions", named))["runs"] == []
    world.rows("select ops.open_due_slots(to_timestamp(%s))", due_ms / 1000)
    rows = world.rows(
        "select mod(extract(epoch from closed_at)::bigint, 180) as rest from ops.runs"
    )
    assert len(rows) == 20 and {row["rest"] for row in rows} == {0}
    assert (await world.poke(Interval.M1, due_ms))["signals_count"] == 3
    bad = await world.save(headers, cadence="every 3 candles")
    assert (bad.status_code, bad.json()["error"]["field"]) == (400, "cadence")


async def test_metrics_count_what_was_done_and_are_not_public(world: World) -> None:
    closed_at_ms = last_close_ms(Interval.M1)
    await world.publish(Interval.M1, closed_at_ms, [2.0, 2.0, 0.5], bars=3)
    url = f"{world.cloud.functions_url}/metrics"

    async def values() -> dict[str, float]:
        reply = await world.http.get(url)
        assert reply.status_code == 200, reply.text
        samples = (line.rpartition(" ") for line in reply.text.splitlines() if line[0] != "#")
        return {name: float(value) for name, _, value in samples}

    before = await values()
    _, headers = await world.sign_up()
    assert (await world.save(headers)).status_code == 200
    after = await values()
    for name, added in {
        'closebell_requests_total{function="save_trader",status="200"}': 1,
        'closebell_runs_total{status="finished"}': 1,
        "closebell_traders_evaluated_total": 1,
        'closebell_verdicts_total{verdict="true"}': 2,
        'closebell_verdicts_total{verdict="false"}': 1,
        'closebell_signals_total{outcome="inserted"}': 2,
    }.items():
        assert after[name] - before.get(name, 0) == added, name
    assert sum(v for n, v in after.items() if n.startswith("closebell_redis_commands_total")) > 3
    # From the private network directly; not for whoever comes through the gateway.
    gateway = await world.http.get(f"{world.cloud.url}/functions/v1/metrics")
    assert gateway.status_code == 401
    forwarded = await world.http.get(url, headers={"x-forwarded-for": "8.8.8.8"})
    assert forwarded.status_code == 401
