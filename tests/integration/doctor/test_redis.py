"""Faults of Redis: token, quota, reach, latency, eviction."""

from __future__ import annotations

import threading

import pytest
import redis

from local.ports import HOST, is_free
from tests.integration.doctor.patient import (
    FAULT,
    RESTART,
    SKIPPED,
    WARNING,
    Answer,
    elsewhere,
    examine,
    fails,
    frozen,
    hotel,
    standin,
)
from tests.integration.standin_servers import free_port, run_standin
from tests.stack import Stack


def test_wrong_token(values: dict[str, str]) -> None:
    found = examine(values | {"upstash_redis_rest_token": "wrong"}, "redis", "eviction")
    assert found["redis"].verdict is FAULT
    assert "401 WRONGPASS" in found["redis"].found
    assert found["redis"].mend == "unset UPSTASH_REDIS_REST_TOKEN, and take it out of .env"
    assert found["eviction"].found == "skipped: needs redis"


def test_redis_is_gone_behind_its_door(values: dict[str, str]) -> None:
    environment = {
        "REDIS_URL": f"redis://{HOST}:{free_port()}",
        "UPSTASH_REDIS_REST_TOKEN": values["upstash_redis_rest_token"],
    }
    with run_standin("upstash_door", environment, lambda port: not is_free(port)) as (port, _):
        there = {"upstash_redis_rest_url": f"http://{HOST}:{port}"}
        found = examine(values | there, "redis")["redis"]
    fails(found, f"{HOST}:{port} answered 503", RESTART)


QUOTA = '{"error": "ERR max requests limit exceeded. Limit: 500000, Usage: 500000."}'


@pytest.mark.parametrize(
    ("answer", "words", "mend"),
    [
        (
            lambda _: (400, "application/json", QUOTA),
            " answered 400 ERR max requests limit exceeded",
            "the quota is used up: see the database's page at console.upstash.com",
        ),
        (hotel, " answered 200", RESTART),
    ],
)
def test_door_answers_otherwise(
    values: dict[str, str], answer: Answer, words: str, mend: str
) -> None:
    with standin(answer) as url:
        found = examine(values | {"upstash_redis_rest_url": url}, "redis")["redis"]
    fails(found, url.removeprefix("http://") + words, mend)


def test_nothing_listens(values: dict[str, str]) -> None:
    nobody = f"{HOST}:{free_port()}"
    closed = values | {"upstash_redis_rest_url": f"http://{nobody}"}
    fails(examine(closed, "redis")["redis"], f"{nobody}: connection refused", RESTART)
    there = "UPSTASH_REDIS_REST_URL and _TOKEN in .env as console.upstash.com shows"
    assert examine(elsewhere(closed), "redis")["redis"].mend == there


def test_redis_is_frozen(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "redis"):
        found = examine(values, "redis")["redis"]
    assert (found.verdict, found.found.partition(": ")[2]) == (FAULT, "no answer in time")
    assert found.took_ms < 5_000


def test_redis_is_on_another_continent(values: dict[str, str]) -> None:
    never = threading.Event()

    def answer(_path: str) -> tuple[int, str, str]:
        never.wait(0.52)
        return 200, "application/json", '{"result": "PONG"}'

    with standin(answer) as url:
        found = examine(values | {"upstash_redis_rest_url": url}, "redis")["redis"]
    assert found.verdict is WARNING
    assert "answers PING in 5" in found.found
    assert found.mend == "put Redis, collector and functions into one region"


def test_frames_may_be_evicted(cloud: Stack, values: dict[str, str]) -> None:
    with redis.Redis(HOST, cloud.cloud.ports.redis) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = examine(values, "eviction")["eviction"]
            there = examine(elsewhere(values), "eviction")["eviction"]
        finally:
            server.config_set("maxmemory-policy", "noeviction")
    # A start sets the policy again (local/redis_server.py).
    fails(found, "allkeys-lru: frames may vanish when the memory is full", RESTART)
    assert there.mend == "switch Eviction off on the database's page at console.upstash.com"


def test_redis_does_not_tell_its_policy(cloud: Stack, values: dict[str, str]) -> None:
    with redis.Redis(HOST, cloud.cloud.ports.redis) as server:
        server.execute_command("ACL", "SETUSER", "default", "-info", "-config")
        try:
            found = examine(values, "eviction")["eviction"]
        finally:
            server.execute_command("ACL", "SETUSER", "default", "+@all")
    assert found.verdict is SKIPPED
    assert "see Eviction at console.upstash.com" in found.found
