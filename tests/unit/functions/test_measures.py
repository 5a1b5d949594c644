"""What the functions tell Prometheus: counts of requests, runs and verdicts; who may read it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from functions.execute_traders.handler import ExecuteTraders
from functions.finished_runs import FinishedRuns
from functions.health.handler import health
from functions.measures import Measures
from functions.metrics.handler import Metrics
from functions.router import Router
from shared.errors import StoreUnavailable
from tests.unit.functions.fakes import (
    NOW_MS,
    SECRET,
    FakeDatabase,
    FakeWindows,
    function_log,
    run,
    signed,
    trader,
    window,
)

TOKEN = "a-token-of-the-tests"


class Bench:
    """execute_traders, health and metrics behind a measured router."""

    def __init__(self, token: str = TOKEN) -> None:
        self.database = FakeDatabase()
        self.database.traders = (
            trader(1),
            trader(2, rule="rsii(3) < 1"),
            trader(3, rule="rsi(14) < 1"),
        )
        self.database.add(run(7))
        self.log = function_log(self.database)
        self.measures = Measures()
        self.measures.watch(
            redis_commands=lambda: {"HMGET": 5},
            redis_bytes=dict,
            window_loads=lambda: {"warm": 4, "cold": 1},
            rate_limited=lambda: {"saves": 0},
            log_lines_dropped=lambda: {"functions": 2},
            waiting=lambda: {"log_lines": 3},
        )
        execute = ExecuteTraders(
            runs=self.database,
            windows=FakeWindows(window({"AUSDT": [1.0], "BUSDT": [2.0]})),
            finished=FinishedRuns(),
            log=self.log,
            secret=SECRET,
            claimed_by="test:1",
            now_ms=lambda: NOW_MS,
            timeout_s=30.0,
            measures=self.measures,
        )
        router = Router(
            {
                ("GET", "health"): health,
                ("GET", "metrics"): Metrics(self.measures.registry, token),
                ("POST", "execute_traders"): execute,
            },
            log=self.log,
        )
        answer = self.measures.router(router)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            response = await answer(Request(scope, receive))
            await response(scope, receive, send)

        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://functions"
        )

    async def values(self) -> dict[str, float]:
        """Return sample → value, a sample as `name{label=value}`."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        reply = await self.client.get("/metrics", headers=headers)
        assert reply.status_code == 200, reply.text
        return {
            f"{s.name}{''.join(f'{{{k}={v}}}' for k, v in sorted(s.labels.items()))}": s.value
            for family in text_string_to_metric_families(reply.text)
            for s in family.samples
        }


async def test_finished_run_is_counted_by_traders_verdicts_signals_and_stages() -> None:
    bench = Bench()
    await bench.client.post("/execute_traders", **signed({"run_id": 7}))
    values = await bench.values()
    for name, value in {
        "closebell_requests_total{function=execute_traders}{status=200}": 1,
        "closebell_request_seconds_count{function=execute_traders}": 1,
        "closebell_runs_total{status=finished}": 1,
        "closebell_traders_evaluated_total": 3,
        "closebell_trader_errors_total": 1,
        # Two rules on two instruments; rsi has too few bars.
        "closebell_verdicts_total{verdict=true}": 2,
        "closebell_verdicts_total{verdict=false}": 0,
        "closebell_verdicts_total{verdict=unknown}": 2,
        "closebell_signals_total{outcome=inserted}": 2,
        "closebell_signals_total{outcome=cooldown}": 0,
        "closebell_stage_seconds_count{stage=evaluate}": 1,
        "closebell_stage_seconds_count{stage=emit}": 1,
        "closebell_redis_commands_total{command=HMGET}": 5,
        "closebell_window_loads_total{kind=cold}": 1,
        "closebell_log_lines_dropped_total{place=functions}": 2,
        "closebell_waiting{queue=log_lines}": 3,
    }.items():
        assert values[name] == value, name
    assert values["process_resident_memory_bytes"] > 1e6
    # The scrape itself, seen by the next one.
    assert values["closebell_requests_in_progress"] == 1


async def test_run_that_failed_and_one_that_waits_are_counted() -> None:
    bench = Bench()
    bench.database.errors["emit_signals"] = StoreUnavailable("expected an answer")
    await bench.client.post("/execute_traders", **signed({"run_id": 7}))
    bench.database.stopped = True
    await bench.client.post("/execute_traders", **signed({"run_id": 7}))
    values = await bench.values()
    assert values["closebell_runs_total{status=failed}"] == 1
    assert values["closebell_runs_total{status=waiting}"] == 1
    assert values["closebell_requests_total{function=execute_traders}{status=503}"] == 1


async def test_paths_of_strangers_make_no_labels() -> None:
    bench = Bench()
    for number in range(5):
        await bench.client.get(f"/secret-{number}")
    values = await bench.values()
    assert values["closebell_requests_total{function=unknown}{status=404}"] == 5
    assert not [name for name in values if "secret" in name]


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (TOKEN, {}, 401),
        (TOKEN, {"authorization": "Bearer wrong"}, 401),
        ("", {}, 200),  # from this machine
        ("", {"x-forwarded-for": "127.0.0.1"}, 401),
    ],
)
async def test_metrics_are_not_public(token: str, headers: dict[str, str], status: int) -> None:
    reply = await Bench(token).client.get("/metrics", headers=headers)
    assert reply.status_code == status
    assert ("closebell_runs" in reply.text) is (status == 200)
