"""preview_rule, explain_rule and backtest_rule over HTTP, in this process."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import jwt
import pytest

from functions.backtest_rule.handler import PROGRESS_LINES_MAX, BacktestRule
from functions.explain_rule.handler import ExplainRule
from functions.preview_rule.handler import PreviewRule
from functions.rate_limit import RateLimiter
from functions.router import Handler
from functions.rule_requests import RuleReader
from functions.tokens import TokenVerifier
from shared.market.interval import Interval
from shared.market.window import Window
from tests.unit.functions.fakes import (
    CLOSED_AT_MS,
    NOW_MS,
    USER_ID,
    FakeDatabase,
    FakeWindows,
    client,
    function_log,
    window,
)

JWT_SECRET = "a-secret-of-at-least-thirty-two-bytes"
NAN = float("nan")
PATHS = ("preview_rule", "explain_rule", "backtest_rule")


class Bench:
    """The three functions over the same fakes; `ask` sends a question of a signed-in user."""

    def __init__(self, *windows: Window, burst: int = 100) -> None:
        log = function_log(FakeDatabase())
        reader = RuleReader(
            windows=FakeWindows(*windows),
            tokens=TokenVerifier(JWT_SECRET, "http://nowhere", httpx.AsyncClient(), lambda: 0.0),
            limiter=RateLimiter(60, burst),
            log=log,
            now_ms=lambda: NOW_MS,
            monotonic_s=lambda: 0.0,
        )
        routes: dict[tuple[str, str], Handler] = {
            ("POST", "preview_rule"): PreviewRule(reader),
            ("POST", "explain_rule"): ExplainRule(reader),
            ("POST", "backtest_rule"): BacktestRule(reader, log),
        }
        self.client = client(routes, log)

    async def ask(self, path: str, **fields: Any) -> httpx.Response:
        claims = {"sub": USER_ID, "aud": "authenticated", "role": "authenticated"}
        expires = {"exp": int(time.time()) + 3600}
        bearer = jwt.encode(claims | expires, JWT_SECRET, algorithm="HS256")
        headers = {"authorization": f"Bearer {bearer}"}
        return await self.client.post(f"/{path}", json={"interval": "1m"} | fields, headers=headers)


@pytest.fixture
def bench() -> Bench:
    closes = {"AUSDT": [11.0, 9.0], "BUSDT": [9.0, 9.5], "CUSDT": [11.0, 12.0], "DUSDT": [NAN]}
    return Bench(window(closes))


async def test_preview_counts_matches_and_ranks_near_misses(bench: Bench) -> None:
    found = (await bench.ask("preview_rule", rule="close < 9.2")).json()
    assert (found["true_count"], found["false_count"], found["unknown_count"]) == (1, 2, 1)
    (match,) = found["matches"]
    assert (match["instrument"], match["values"]) == ("AUSDT", {"close": 9.0})
    assert found["would_signal"] == ["AUSDT"]
    assert [miss["instrument"] for miss in found["near_misses"]["nearest"]] == ["BUSDT", "CUSDT"]
    assert found["closed_at_ms"] == CLOSED_AT_MS


async def test_preview_compares_within_the_universe_that_is_asked_for(bench: Bench) -> None:
    fields = {"rule": "rank(close) == 1", "universe": ["AUSDT", "BUSDT"], "trigger": "while"}
    found = (await bench.ask("preview_rule", **fields)).json()
    assert [match["instrument"] for match in found["matches"]] == ["BUSDT"]


async def test_explanation_shows_values_verdicts_and_the_distance(bench: Bench) -> None:
    rule = "close < 9.2 and close > 5"
    found = (await bench.ask("explain_rule", rule=rule, instrument="BUSDT")).json()
    tree = found["tree"]
    assert (tree["state"], [part["state"] for part in tree["parts"]]) == (0, [0, 1])
    assert tree["parts"][0]["distance"] == pytest.approx(0.3)
    assert tree["parts"][0]["parts"][0]["value"] == 9.5


async def test_explanation_of_an_unknown_says_why(bench: Bench) -> None:
    found = (await bench.ask("explain_rule", rule="close < 9.2", instrument="DUSDT")).json()
    assert (found["tree"]["state"], found["tree"]["reason"]) == (-1, "missing")


async def test_backtest_streams_progress_then_the_report() -> None:
    closes = [10.0 + (minute % 7) for minute in range(60)]
    bench = Bench(window({"AUSDT": closes}))
    response = await bench.ask("backtest_rule", rule="close > 15.5")
    lines = [json.loads(line) for line in response.text.splitlines()]
    done = [line["progress"]["done"] for line in lines[:-1]]
    assert done == sorted(done) and 0 < len(done) <= PROGRESS_LINES_MAX + 1
    report = lines[-1]["report"]
    # 16 every seventh minute, entered each time.
    assert report["signals_count"] == sum(close > 15.5 for close in closes)
    assert report["by_instrument"] == [
        {"instrument": "AUSDT", "signals_count": report["signals_count"]}
    ]


@pytest.mark.parametrize("path", PATHS)
async def test_question_that_is_wrong_is_refused_with_its_place(bench: Bench, path: str) -> None:
    fields = {"instrument": "AUSDT"} if path == "explain_rule" else {}
    wrong = await bench.ask(path, rule="rsii(3) < 1", **fields)
    error = wrong.json()["error"]
    assert (wrong.status_code, error["code"], error["suggestion"]) == (400, "InvalidRule", "rsi")
    elsewhere = await bench.ask(path, rule='of("AUSD", close) > 1', **fields)
    assert elsewhere.json()["error"]["suggestion"] == "AUSDT"
    extra = await bench.ask(path, rule="close > 1", nonsense=1, **fields)
    assert extra.json()["error"]["field"] == "nonsense"
    nobody = await bench.client.post(f"/{path}", json={"rule": "close > 1", "interval": "1m"})
    assert nobody.status_code == 401


@pytest.mark.parametrize("path", PATHS)
async def test_interval_without_klines_is_not_found(bench: Bench, path: str) -> None:
    fields = {"instrument": "AUSDT"} if path == "explain_rule" else {}
    reply = await bench.ask(path, rule="close > 1", interval=str(Interval.H4), **fields)
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "NotFound")


async def test_unknown_instrument_names_the_nearest(bench: Bench) -> None:
    reply = await bench.ask("explain_rule", rule="close > 1", instrument="busd")
    error = reply.json()["error"]
    assert (error["field"], error["suggestion"]) == ("instrument", "BUSDT")


async def test_questions_are_limited_a_user() -> None:
    bench = Bench(window({"AUSDT": [1.0]}), burst=1)
    assert (await bench.ask("preview_rule", rule="close > 1")).status_code == 200
    assert (await bench.ask("preview_rule", rule="close > 1")).status_code == 429
