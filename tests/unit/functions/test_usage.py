"""FunctionUsage: what is counted, when it is reported, and what becomes of a report that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from functions.router import Handler
from functions.usage import FunctionUsage
from shared.errors import StoreUnavailable
from shared.store.meter import CommandMeter, TrafficMeter
from shared.usage import REPORTS_MAX, Meter, UsageReport
from tests.unit.functions.fakes import FakeDatabase, client, function_log


class Bench:
    """A FunctionUsage with a clock that is set by hand; `reports` are those that were stored."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.is_away = False
        self.reports: list[Sequence[UsageReport]] = []
        self.redis, self.database = CommandMeter(0.0), TrafficMeter()
        self.usage = FunctionUsage(
            self.write,
            lambda: self.now_s,
            reporter="functions-1",
            redis=self.redis,
            database=self.database,
            every_s=60.0,
            pause_s=0.0,
        )

    async def write(self, reports: Sequence[UsageReport]) -> None:
        if self.is_away:
            raise StoreUnavailable("expected an answer, was none")
        self.reports.append(reports)

    async def request(self, seconds: float = 0.0) -> None:
        with self.usage.request():
            self.now_s += seconds
        await self.usage.flush()


async def test_first_request_is_reported_and_then_one_a_minute() -> None:
    bench = Bench()
    for _ in range(3):
        await bench.request()
        bench.now_s += 25.0
    assert len(bench.reports) == 1
    await bench.request()
    assert len(bench.reports) == 2
    (report,) = bench.reports[1]
    assert report.reporter == "functions-1"
    assert report.totals[Meter.FUNCTION_INVOCATIONS] == 4


async def test_totals_are_those_since_the_start() -> None:
    bench = Bench()
    bench.redis.count("HMGET")
    bench.redis.traffic.bytes_sent, bench.redis.traffic.bytes_received = 10, 20
    bench.database.bytes_sent, bench.database.bytes_received = 5, 7
    await bench.request(2.5)
    bench.now_s += 10.0
    assert bench.usage.totals() == {
        Meter.REDIS_COMMANDS: 1,
        Meter.REDIS_BYTES: 30,
        Meter.FUNCTION_INVOCATIONS: 1,
        Meter.FUNCTION_SECONDS: 2.5,
        Meter.FUNCTION_MACHINE_SECONDS: 12.5,
        Meter.EGRESS_BYTES: 7,
    }


async def test_requests_that_overlap_cost_their_time_once() -> None:
    bench = Bench()
    with bench.usage.request():
        bench.now_s += 1.0
        with bench.usage.request():
            bench.now_s += 2.0
        assert bench.usage.totals()[Meter.FUNCTION_SECONDS] == 3.0
        bench.now_s += 4.0
    bench.now_s += 100.0
    assert bench.usage.totals()[Meter.FUNCTION_SECONDS] == 7.0
    assert bench.usage.totals()[Meter.FUNCTION_INVOCATIONS] == 2


async def test_newest_report_of_another_process_goes_along_once() -> None:
    bench = Bench()
    older, newer = (
        UsageReport(reporter="collector-1", totals={Meter.REDIS_COMMANDS: n}) for n in (1.0, 2.0)
    )
    bench.usage.relay(older)
    bench.usage.relay(newer)
    await bench.request()
    assert bench.reports[0][1:] == [newer]
    bench.now_s += 60.0
    await bench.request()
    assert bench.reports[1][1:] == []


async def test_report_that_fails_is_made_up_for_by_the_next() -> None:
    bench = Bench()
    bench.is_away = True
    bench.usage.relay(UsageReport(reporter="collector-1", totals={}))
    await bench.request(1.0)
    bench.is_away = False
    bench.now_s += 59.0
    await bench.request(1.0)
    (own, relayed) = bench.reports[0]
    assert own.totals[Meter.FUNCTION_SECONDS] == 2.0
    assert relayed.reporter == "collector-1"


async def test_reports_of_others_are_bounded_and_the_oldest_go() -> None:
    bench = Bench()
    for number in range(100):
        bench.usage.relay(UsageReport(reporter=f"collector-{number}", totals={}))
    await bench.request()
    names = [report.reporter for report in bench.reports[0]]
    assert len(names) == REPORTS_MAX
    assert names[-1] == "collector-99"


async def test_router_counts_every_request_but_those_for_health() -> None:
    bench = Bench()

    async def answer(_request: Request) -> Response:
        bench.now_s += 1.0
        return Response("{}")

    async def stream(_request: Request) -> Response:
        async def parts() -> Any:
            bench.now_s += 5.0
            yield b"x"

        return StreamingResponse(parts())

    routes: dict[tuple[str, str], Handler] = {
        ("GET", "health"): answer,
        ("POST", "preview_rule"): answer,
        ("POST", "backtest_rule"): stream,
    }
    functions = client(routes, function_log(FakeDatabase()), usage=bench.usage)
    for method, path in (
        ("GET", "/health"),
        ("POST", "/preview_rule"),
        ("POST", "/nonsense"),
        ("POST", "/functions/v1/backtest_rule"),
    ):
        await functions.request(method, path)
    await bench.usage.flush()
    totals = bench.usage.totals()
    assert totals[Meter.FUNCTION_INVOCATIONS] == 3
    assert totals[Meter.FUNCTION_SECONDS] == 6.0


async def test_report_waits_until_the_work_is_over() -> None:
    bench = Bench()
    with bench.usage.request():
        await asyncio.sleep(0)
        assert bench.reports == []
    await bench.usage.flush()
    assert len(bench.reports) == 1


async def test_crash_of_a_store_is_not_hidden() -> None:
    bench = Bench()

    async def crash(_reports: Sequence[UsageReport]) -> None:
        raise RuntimeError("our own mistake")

    bench.usage._write = crash
    with bench.usage.request():
        pass
    with pytest.raises(RuntimeError, match="our own mistake"):
        await bench.usage.flush()
