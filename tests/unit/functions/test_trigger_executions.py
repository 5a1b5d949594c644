"""trigger_executions: order of runs, waiting for frames, the poke, and failures that stay apart."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from functions.finished_runs import FinishedRuns
from functions.ports import RunCall, RunResult, RunToStart
from functions.trigger_executions.core import JUST_CLOSED_MS, plan_dispatch
from functions.trigger_executions.handler import TriggerExecutions
from shared.errors import InvalidRequest, StoreUnavailable
from shared.market.interval import Interval
from shared.runs import RunStatus
from shared.usage import Meter, UsageReport
from tests.unit.functions.fakes import (
    CLOSED_AT_MS,
    NOW_MS,
    SECRET,
    FakeDatabase,
    FakeExecute,
    FakeWindows,
    client,
    function_log,
    run,
    signed,
    window,
)

MINUTE_MS = 60_000


def tick_run(run_id: int, closed_at_ms: int = CLOSED_AT_MS, **fields: Any) -> dict[str, Any]:
    given = {"run_id": run_id, "venue": "binance", "interval": "1m", "shard": 0}
    return given | {"closed_at_ms": closed_at_ms} | fields


class Bench:
    """The function with its fakes; looks are 10 ms apart and frames are waited for 30 ms."""

    def __init__(self, *windows: Any, execute: Any = None, timeout_s: float = 30.0) -> None:
        self.database = FakeDatabase()
        self.windows = FakeWindows(*windows)
        self.execute = execute or FakeExecute()
        self.relayed: list[UsageReport] = []
        self.finished = FinishedRuns()
        self.log = function_log(self.database)
        handler = TriggerExecutions(
            runs=self.database,
            windows=self.windows,
            execute=self.execute,
            relay_usage=self.relayed.append,
            finished=self.finished,
            log=self.log,
            secret=SECRET,
            now_ms=lambda: NOW_MS,
            frame_wait_s=0.03,
            timeout_s=timeout_s,
            look_every_s=0.01,
        )
        self.client = client({("POST", "trigger_executions"): handler}, self.log)

    async def post(self, content: Any) -> httpx.Response:
        return await self.client.post("/trigger_executions", **signed(content))

    async def statuses(self, *runs: dict[str, Any]) -> dict[int, str]:
        reply = (await self.post({"runs": list(runs)})).json()
        return {report["run_id"]: report["status"] for report in reply["runs"]}


def test_plan_orders_slots_by_age_and_keeps_intervals_apart() -> None:
    def call(run_id: int, interval: Interval, age_ms: int, shard: int = 0) -> RunToStart:
        at_ms = NOW_MS - age_ms
        return RunToStart(
            run_id=run_id, venue="binance", interval=interval, closed_at_ms=at_ms, shard=shard
        )

    lanes = plan_dispatch(
        [
            call(1, Interval.M1, 500, shard=1),
            call(2, Interval.M1, 60_500),
            call(3, Interval.M5, JUST_CLOSED_MS),
            call(4, Interval.M1, 500, shard=0),
            call(5, Interval.M1, 120_500),
        ],
        NOW_MS,
    )
    plan = {
        lane.interval: [([r.run_id for r in step.runs], step.waits) for step in lane.steps]
        for lane in lanes
    }
    assert plan == {
        Interval.M1: [([5], False), ([2], False), ([4, 1], True)],
        Interval.M5: [([3], False)],
    }


async def test_tick_starts_each_run_once_its_frame_is_there() -> None:
    bench = Bench(window({"AUSDT": [1.0]}))
    assert await bench.statuses(tick_run(7)) == {7: "finished"}
    assert bench.execute.run_ids == [7]
    assert len(bench.windows.looks) == 1


async def test_tick_without_the_frame_waits_and_leaves_the_run_for_later() -> None:
    bench = Bench()
    assert await bench.statuses(tick_run(7)) == {7: "waiting"}
    assert bench.execute.run_ids == []
    assert 1 <= len(bench.windows.looks) <= 3


async def test_tick_starts_a_run_whose_frame_comes_while_it_waits() -> None:
    bench = Bench()

    class Arriving(FakeWindows):
        async def load_window(self, *args: Any, **kwargs: Any) -> Any:
            if len(self.looks) == 1:
                self.windows |= FakeWindows(window({"AUSDT": [1.0]})).windows
            return await super().load_window(*args, **kwargs)

    bench = Bench()
    arriving = Arriving()
    handler = TriggerExecutions(
        runs=bench.database,
        windows=arriving,
        execute=bench.execute,
        relay_usage=bench.relayed.append,
        finished=bench.finished,
        log=bench.log,
        secret=SECRET,
        now_ms=lambda: NOW_MS,
        frame_wait_s=30.0,
        timeout_s=60.0,
        look_every_s=0.01,
    )
    bench.client = client({("POST", "trigger_executions"): handler}, bench.log)
    assert await bench.statuses(tick_run(7)) == {7: "finished"}
    assert len(arriving.looks) == 2


async def test_tick_asks_no_store_about_a_run_that_the_poke_finished() -> None:
    bench = Bench()
    await bench.finished.add(7)
    assert await bench.statuses(tick_run(7)) == {7: "already_done"}
    assert (bench.windows.looks, bench.execute.run_ids) == ([], [])


async def test_tick_stops_waiting_when_the_poke_finishes_the_run() -> None:
    finished = FinishedRuns()
    waiting = asyncio.create_task(finished.wait_for([7, 8], 30.0))
    await finished.add(7)
    await asyncio.sleep(0)
    assert not waiting.done()
    await finished.add(8)
    assert await asyncio.wait_for(waiting, 30.0) is True


async def test_older_slots_are_started_straight_and_in_order() -> None:
    bench = Bench(window({"AUSDT": [1.0]}))
    older = [tick_run(i, CLOSED_AT_MS - i * MINUTE_MS) for i in (1, 3, 2)]
    statuses = await bench.statuses(*older, tick_run(9))
    assert bench.execute.run_ids == [3, 2, 1, 9]
    assert set(statuses.values()) == {"finished"}


async def test_failed_run_hurts_no_other() -> None:
    bench = Bench()
    bench.execute.results[2] = RunResult(run_id=2, status=RunStatus.FAILED)
    older = [tick_run(i, CLOSED_AT_MS - i * MINUTE_MS) for i in (3, 2, 1)]
    assert await bench.statuses(*older) == {3: "finished", 2: "failed", 1: "finished"}


async def test_store_that_fails_or_crashes_in_one_lane_hurts_no_other() -> None:
    bench = Bench(window({"AUSDT": [1.0]}, interval=Interval.M5, closed_at_ms=CLOSED_AT_MS))
    bench.windows.errors = [ZeroDivisionError("our mistake")]
    five = tick_run(8, interval="5m")
    assert await bench.statuses(tick_run(7), five) == {7: "failed", 8: "finished"}
    bench.windows.errors = [StoreUnavailable("no answer")] * 4
    statuses = await bench.statuses(tick_run(7), tick_run(3, CLOSED_AT_MS - MINUTE_MS))
    assert statuses == {7: "waiting", 3: "finished"}


async def test_deadline_reports_what_was_reached() -> None:
    class Slow(FakeExecute):
        async def __call__(self, run: RunCall) -> RunResult:
            if run.run_id == 1:
                await asyncio.Event().wait()
            return await super().__call__(run)

    bench = Bench(execute=Slow(), timeout_s=1.0)
    older = [tick_run(i, CLOSED_AT_MS - i * MINUTE_MS) for i in (2, 1)]
    assert await bench.statuses(*older) == {2: "finished", 1: "waiting"}


async def test_poke_opens_the_slot_and_starts_what_is_unfinished_without_looking() -> None:
    bench = Bench()
    bench.database.add(run(7, shard=0, shard_count=2))
    bench.database.add(run(8, shard=1, shard_count=2), status="finished")
    slot = {"venue": "binance", "interval": "1m", "closed_at_ms": CLOSED_AT_MS}
    reply = (await bench.post(slot)).json()
    assert [(r["run_id"], r["status"], r["signals_count"]) for r in reply["runs"]] == [
        (7, "finished", 3),
        (8, "already_done", 0),
    ]
    assert bench.windows.looks == []
    (started,) = bench.execute.started
    assert (started.interval, started.closed_at_ms, started.shard) == ("1m", CLOSED_AT_MS, 0)


async def test_poke_brings_what_the_collector_has_used() -> None:
    bench = Bench()
    usage = {"reporter": "collector-1", "totals": {"redis_commands": 12, "collector_seconds": 0.5}}
    slot = {"venue": "binance", "interval": "1m", "closed_at_ms": CLOSED_AT_MS}
    assert (await bench.post(slot | {"usage": usage})).status_code == 200
    totals = {Meter.REDIS_COMMANDS: 12.0, Meter.COLLECTOR_SECONDS: 0.5}
    assert bench.relayed == [UsageReport(reporter="collector-1", totals=totals)]


@pytest.mark.parametrize(
    "usage",
    [
        {"reporter": "postgres", "totals": {}},
        {"reporter": "collector-1", "totals": {"dollars": 1}},
        {"reporter": "collector-1", "totals": {"redis_commands": -1}},
    ],
)
async def test_usage_that_is_none_is_refused(usage: dict[str, Any]) -> None:
    bench = Bench()
    slot = {"venue": "binance", "interval": "1m", "closed_at_ms": CLOSED_AT_MS}
    reply = await bench.post(slot | {"usage": usage})
    assert (reply.status_code, reply.json()["error"]["field"][:5]) == (400, "usage")
    assert bench.relayed == []


async def test_slot_by_hand_for_one_trader_opens_that_run() -> None:
    bench = Bench()
    bench.database.add(run(7, trader_id=3))
    slot = {"venue": "binance", "interval": "1m", "closed_at_ms": CLOSED_AT_MS, "trader_id": 3}
    await bench.post(slot)
    assert bench.database.opened == [("binance", Interval.M1, CLOSED_AT_MS, 3)]
    assert bench.execute.run_ids == [7]


async def test_slot_that_is_no_close_is_refused() -> None:
    bench = Bench()
    bench.database.errors["open_slot"] = InvalidRequest("expected a close", field="closed_at_ms")
    slot = {"venue": "binance", "interval": "1m", "closed_at_ms": CLOSED_AT_MS + 1}
    reply = await bench.post(slot)
    assert (reply.status_code, reply.json()["error"]["field"]) == (400, "closed_at_ms")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"venue": "binance", "interval": "1m"}, "body"),
        ({"runs": [], "venue": "binance"}, "body"),
        ({"runs": {}}, "runs"),
        ({"runs": [{"run_id": 1}]}, "runs.0.venue"),
        ({"runs": [tick_run(1, interval="90s")]}, "runs.0.interval"),
        ({"runs": [tick_run(1)], "force": True}, "force"),
        ({"runs": [tick_run(1)] * 1001}, "runs"),
    ],
)
async def test_wrong_request_is_400_with_the_field(body: Any, field: str) -> None:
    reply = await Bench().post(body)
    assert (reply.status_code, reply.json()["error"]["field"]) == (400, field)


async def test_empty_tick_is_a_no_op() -> None:
    reply = await Bench().post({"runs": []})
    assert (reply.status_code, reply.json()["runs"]) == (200, [])


async def test_unsigned_call_is_401() -> None:
    reply = await Bench().client.post("/trigger_executions", json={"runs": []})
    assert reply.status_code == 401


async def test_line_says_who_started_a_slot_and_how_long_it_waited() -> None:
    bench = Bench(window({"A": [1.0, 2.0]}))
    await bench.statuses(tick_run(7), tick_run(8, shard=1))
    await bench.log.flush()
    (line,) = bench.database.logs
    assert (line["event"], line["level"], line["run_id"]) == ("slot_started", "info", 7)
    assert line["source"] == "trigger_executions"
    waited_ms = line["fields"].pop("waited_ms")
    assert 0 < waited_ms < 30_000
    assert line["fields"] == {
        "run_ids": [7, 8],
        "interval": "1m",
        "closed_at_ms": CLOSED_AT_MS,
        "by": "tick",
        "already_finished": False,
    }


async def test_frame_that_does_not_come_is_a_warning() -> None:
    bench = Bench()
    await bench.statuses(tick_run(7))
    await bench.log.flush()
    (line,) = bench.database.logs
    assert (line["event"], line["level"], line["run_id"]) == ("frame_awaited", "warn", 7)
    assert line["fields"]["waited_ms"] >= 20
