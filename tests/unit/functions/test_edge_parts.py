"""Router, kept log, rate limit, published keys, and the signed call of one run."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import Response

from functions import VERSION
from functions.dispatch import Dispatcher
from functions.finished_runs import RUNS_MAX, FinishedRuns
from functions.function_log import FunctionLog
from functions.health.handler import health
from functions.ports import RunToStart
from functions.rate_limit import RateLimiter
from functions.router import function_name
from functions.tokens import JWKS_REFRESH_S_MIN, TokenVerifier
from shared.errors import StoreUnavailable, TooManyRequests, Unauthorized
from shared.log_queue import QUEUE_LINES_MAX
from shared.market.interval import Interval
from shared.runs import RunStatus
from shared.signing import verify
from tests.unit.functions.fakes import (
    CLOSED_AT_MS,
    NOW_MS,
    SECRET,
    USER_ID,
    FakeDatabase,
    client,
    function_log,
)

CLAIMS: dict[str, Any] = {"sub": USER_ID, "aud": "authenticated", "role": "authenticated"}
CLAIMS |= {"exp": int(time.time()) + 3600}


@pytest.mark.parametrize(
    ("path", "name"),
    [("/health", "health"), ("/functions/v1/health", "health"), ("/health/", "health"), ("/", "")],
)
def test_path_names_a_function_with_or_without_the_gateway(path: str, name: str) -> None:
    assert function_name(path) == name


async def test_router_answers_health_and_refuses_the_rest() -> None:
    async def crash(_request: Request) -> Response:
        raise RuntimeError("a detail nobody may see")

    routes = {("GET", "health"): health, ("POST", "crash"): crash}
    http = client(routes, function_log(FakeDatabase()))
    answer = await http.get("/functions/v1/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": VERSION})
    assert (await http.get("/nothing")).status_code == 404
    assert (await http.get("/../health/core.py")).status_code == 404
    wrong = await http.get("/crash")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST, OPTIONS")
    crashed = await http.post("/crash")
    assert crashed.status_code == 500
    assert "detail" not in crashed.text and 'Error"' in crashed.text
    for reply in (wrong, crashed):
        assert set(reply.json()["error"]) >= {"code", "message", "hint"}


async def test_kept_log_batches_drops_over_its_bound_and_says_how_many() -> None:
    batches: list[Any] = []

    async def write(rows: Any) -> None:
        batches.append(rows)

    log = FunctionLog(write, lambda: NOW_MS, pause_s=0.0)
    for number in range(QUEUE_LINES_MAX + 5):
        log.line("warning", "thing_happened", number=number, run_id=3)
    await log.flush()
    assert sum(len(batch) for batch in batches) == QUEUE_LINES_MAX + 1
    assert max(len(batch) for batch in batches) <= 101
    told, first = batches[0][:2]
    assert (told["event"], told["level"]) == ("lines_dropped", "warn")
    assert told["fields"] == {"dropped_count": 5}
    assert first["fields"] == {"number": 0}
    assert (first["level"], first["run_id"], first["trader_id"]) == ("warn", 3, None)
    assert first["logged_at"].startswith("2025-10-09T08:54:00.5")
    json.dumps(batches)


async def test_kept_log_survives_a_database_that_is_away() -> None:
    database = FakeDatabase()
    log = function_log(database)
    database.errors["write_logs"] = StoreUnavailable("no answer")
    log.line("error", "lost")
    await log.flush()
    database.errors.clear()
    log.line("error", "kept", api_token="secret")
    await log.flush()
    told, row = database.logs
    assert (told["event"], told["fields"]) == ("lines_dropped", {"dropped_count": 1})
    assert row["event"] == "kept"
    assert row["fields"] == {"api_token": "[hidden]"}


async def test_line_that_is_not_kept_stays_on_stdout() -> None:
    database = FakeDatabase()
    log = function_log(database)
    log.line("warning", "said", keep=False)
    await log.flush()
    assert database.logs == []


def test_rate_limit_refills_with_time_and_keeps_callers_apart() -> None:
    limiter = RateLimiter(per_minute=60, burst=2)
    limiter.take("a", 0.0)
    limiter.take("a", 0.0)
    with pytest.raises(TooManyRequests) as refused:
        limiter.take("a", 0.5)
    assert refused.value.context == {"retry_after_s": 1}
    limiter.take("b", 0.5)
    limiter.take("a", 1.0)


async def test_finished_runs_are_bounded() -> None:
    finished = FinishedRuns()
    for run_id in range(RUNS_MAX + 1):
        await finished.add(run_id)
    assert not finished.contains_all([0])
    assert finished.contains_all([1, RUNS_MAX])
    assert await finished.wait_for([0], 0.01) is False


class Keys:
    """A project that publishes keys; `loads` counts how often they were asked for."""

    def __init__(self) -> None:
        self.private: dict[str, Any] = {"ec-1": ec.generate_private_key(ec.SECP256R1())}
        self.loads = 0
        self.now_s = 0.0
        self.is_down = False
        transport = httpx.MockTransport(self.answer)
        self.verifier = TokenVerifier(
            "", "http://project/", httpx.AsyncClient(transport=transport), lambda: self.now_s
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://project/auth/v1/.well-known/jwks.json"
        self.loads += 1
        if self.is_down:
            return httpx.Response(502, text="away")
        keys = []
        for key_id, key in self.private.items():
            is_ec = isinstance(key, ec.EllipticCurvePrivateKey)
            kind = jwt.algorithms.ECAlgorithm if is_ec else jwt.algorithms.RSAAlgorithm
            algorithm = "ES256" if is_ec else "RS256"
            keys.append(kind.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id})
            keys[-1] |= {"alg": algorithm, "use": "sig"}
        return httpx.Response(200, json={"keys": keys})

    def token(self, key_id: str, key: Any = None, algorithm: str = "ES256") -> str:
        signer = key or self.private[key_id]
        return jwt.encode(CLAIMS, signer, algorithm=algorithm, headers={"kid": key_id})


async def test_published_keys_are_loaded_once_and_again_after_a_rotation() -> None:
    keys = Keys()
    for _ in range(3):
        assert await keys.verifier.user_id(f"Bearer {keys.token('ec-1')}") == USER_ID
    assert keys.loads == 1
    keys.private["rsa-2"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    rotated = keys.token("rsa-2", algorithm="RS256")
    with pytest.raises(Unauthorized):
        await keys.verifier.user_id(f"Bearer {rotated}")
    assert keys.loads == 1
    keys.now_s = JWKS_REFRESH_S_MIN
    assert await keys.verifier.user_id(f"Bearer {rotated}") == USER_ID
    assert keys.loads == 2


async def test_token_that_chooses_its_own_key_or_algorithm_is_refused() -> None:
    keys = Keys()
    public = keys.private["ec-1"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # PyJWT refuses to sign with a public key; a forger does not ask it.
    import base64
    import hashlib
    import hmac

    def part(content: Any) -> bytes:
        return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=")

    head = part({"alg": "HS256", "typ": "JWT", "kid": "ec-1"}) + b"." + part(CLAIMS)
    digest = hmac.new(pem, head, hashlib.sha256).digest()
    confused = (head + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()
    stranger = keys.token("ec-1", key=ec.generate_private_key(ec.SECP256R1()))
    unsigned = jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": "ec-1"})
    for forged in (confused, stranger, unsigned, "a.b.c", ""):
        with pytest.raises(Unauthorized):
            await keys.verifier.user_id(f"Bearer {forged}")


async def test_keys_that_cannot_be_had_are_our_fault_not_the_users() -> None:
    keys = Keys()
    keys.is_down = True
    with pytest.raises(StoreUnavailable):
        await keys.verifier.user_id(f"Bearer {keys.token('ec-1')}")


async def dispatch(answer: Any) -> RunStatus:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        log = function_log(FakeDatabase())
        dispatcher = Dispatcher(http, "http://functions/", SECRET, log, lambda: NOW_MS)
        run = RunToStart(
            run_id=7, venue="binance", interval=Interval.M1, closed_at_ms=CLOSED_AT_MS, shard=0
        )
        result = await dispatcher(run)
        await log.flush()
        return result.status


async def test_run_is_started_by_a_signed_call_that_names_its_slot() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        verify(SECRET, request.headers, request.content, NOW_MS // 1000)
        assert str(request.url) == "http://functions/execute_traders"
        assert json.loads(request.content) == {
            "run_id": 7,
            "slot": {
                "venue": "binance",
                "interval": "1m",
                "closed_at_ms": CLOSED_AT_MS,
                "shard": 0,
            },
        }
        return httpx.Response(200, json={"run_id": 7, "status": "finished", "stats": {}})

    assert await dispatch(answer) is RunStatus.FINISHED


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="Internal Server Error"),
        httpx.Response(503, json={"error": {"code": "StoreUnavailable"}}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"status": "somehow"}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
)
async def test_call_that_fails_is_a_failed_run(answer: httpx.Response | Exception) -> None:
    def respond(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await dispatch(respond) is RunStatus.FAILED


async def test_waiters_are_woken_in_any_order() -> None:
    finished = FinishedRuns()
    tasks = [asyncio.create_task(finished.wait_for([i], 30.0)) for i in range(3)]
    for run_id in (2, 0, 1):
        await finished.add(run_id)
    assert await asyncio.gather(*tasks) == [True, True, True]
