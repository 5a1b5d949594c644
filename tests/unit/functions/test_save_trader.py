"""save_trader over HTTP: identity, refusals that store nothing, previews, and the first run."""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import pytest

from functions.rate_limit import RateLimiter
from functions.save_trader.core import try_rule
from functions.save_trader.handler import SaveTrader
from functions.tokens import TokenVerifier
from shared.errors import Forbidden, StoreUnavailable
from shared.market.interval import Interval
from shared.rules import parse_rule
from shared.runs import Trigger
from tests.unit.functions.fakes import (
    CLOSED_AT_MS,
    NOW_MS,
    USER_ID,
    FakeDatabase,
    FakeExecute,
    FakeWindows,
    client,
    function_log,
    run,
    window,
)

JWT_SECRET = "a-secret-of-at-least-thirty-two-bytes"
ORIGIN = "http://127.0.0.1:9"
NAN = float("nan")
TRADER: dict[str, Any] = {
    "name": " Cheap ",
    "rule": "close < 10",
    "interval": "1m",
    "trigger": "enter",
}


def token(**claims: Any) -> str:
    given: dict[str, Any] = {"sub": USER_ID, "aud": "authenticated", "role": "authenticated"}
    given |= {"exp": int(time.time()) + 3600}
    return jwt.encode(given | claims, JWT_SECRET, algorithm="HS256")


class Bench:
    """The function with its fakes; `post` sends a trader as its owner."""

    def __init__(self, *windows: Any, burst: int = 100) -> None:
        self.database = FakeDatabase()
        self.windows = FakeWindows(*windows)
        self.execute = FakeExecute()
        self.log = function_log(self.database)
        handler = SaveTrader(
            traders=self.database,
            windows=self.windows,
            execute=self.execute,
            tokens=TokenVerifier(JWT_SECRET, "http://nowhere", httpx.AsyncClient(), lambda: 0.0),
            limiter=RateLimiter(60, burst),
            log=self.log,
            now_ms=lambda: NOW_MS,
            monotonic_s=lambda: 0.0,
        )
        self.client = client({("POST", "save_trader"): handler}, self.log, origin=ORIGIN)

    async def post(self, bearer: str | None = None, **fields: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token() if bearer is None else bearer}"}
        return await self.client.post("/save_trader", json=TRADER | fields, headers=headers)

    async def refused(self, **fields: Any) -> dict[str, Any]:
        reply = await self.post(**fields)
        assert reply.status_code == 400, reply.text
        assert self.database.stored == []
        error: dict[str, Any] = reply.json()["error"]
        return error


@pytest.fixture
def bench() -> Bench:
    closes = {"AUSDT": [11.0, 9.0], "BUSDT": [9.0, 9.0], "CUSDT": [11.0, 11.0], "DUSDT": [NAN]}
    return Bench(window(closes))


async def test_trader_is_stored_previewed_and_run_once(bench: Bench) -> None:
    bench.database.add(run(9, trader_id=41))
    reply = (await bench.post()).json()
    assert reply["trader"]["id"] == 41
    assert reply["preview"] == {
        "closed_at_ms": CLOSED_AT_MS,
        "matched_count": 2,
        "triggered_count": 1,
        "known_count": 3,
        "unknown_count": 1,
        "matches": [
            {"instrument": "AUSDT", "values": {"close": 9.0}},
            {"instrument": "BUSDT", "values": {"close": 9.0}},
        ],
        "unknown_reason": "missing",
    }
    ((user_id, stored),) = bench.database.stored
    assert user_id == USER_ID
    assert stored == {
        "name": "Cheap",
        "description": "",
        "rule": "close < 10",
        "venue": "binance",
        "universe": None,
        "interval": "1m",
        "trigger": "enter",
        "cooldown_s": 0,
        "cadence": "close",
        "enabled": True,
    }
    assert bench.database.opened == [("binance", Interval.M1, CLOSED_AT_MS, 41)]
    assert bench.execute.run_ids == [9]


async def test_dry_run_previews_and_stores_nothing(bench: Bench) -> None:
    reply = (await bench.post(dry_run=True)).json()
    assert reply["trader"] is None and reply["preview"]["matched_count"] == 2
    assert bench.database.stored == [] and bench.execute.run_ids == []


async def test_change_of_a_trader_names_it(bench: Bench) -> None:
    await bench.post(id=12)
    assert bench.database.stored[0][1]["id"] == 12


async def test_disabled_trader_is_stored_and_not_run(bench: Bench) -> None:
    await bench.post(enabled=False)
    assert bench.database.opened == []


async def test_first_run_that_fails_does_not_fail_the_save(bench: Bench) -> None:
    bench.database.errors["open_slot"] = StoreUnavailable("no answer")
    assert (await bench.post()).status_code == 200


async def test_rule_with_an_unknown_name_is_refused_with_place_and_suggestion(
    bench: Bench,
) -> None:
    error = await bench.refused(rule="close > 1 and\nrsii(14) < 30")
    assert (error["code"], error["field"]) == ("InvalidRule", "rule")
    assert (error["line"], error["column"], error["suggestion"]) == (2, 1, "rsi")


@pytest.mark.parametrize("rule", ["close >", "__import__('os')", "close", "x" * 2001, " "])
async def test_rule_that_is_none_is_refused(bench: Bench, rule: str) -> None:
    assert (await bench.refused(rule=rule))["field"] == "rule"


async def test_universe_with_an_unknown_name_is_refused_with_a_suggestion(bench: Bench) -> None:
    error = await bench.refused(universe=["AUSDT", "busdt"])
    assert (error["field"], error["suggestion"]) == ("universe", "BUSDT")


async def test_rule_that_is_unknown_everywhere_is_refused_with_the_reason(bench: Bench) -> None:
    error = await bench.refused(rule="sma(100) > 1")
    assert error["field"] == "rule"
    assert "warming up (2 of 100 bars)" in error["message"]


async def test_rule_that_is_unknown_in_its_universe_is_refused(bench: Bench) -> None:
    assert "missing" in (await bench.refused(universe=["DUSDT"]))["message"]


async def test_trader_of_an_interval_without_data_is_stored_and_told_so() -> None:
    bench = Bench()
    reply = (await bench.post(interval="3m")).json()
    assert reply["trader"]["id"] == 41
    assert reply["preview"]["closed_at_ms"] is None
    assert reply["preview"]["unknown_reason"] == "no 3m klines of binance yet"
    assert bench.database.opened == []


@pytest.mark.parametrize("bars_behind", [1, 30])
async def test_preview_uses_the_newest_frame_there_is(bars_behind: int) -> None:
    at_ms = CLOSED_AT_MS - bars_behind * 60_000
    bench = Bench(window({"AUSDT": [1.0]}, closed_at_ms=at_ms))
    assert (await bench.post(dry_run=True)).json()["preview"]["closed_at_ms"] == at_ms


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"interval": "7m"}, "interval"),
        ({"trigger": "always"}, "trigger"),
        ({"cooldown_s": -1}, "cooldown_s"),
        ({"cooldown_s": 1.5}, "cooldown_s"),
        ({"cooldown_s": "60"}, "cooldown_s"),
        ({"universe": []}, "universe"),
        ({"universe": "AUSDT"}, "universe"),
        ({"universe": ["AUSDT", 3]}, "universe.1"),
        ({"enabled": "yes"}, "enabled"),
        ({"id": 0}, "id"),
        ({"user_id": USER_ID}, "user_id"),
        ({"error_count": 0}, "error_count"),
    ],
)
async def test_wrong_field_is_400_with_its_name(
    bench: Bench, fields: dict[str, Any], field: str
) -> None:
    assert (await bench.refused(**fields))["field"] == field


async def test_body_over_the_limit_is_400(bench: Bench) -> None:
    error = await bench.refused(description="x" * 64_000)
    assert error["field"] == "body"


async def test_quota_of_the_database_is_403_with_its_hint(bench: Bench) -> None:
    bench.database.errors["store_trader"] = Forbidden("expected at most 10", hint="upgrade")
    reply = await bench.post()
    assert (reply.status_code, reply.json()["error"]["hint"]) == (403, "upgrade")


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        "nonsense",
        token(exp=int(time.time()) - 60),
        token(aud="anon"),
        token(role="anon"),
        token(role="service_role"),
        token(sub="not-a-user"),
        jwt.encode({"sub": USER_ID, "aud": "authenticated"}, JWT_SECRET, algorithm="HS256"),
        jwt.encode({"sub": USER_ID, "aud": "authenticated", "exp": 2**33}, "", algorithm="none"),
        token()[:-6] + "AAAAAA",
        jwt.encode(
            {"sub": USER_ID, "aud": "authenticated", "role": "authenticated", "exp": 2**33},
            "another-secret-of-at-least-32-bytes!",
            algorithm="HS256",
        ),
    ],
)
async def test_forged_or_expired_token_is_401_and_stores_nothing(bench: Bench, bearer: str) -> None:
    reply = await bench.post(bearer)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "Unauthorized")
    assert bench.database.stored == []


async def test_signature_of_our_own_parts_is_no_user(bench: Bench) -> None:
    assert (await bench.client.post("/save_trader", json=TRADER)).status_code == 401


async def test_too_many_requests_are_429_with_a_time(bench: Bench) -> None:
    bench = Bench(window({"AUSDT": [1.0]}), burst=2)
    statuses = [(await bench.post(dry_run=True)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert int((await bench.post()).headers["retry-after"]) >= 1


async def test_dashboard_may_call_from_its_origin_and_no_other(bench: Bench) -> None:
    asked = await bench.client.options("/save_trader", headers={"origin": ORIGIN})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in asked.headers["access-control-allow-headers"]
    other = await bench.client.options("/save_trader", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    refused = await bench.client.post("/save_trader", headers={"origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(
    ("trigger", "triggered"), [(Trigger.ENTER, 1), (Trigger.EXIT, 1), (Trigger.WHILE, 2)]
)
def test_trial_counts_what_the_trigger_would_signal(trigger: Trigger, triggered: int) -> None:
    seen = window({"A": [1.0, 3.0], "B": [3.0, 3.0], "C": [3.0, 1.0], "D": [1.0, 1.0]})
    trial = try_rule(parse_rule("close > 2"), None, trigger, seen, matches_max=1)
    assert (trial.matched_count, trial.triggered_count) == (2, triggered)
    assert len(trial.matches) == 1


@pytest.mark.parametrize(
    ("rule", "message", "suggestion"),
    [
        ('of("AUSD", close) > 1', "expected an instrument that is followed, was AUSD", "AUSDT"),
        ('close(tf="4h") > 1', "expected an interval that is collected", ""),
    ],
)
async def test_rule_that_reads_what_is_not_followed_is_refused(
    rule: str, message: str, suggestion: str
) -> None:
    error = await Bench(window({"AUSDT": [1.0]})).refused(rule=rule)
    assert error["message"].startswith(message)
    assert error.get("suggestion", "") == suggestion


async def test_rule_on_a_longer_interval_is_tried_on_its_bars() -> None:
    hourly = window(
        {"AUSDT": [7.0]},
        interval=Interval.H1,
        closed_at_ms=Interval.H1.floor_ms(CLOSED_AT_MS),
    )
    bench = Bench(window({"AUSDT": [1.0, 1.0]}), hourly)
    response = await bench.post(rule='close(tf="1h") > 6', trigger="while")
    assert response.status_code == 200, response.text
    preview = response.json()["preview"]
    assert preview["matched_count"] == 1
    assert list(preview["matches"][0]["values"].values()) == [7.0]
