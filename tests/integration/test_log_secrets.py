"""Secrets planted in the running parts reach no stdout, no table and no screen."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from psycopg.rows import dict_row

from functions.function_log import FunctionLog
from shared.log_queue import make_line
from shared.signing import signed_headers
from shared.store.database import Database
from tests.integration.test_cli_logs import COMMAND
from tests.stack import Stack

PASSWORD, QUERY_TOKEN, BEARER = "planted-pass-1", "planted-token-2", "planted-bearer-3"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjp0cnVlfQ.cGxhbnRlZA"
# The collector cannot reach it, and says so.
STREAM_URL = f"ws://ann:{PASSWORD}@127.0.0.1:9/?token={QUERY_TOKEN}"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """Functions and collector on a simulated market whose stream does not answer."""
    names = ("functions", "collector", "gateway", "rest")
    environment = {"UNIVERSE_SIZE": "3", "BINANCE_STREAM_URL": STREAM_URL}
    with Stack(names, environment=environment, with_samples=False) as running:
        yield running


def planted(stack: Stack) -> list[str]:
    cloud = stack.cloud
    real = [cloud.function_secret, cloud.secrets.redis_token, cloud.secret_key]
    return [*real, cloud.secrets.jwt_secret, PASSWORD, QUERY_TOKEN, BEARER, TOKEN]


def rows(stack: Stack, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(stack.dsn, row_factory=dict_row) as db:
        return db.execute(query.encode()).fetchall()


def shown(stack: Stack, *words: str) -> str:
    done = subprocess.run(
        [COMMAND, "logs", "-n", "100000", *words],
        env=os.environ | {"DATABASE_URL": stack.dsn},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout + done.stderr


async def test_nothing_planted_is_on_stdout_in_the_table_or_on_a_screen(cloud: Stack) -> None:
    secrets = planted(cloud)
    text = " ".join((*secrets[:3], STREAM_URL, f"Authorization: Bearer {BEARER}", TOKEN))
    url = cloud.cloud.functions_url

    # In requests: URL, header, and a batch of lines that names everything.
    async with httpx.AsyncClient(timeout=60) as http:
        await http.get(f"{url}/nothing?token={QUERY_TOKEN}")
        await http.get(f"{url}/health?apikey={QUERY_TOKEN}")
        headers = {"authorization": f"Bearer {TOKEN}"}
        refused = await http.post(f"{url}/save_trader", json={}, headers=headers)
        assert refused.status_code == 401
        now_ms = time.time() * 1000
        # Without the queue's own hiding, as an older collector might send it.
        line = make_line(now_ms, "collector", "error", "planted_by_batch", {})
        line["fields"] = {"message": text, "deep": {"list": [text], "api_key": BEARER}}
        body = msgspec.json.encode({"lines": [line]})
        signature = signed_headers(cloud.cloud.function_secret, int(now_ms / 1000), body)
        stored = await http.post(f"{url}/write_logs", content=body, headers=signature)
        assert stored.status_code == 200, stored.text

    # In an exception of a function.
    database = Database(cloud.cloud.supabase_url, cloud.cloud.secret_key)
    log = FunctionLog(database.write_logs, lambda: int(now_ms), pause_s=0.0)
    shapes = f"{STREAM_URL} Bearer {BEARER} {TOKEN} {cloud.cloud.secret_key}"
    log.line(
        "error", "planted_in_exception", exc_info=ValueError(shapes), headers={"token": BEARER}
    )
    await log.flush()
    await database.close()

    # By the database itself, which knows no shapes: the screen does.
    with psycopg.connect(cloud.dsn, autocommit=True) as db:
        db.execute("select ops.write_log('error', 'said_by_postgres', '{\"dsn\": \"x\"}')")

    def arrived() -> bool:
        events = rows(cloud, "select event from ops.log_lines where source = 'collector'")
        return {"stream_ended", "collector_started"} & {row["event"] for row in events} != set()

    cloud.wait_for(arrived, "lines of the collector itself")
    table = "\n".join(str(row) for row in rows(cloud, "select * from ops.log_lines"))
    for name, said, expected in [
        ("table", table, ("planted_by_batch", "planted_in_exception")),
        ("screen", shown(cloud), ("planted_by_batch", "said_by_postgres")),
        ("json", shown(cloud, "--json"), ("planted_by_batch", "planted_in_exception")),
        ("functions", cloud.log("functions"), ("request_refused",)),
        ("collector", cloud.log("collector"), ("collector_started",)),
    ]:
        for event in expected:
            assert event in said, f"expected {event} in {name}"
        found = [secret for secret in secrets if secret in said]
        assert found == [], f"{name} shows {found}"


def test_screen_hides_what_this_machine_knows_to_be_secret(cloud: Stack) -> None:
    password = cloud.dsn.split(":")[2].split("@")[0]
    fields = msgspec.json.encode({"text": f"it says {password} and {BEARER}"}).decode()
    with psycopg.connect(cloud.dsn, autocommit=True) as db:
        db.execute("select ops.write_log('warn', 'known_here', %s::jsonb)", [fields])
    done = subprocess.run(
        [COMMAND, "logs", "postgres", "--grep", "known_here"],
        env=os.environ | {"DATABASE_URL": cloud.dsn, "UPSTASH_REDIS_REST_TOKEN": BEARER},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "text=it says [hidden] and [hidden]" in done.stdout


def test_lines_of_the_collector_are_stored_by_its_own_word(cloud: Stack) -> None:
    def lines() -> list[dict[str, Any]]:
        query = "select * from ops.function_logs where event = 'collector_started'"
        return rows(cloud, query)

    cloud.wait_for(lambda: lines() != [], "the first line of the collector")
    first = lines()[0]
    assert (first["source"], first["level"]) == ("collector", "info")
    assert first["line_key"] is not None
    assert abs((datetime.now(UTC) - first["logged_at"]).total_seconds()) < 600
    url = cloud.cloud.local_url(cloud.cloud.ports.collector)
    counts = httpx.get(f"{url}/health", timeout=30).json()["log_lines"]
    assert counts["sent"] >= 1 and counts["dropped"] == 0
    assert 'closebell_log_lines_total{outcome="sent"}' in httpx.get(f"{url}/metrics").text
