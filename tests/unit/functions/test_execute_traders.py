"""execute_traders over HTTP, in this process: signatures, claims, missing frames, failures."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from functions.execute_traders.handler import ExecuteTraders
from functions.finished_runs import FinishedRuns
from shared.errors import StoreUnavailable
from shared.runs import Trigger
from tests.unit.functions.fakes import (
    CLOSED_AT_MS,
    NOW_MS,
    SECRET,
    FakeDatabase,
    FakeWindows,
    client,
    function_log,
    run,
    signed,
    trader,
    window,
)

SLOT = {"venue": "binance", "interval": "1m", "closed_at_ms": CLOSED_AT_MS, "shard": 0}
NAN = float("nan")


class Bench:
    """The function with its fakes; `post` sends a signed request."""

    def __init__(self, *windows: Any) -> None:
        self.database = FakeDatabase()
        self.database.traders = (trader(1), trader(2, rule="rsii(3) < 1"))
        self.database.add(run(7))
        self.windows = FakeWindows(*windows)
        self.finished = FinishedRuns()
        self.log = function_log(self.database)
        handler = ExecuteTraders(
            runs=self.database,
            windows=self.windows,
            finished=self.finished,
            log=self.log,
            secret=SECRET,
            claimed_by="test:1",
            now_ms=lambda: NOW_MS,
            timeout_s=30.0,
        )
        self.client = client({("POST", "execute_traders"): handler}, self.log)

    async def post(self, content: Any) -> httpx.Response:
        return await self.client.post("/execute_traders", **signed(content))


@pytest.fixture
def bench() -> Bench:
    return Bench(window({"AUSDT": [1.0], "BUSDT": [2.0]}))


@pytest.mark.parametrize("body", [{"run_id": 7}, {"run_id": 7, "slot": SLOT}])
async def test_run_is_evaluated_and_stored(bench: Bench, body: dict[str, Any]) -> None:
    reply = (await bench.post(body)).json()
    assert (reply["status"], reply["signals_count"]) == ("finished", 2)
    assert (reply["matched_count"], reply["errors_count"]) == (2, 1)
    assert set(reply["stats"]) >= {"claim_ms", "load_ms", "evaluate_ms", "emit_ms"}
    (outcome,) = bench.database.outcomes
    assert [signal.instrument for signal in outcome.signals] == ["AUSDT", "BUSDT"]
    assert [error.trader_id for error in outcome.errors] == [2]
    assert bench.finished.contains_all([7])


async def test_finished_run_is_summarised_in_the_kept_log(bench: Bench) -> None:
    await bench.post({"run_id": 7})
    await bench.log.flush()
    (line,) = [row for row in bench.database.logs if row["event"] == "run_finished"]
    assert (line["run_id"], line["level"]) == (7, "info")
    assert line["fields"]["signals_count"] == 2


async def test_second_call_of_a_finished_run_does_nothing(bench: Bench) -> None:
    await bench.post({"run_id": 7, "slot": SLOT})
    reply = await bench.post({"run_id": 7, "slot": SLOT})
    assert (reply.status_code, reply.json()["status"]) == (200, "already_done")
    assert len(bench.database.outcomes) == 1


async def test_run_in_other_hands_is_left_alone(bench: Bench) -> None:
    bench.database.status[7] = "claimed"
    assert (await bench.post({"run_id": 7})).json()["status"] == "already_done"
    assert not bench.finished.contains_all([7])


async def test_stopped_emission_leaves_the_run_waiting(bench: Bench) -> None:
    bench.database.stopped = True
    assert (await bench.post({"run_id": 7})).json()["status"] == "waiting"


@pytest.mark.parametrize("body", [{"run_id": 7}, {"run_id": 7, "slot": SLOT}])
async def test_run_whose_frame_is_missing_is_given_back(body: dict[str, Any]) -> None:
    bench = Bench()
    reply = await bench.post(body)
    assert (reply.status_code, reply.json()["status"]) == (200, "waiting")
    assert bench.database.status[7] == "open"
    assert bench.database.given_back[0][1].startswith("StaleData")


async def test_run_whose_frame_cannot_be_read_is_given_back_and_said() -> None:
    bench = Bench()
    bench.windows.errors.append(StoreUnavailable("expected an answer of Redis", hint="look"))
    reply = await bench.post({"run_id": 7})
    assert reply.status_code == 503
    assert reply.json()["error"]["code"] == "StoreUnavailable"
    assert bench.database.status[7] == "open"


async def test_run_that_cannot_be_stored_is_given_back(bench: Bench) -> None:
    bench.database.errors["emit_signals"] = StoreUnavailable("expected an answer")
    reply = await bench.post({"run_id": 7})
    assert reply.status_code == 503
    assert bench.database.status[7] == "open"


async def test_crash_is_given_back_and_shows_no_traceback(bench: Bench) -> None:
    bench.database.errors["emit_signals"] = ZeroDivisionError("secret detail")
    reply = await bench.post({"run_id": 7})
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "InternalError"
    assert "secret detail" not in reply.text and "Traceback" not in reply.text
    assert bench.database.status[7] == "open"
    await bench.log.flush()
    (line,) = [row for row in bench.database.logs if row["event"] == "request_crashed"]
    assert line["fields"]["error_id"] in reply.json()["error"]["hint"]


async def test_traders_are_sent_once_a_revision() -> None:
    bench = Bench(window({"AUSDT": [1.0]}))
    for run_id in (7, 8, 9):
        bench.database.add(run(run_id))
        await bench.post({"run_id": run_id, "slot": SLOT})
    assert bench.database.known == [None, 1, 1]
    bench.database.revision, bench.database.traders = 2, (trader(5),)
    bench.database.add(run(10))
    await bench.post({"run_id": 10, "slot": SLOT})
    assert bench.database.known[-1] == 1
    assert [s.trader_id for s in bench.database.outcomes[-1].signals] == [5]


async def test_another_number_of_shards_asks_for_all_traders_again() -> None:
    bench = Bench(window({"AUSDT": [1.0]}))
    await bench.post({"run_id": 7, "slot": SLOT})
    bench.database.add(run(8, shard_count=2))
    reply = (await bench.post({"run_id": 8, "slot": SLOT})).json()
    assert reply["status"] == "finished"
    assert bench.database.known == [None, 1, None]


async def test_run_of_one_trader_does_not_replace_the_shard() -> None:
    bench = Bench(window({"AUSDT": [1.0]}))
    await bench.post({"run_id": 7, "slot": SLOT})
    everybody, bench.database.traders = bench.database.traders, (trader(2),)
    bench.database.revision = 2
    bench.database.add(run(8, trader_id=2))
    await bench.post({"run_id": 8, "slot": SLOT})
    assert [s.trader_id for s in bench.database.outcomes[-1].signals] == [2]
    bench.database.traders = everybody
    bench.database.add(run(9))
    await bench.post({"run_id": 9, "slot": SLOT})
    assert [s.trader_id for s in bench.database.outcomes[-1].signals] == [1]


async def test_new_symbol_list_prepares_the_traders_anew() -> None:
    bench = Bench(window({"AUSDT": [1.0], "BUSDT": [1.0]}))
    bench.database.traders = (trader(1, universe=("BUSDT",)),)
    await bench.post({"run_id": 7, "slot": SLOT})
    later_ms = CLOSED_AT_MS + 60_000
    bench.windows.windows |= FakeWindows(
        window({"BUSDT": [1.0], "CUSDT": [1.0]}, closed_at_ms=later_ms)
    ).windows
    bench.database.add(run(8, closed_at_ms=later_ms))
    await bench.post({"run_id": 8, "slot": SLOT | {"closed_at_ms": later_ms}})
    assert [s.instrument for s in bench.database.outcomes[-1].signals] == ["BUSDT"]


async def test_wrong_slot_in_the_request_does_not_choose_the_window() -> None:
    other = window({"AUSDT": [9.0]}, closed_at_ms=CLOSED_AT_MS - 60_000)
    bench = Bench(window({"AUSDT": [1.0]}), other)
    await bench.post({"run_id": 7, "slot": SLOT | {"closed_at_ms": CLOSED_AT_MS - 60_000}})
    assert [s.price for s in bench.database.outcomes[-1].signals] == ["1.0"]


async def test_incomplete_run_is_executed_again_for_what_was_missing() -> None:
    bench = Bench(window({"AUSDT": [1.0], "BUSDT": [NAN]}))
    await bench.post({"run_id": 7, "slot": SLOT})
    assert not bench.finished.contains_all([7])
    newer = window({"AUSDT": [1.0], "BUSDT": [2.0]}, frame_revision=2)
    bench.windows.windows |= FakeWindows(newer).windows
    await bench.post({"run_id": 7, "slot": SLOT})
    first, second = bench.database.outcomes
    assert [s.instrument for s in first.signals] == ["AUSDT"]
    assert [s.instrument for s in second.signals] == ["BUSDT"]
    assert (first.late, second.late, second.complete) == (False, True, True)
    assert bench.finished.contains_all([7])


async def test_exit_and_enter_use_the_close_before() -> None:
    bench = Bench(window({"AUSDT": [1.0, 3.0], "BUSDT": [3.0, 1.0]}))
    bench.database.traders = (
        trader(1, rule="close > 2", trigger=Trigger.ENTER),
        trader(2, rule="close > 2", trigger=Trigger.EXIT),
    )
    await bench.post({"run_id": 7})
    signals = bench.database.outcomes[0].signals
    assert [(s.trader_id, s.instrument) for s in signals] == [(1, "AUSDT"), (2, "BUSDT")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "run_id"),
        ({"run_id": "7"}, "run_id"),
        ({"run_id": True}, "run_id"),
        ({"run_id": 0}, "run_id"),
        ({"run_id": 2**63}, "run_id"),
        ({"run_id": 7, "slots": []}, "slots"),
        ({"run_id": 7, "slot": SLOT | {"interval": "2m"}}, "slot.interval"),
        ({"run_id": 7, "slot": SLOT | {"closed_at_ms": 1.5}}, "slot.closed_at_ms"),
        ([7], "body"),
        ("7", "body"),
    ],
)
async def test_wrong_type_is_400_with_the_field(bench: Bench, body: Any, field: str) -> None:
    reply = await bench.post(body)
    assert (reply.status_code, reply.json()["error"]["field"]) == (400, field)
    assert bench.database.known == []


async def test_body_that_is_no_json_is_400(bench: Bench) -> None:
    request = signed({})
    request |= {"content": b"{", "headers": request["headers"]}
    assert (await bench.client.post("/execute_traders", **request)).status_code == 401
    from shared.signing import signed_headers

    headers = signed_headers(SECRET, NOW_MS // 1000, b"{")
    reply = await bench.client.post("/execute_traders", content=b"{", headers=headers)
    assert (reply.status_code, reply.json()["error"]["field"]) == (400, "body")


async def test_body_over_the_limit_is_400(bench: Bench) -> None:
    reply = await bench.post({"run_id": 7, "padding": "x" * 1_000_000})
    assert (reply.status_code, reply.json()["error"]["field"]) == (400, "body")


async def test_long_body_that_hides_its_length_is_400(bench: Bench) -> None:
    async def endless() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    headers = {"x-closebell-timestamp": str(NOW_MS // 1000), "x-closebell-signature": "0"}
    reply = await bench.client.post("/execute_traders", content=endless(), headers=headers)
    assert (reply.status_code, reply.json()["error"]["field"]) == (400, "body")


@pytest.mark.parametrize(
    "forged",
    [
        {"content": b'{"run_id":7}'},
        signed({"run_id": 7}, secret="another-secret-altogether"),
        signed({"run_id": 7}, at_ms=NOW_MS - 301_000),
        signed({"run_id": 7}, at_ms=NOW_MS + 301_000),
        signed({"run_id": 7}) | {"content": b'{"run_id": 8}'},
        {"content": b"{}", "headers": {"x-closebell-timestamp": "x", "x-closebell-signature": "x"}},
        {"content": b"{}", "headers": {"authorization": f"Bearer {SECRET}"}},
    ],
)
async def test_forged_or_expired_signature_is_401_and_a_log_line(
    bench: Bench, forged: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    reply = await bench.client.post("/execute_traders", **forged)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "Unauthorized")
    assert bench.database.known == []
    assert "request_refused" in capsys.readouterr().out


async def test_signature_at_the_edge_of_its_time_is_good(bench: Bench) -> None:
    request = signed({"run_id": 7}, at_ms=NOW_MS - 299_000)
    assert (await bench.client.post("/execute_traders", **request)).status_code == 200
