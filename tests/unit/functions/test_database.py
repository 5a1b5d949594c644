"""Database over the real client library against a transport that answers like PostgREST."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest
import stamina

from shared.errors import (
    ClosebellError,
    Forbidden,
    InvalidRequest,
    NotFound,
    SlotAlreadyDone,
    StoreUnavailable,
    Unauthorized,
)
from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.runs import Outcome, Signal, Trigger
from shared.store.database import ATTEMPTS, Database

KEY = "sb_secret_of_the_tests"
CLAIM = {
    "claimed": True,
    "claim_token": "b2f0c1f4-0000-4000-8000-000000000000",
    "run": {
        "run_id": 7,
        "venue": "binance",
        "interval": "1m",
        "closed_at_ms": 1_760_000_040_000,
        "shard": 0,
        "shard_count": 1,
        "trader_id": None,
        "origin": "live",
        "attempt": 1,
        "frame_revision": None,
        "missing_instruments": [],
    },
    "traders_revision": 4,
    "traders": [
        {
            "id": 1,
            "user_id": "11111111-1111-4111-8111-111111111111",
            "rule": "close > 1",
            "universe": ["BTCUSDT"],
            "trigger": "enter",
            "cooldown_s": 60,
            "version": 2,
            "enabled_at_ms": 5,
            "signals_per_close_max": 20,
        }
    ],
}


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    """Repeat as often as always, without the waits in between."""
    with stamina.set_testing(True, attempts=ATTEMPTS, cap=True):
        yield


class Rest:
    """Answers each request with the next of `answers` (the last one again); notes them."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        transport = httpx.MockTransport(self.answer)
        self.database = Database("http://project", KEY, transport=transport)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def body(self, index: int = -1) -> Any:
        return json.loads(self.requests[index].content)


def refusal(code: str, status: int = 400, hint: str = "") -> httpx.Response:
    content = {"code": code, "message": "expected …, was …", "hint": hint, "details": None}
    return httpx.Response(status, json=content)


def ok(content: Any) -> httpx.Response:
    return httpx.Response(200, json=content)


def outcome() -> Outcome:
    signal = Signal(
        trader_id=1,
        rule_version=2,
        instrument="BTCUSDT",
        trigger=Trigger.ENTER,
        price="1.5",
        values={"close": 1.5},
    )
    return Outcome(
        feed=Feed.LIVE,
        frame_revision=1,
        complete=True,
        missing_instruments=(),
        traders_count=1,
        evaluated_at_ms=5,
        late=False,
        matched_count=1,
        signals=(signal,),
        overflow={"1": 2},
        errors=(),
        stats={"load_ms": 1.0},
    )


async def test_claim_is_decoded_and_asked_as_the_service() -> None:
    rest = Rest(ok(CLAIM))
    claim = await rest.database.claim_run(7, "host:1", 3)
    assert claim.run.interval is Interval.M1
    assert claim.traders is not None and claim.traders[0].universe == ("BTCUSDT",)
    assert not claim.run.is_rerun
    (request,) = rest.requests
    assert str(request.url) == "http://project/rest/v1/rpc/claim_run"
    assert request.headers["apikey"] == KEY
    assert rest.body() == {"run_id": 7, "claimed_by": "host:1", "known_traders_revision": 3}


@pytest.mark.parametrize("reason", ["finished", "claimed", "stopped"])
async def test_refused_claim_says_why(reason: str) -> None:
    rest = Rest(ok({"claimed": False, "reason": reason}))
    with pytest.raises(SlotAlreadyDone) as refused:
        await rest.database.claim_run(7, "host:1")
    assert refused.value.context["reason"] == reason


async def test_outcome_is_sent_as_plain_json() -> None:
    rest = Rest(ok({"inserted": 1, "duplicates": 0, "cooldown": 0, "disabled": 0, "overflow": 1}))
    emitted = await rest.database.emit_signals(7, "token", outcome())
    assert emitted.inserted == 1
    sent = rest.body()["outcome"]
    assert sent["signals"][0] == {
        "trader_id": 1,
        "rule_version": 2,
        "instrument": "BTCUSDT",
        "trigger": "enter",
        "price": "1.5",
        "values": {"close": 1.5},
    }
    assert (sent["overflow"], sent["late"], sent["feed"]) == ({"1": 2}, False, "live")


async def test_open_slot_returns_its_shards() -> None:
    rest = Rest(ok({"runs": [{"run_id": 1, "shard": 0, "status": "open"}]}))
    (run,) = await rest.database.open_slot("binance", Interval.H1, 3_600_000)
    assert (run.run_id, run.status) == (1, "open")
    assert rest.body()["interval"] == "1h"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("PT400", InvalidRequest),
        ("PT401", Unauthorized),
        ("PT403", Forbidden),
        ("PT404", NotFound),
        ("PT409", SlotAlreadyDone),
        ("23505", StoreUnavailable),
        ("PGRST202", StoreUnavailable),
    ],
)
async def test_refusal_becomes_the_leaf_that_says_what_to_do(
    code: str, kind: type[ClosebellError]
) -> None:
    rest = Rest(refusal(code, hint="name"))
    with pytest.raises(kind) as raised:
        await rest.database.store_trader("u", {"name": "x"})
    assert len(rest.requests) == 1
    if isinstance(raised.value, InvalidRequest):
        assert raised.value.field == "name"


REPEATABLE: list[Callable[[Database], Any]] = [
    lambda d: d.open_slot("binance", Interval.M1, 60_000),
    lambda d: d.emit_signals(7, "token", outcome()),
    lambda d: d.fail_run(7, "token", "why"),
    lambda d: d.store_trader("u", {"id": 3}),
    lambda d: d.write_logs([]),
]
NOT_REPEATABLE: list[Callable[[Database], Any]] = [
    lambda d: d.claim_run(7, "host:1"),
    lambda d: d.store_trader("u", {"name": "new"}),
]
LOST = [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), refusal("57P01", 500)]
LOST += [httpx.Response(502, text="<html>")]


@pytest.mark.parametrize("call", REPEATABLE)
@pytest.mark.parametrize("lost", LOST)
async def test_call_that_may_be_repeated_is_tried_again(
    call: Callable[[Database], Any], lost: httpx.Response | Exception
) -> None:
    rest = Rest(lost, ok({"runs": []}))
    await call(rest.database)
    assert len(rest.requests) == 2
    assert rest.body(0) == rest.body(1)


@pytest.mark.parametrize("call", NOT_REPEATABLE)
@pytest.mark.parametrize("lost", LOST)
async def test_call_that_may_have_been_carried_out_is_not_repeated(
    call: Callable[[Database], Any], lost: httpx.Response | Exception
) -> None:
    rest = Rest(lost)
    with pytest.raises(StoreUnavailable):
        await call(rest.database)
    assert len(rest.requests) == 1


@pytest.mark.parametrize("call", [*REPEATABLE, *NOT_REPEATABLE])
async def test_refused_connection_is_tried_again_a_few_times(
    call: Callable[[Database], Any],
) -> None:
    rest = Rest(httpx.ConnectError("refused"))
    with pytest.raises(StoreUnavailable) as raised:
        await call(rest.database)
    assert len(rest.requests) == 3
    assert "SUPABASE_URL" in raised.value.hint


async def test_reply_of_another_release_is_named_not_guessed() -> None:
    claim = json.loads(json.dumps(CLAIM))
    claim["run"]["closed_at_ms"] = "soon"
    with pytest.raises(StoreUnavailable, match="closed_at_ms"):
        await Rest(ok(claim)).database.claim_run(7, "host:1")


def test_outcome_survives_the_way_through_json() -> None:
    sent = msgspec.to_builtins(outcome())
    assert msgspec.convert(json.loads(json.dumps(sent)), Outcome) == outcome()
