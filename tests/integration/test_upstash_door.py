"""The Upstash door with the unmodified client, on a real Redis."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator

import httpx
import pytest
from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_redis.errors import UpstashError

from local.upstash_protocol import COMMANDS_PER_SECOND_MAX, Meter, Refusal
from tests.integration.standin_servers import RedisServer, answers, run_standin

TOKEN = "door-token"


@pytest.fixture(scope="module")
def door(redis_server: RedisServer) -> Iterator[str]:
    environment = {"REDIS_URL": redis_server.url, "UPSTASH_REDIS_REST_TOKEN": TOKEN}
    with run_standin(
        "upstash_door", environment, lambda port: answers(f"http://127.0.0.1:{port}/health")
    ) as (port, _):
        yield f"http://127.0.0.1:{port}"


def post(door: str, path: str, content: object, **headers: str) -> httpx.Response:
    return httpx.post(
        door + path,
        json=content,
        headers={"Authorization": f"Bearer {TOKEN}", **headers},
        trust_env=False,
        timeout=60,
    )


def test_client_values_return_as_stored(door: str) -> None:
    with Redis(url=door, token=TOKEN) as redis:
        assert redis.ping() == "PONG"
        assert redis.set("text", "hällo ✓")
        assert redis.get("text") == "hällo ✓"
        assert redis.get("absent") is None
        assert redis.hset("hash", values={"1": "a", "3": "c"}) == 2
        assert redis.hmget("hash", "1", "2", "3") == ["a", None, "c"]
        assert redis.incrbyfloat("number", 1.5) == 1.5
        assert redis.zadd("scores", {"m": 1.25}) == 1
        assert redis.zrange("scores", 0, -1, withscores=True) == [("m", 1.25)]


async def test_async_client_stores_a_frame_sized_field(door: str) -> None:
    frame = "x" * 25_000
    async with AsyncRedis(url=door, token=TOKEN) as redis:
        assert await redis.hset("klines:binance:1m", "60000", frame) == 1
        assert await redis.hget("klines:binance:1m", "60000") == frame


def test_pipeline_answers_errors_beside_results(door: str) -> None:
    commands = [["SET", "piped", "word"], ["INCR", "piped"], ["GET", "piped"]]
    reply = post(door, "/pipeline", commands)
    assert reply.status_code == 200
    assert reply.json() == [
        {"result": "OK"},
        {"error": "ERR value is not an integer or out of range"},
        {"result": "word"},
    ]


def test_transaction_with_an_unknown_command_runs_nothing(door: str) -> None:
    reply = post(door, "/multi-exec", [["SET", "unset", "1"], ["NOSUCH"]])
    assert reply.status_code == 400
    assert reply.json()["error"].startswith("ERR unknown command 'NOSUCH'")
    assert post(door, "/", ["GET", "unset"]).json() == {"result": None}
    with Redis(url=door, token=TOKEN) as redis:
        transaction = redis.multi()
        transaction.set("counter", 5)
        transaction.incr("counter")
        assert transaction.exec() == [True, 6]


def test_base64_encodes_all_but_the_literal_ok(door: str) -> None:
    encoding = {"Upstash-Encoding": "base64"}
    assert post(door, "/", ["SET", "word", "abc"], **encoding).json() == {"result": "OK"}
    encoded = base64.b64encode(b"abc").decode()
    assert post(door, "/", ["MGET", "word", "none"], **encoding).json() == {
        "result": [encoded, None]
    }


def test_wrong_token_is_401(door: str) -> None:
    with (
        Redis(url=door, token="wrong") as redis,
        pytest.raises(UpstashError, match="WRONGPASS invalid or missing auth token"),
    ):
        redis.get("text")
    reply = httpx.post(door, json=["PING"], trust_env=False)
    assert reply.status_code == 401
    assert reply.json() == {"error": "WRONGPASS invalid or missing auth token"}


@pytest.mark.parametrize(
    ("path", "content", "status", "error"),
    [
        ("/", ["BLPOP", "list", "1"], 400, "ERR Command is not available: 'BLPOP'"),
        ("/", ["subscribe", "c"], 400, "ERR Command is not available: 'SUBSCRIBE'"),
        ("/", ["XREAD", "block", "0", "STREAMS", "s", "$"], 400, "ERR XREAD with BLOCK"),
        ("/", [], 400, "ERR failed to parse command"),
        ("/", ["SET", "k", {"a": 1}], 400, "ERR failed to parse command"),
        ("/", ["SET", "k", True], 400, "ERR failed to parse command"),
        ("/pipeline", {"a": 1}, 400, "ERR failed to parse pipeline request"),
        ("/", ["GET", "k" * 32_769], 400, "ERR max key size exceeded"),
        ("/", ["SET", "k", "x" * 10_485_760], 413, "ERR max request size exceeded"),
        ("/set/a/b", [], 404, "ERR expected POST"),
    ],
)
def test_refused_request_says_why(
    door: str, path: str, content: object, status: int, error: str
) -> None:
    reply = post(door, path, content)
    assert (reply.status_code, reply.json()["error"][: len(error)]) == (status, error)


def test_body_that_is_no_json_is_400(door: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    reply = httpx.post(door, content=b"not json", headers=headers, trust_env=False)
    assert reply.status_code == 400
    assert reply.json() == {"error": "ERR failed to parse request: expected JSON"}


def test_meter_counts_each_command_of_a_pipeline_and_no_refused_one(door: str) -> None:
    def read() -> tuple[int, dict[str, int]]:
        report = httpx.get(door + "/_meter", trust_env=False).json()
        return report["total"], report["commands"]

    total_before, names_before = read()
    post(door, "/pipeline", [["HSET", "m", "f", "v"], ["HSET", "m", "g", "v"], ["hget", "m", "f"]])
    post(door, "/", ["MONITOR"])
    total, names = read()
    assert total - total_before == 3
    assert names["HSET"] - names_before.get("HSET", 0) == 2
    assert names["HGET"] - names_before.get("HGET", 0) == 1
    assert "MONITOR" not in names


def test_meter_over_the_rate_refuses_until_the_next_second() -> None:
    meter = Meter(now_s=100.0, since_ms=0)
    meter.admit([[b"GET"]] * COMMANDS_PER_SECOND_MAX, now_s=100.1)
    with pytest.raises(Refusal, match="max requests limit exceeded") as refused:
        meter.admit([[b"GET"]], now_s=100.9)
    assert refused.value.status == 429
    meter.admit([[b"GET"]], now_s=101.0)
    assert meter.report()["total"] == COMMANDS_PER_SECOND_MAX + 1


def test_redis_restart_is_survived(door: str, redis_server: RedisServer) -> None:
    post(door, "/", ["SET", "kept", "1"])
    redis_server.stop()
    try:
        reply = post(door, "/", ["GET", "kept"])
        assert reply.status_code == 503
        assert reply.json()["error"].startswith("ERR Redis is not reachable")
        assert not answers(door + "/health")
    finally:
        redis_server.start()
    assert post(door, "/", ["GET", "kept"]).json() == {"result": "1"}
    assert answers(door + "/health")


def test_client_that_leaves_mid_request_does_not_mix_up_replies(door: str) -> None:
    port = int(door.rpartition(":")[2])
    body = b'["DEBUG","x"]'
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as client:
            head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            client.sendall(head.encode() + b"Content-Length: 400\r\n\r\n" + body)
    post(door, "/", ["SET", "order", "1"])
    for number in range(20):
        assert post(door, "/", ["SET", "order", str(number)]).json() == {"result": "OK"}
        assert post(door, "/", ["GET", "order"]).json() == {"result": str(number)}
