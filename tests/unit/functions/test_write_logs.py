"""write_logs stores what the collector says, without secrets, and nothing of anybody else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from functions.write_logs.handler import WriteLogs
from shared.errors import StoreUnavailable
from shared.log_queue import make_line
from tests.unit.functions.fakes import NOW_MS, SECRET, FakeDatabase, client, function_log, signed


def post_to(database: FakeDatabase) -> httpx.AsyncClient:
    function = WriteLogs(database.write_logs, secret=SECRET, now_ms=lambda: NOW_MS)
    return client({("POST", "write_logs"): function}, function_log(database))


def line(**changes: Any) -> dict[str, Any]:
    return make_line(NOW_MS, "collector", "warning", "thing_failed", {"symbol": "A"}) | changes


async def test_lines_are_stored_as_they_are() -> None:
    database = FakeDatabase()
    sent = [line(), line(event="b", run_id=7)]
    reply = await post_to(database).post("/write_logs", **signed({"lines": sent}))
    assert (reply.status_code, reply.json()) == (200, {"lines": 2})
    first, second = database.logs
    assert first["line_key"] == sent[0]["line_key"]
    assert (first["source"], first["level"], first["symbol"]) == ("collector", "warn", "A")
    assert (second["event"], second["run_id"]) == ("b", 7)


async def test_what_is_secret_is_hidden_once_more() -> None:
    database = FakeDatabase()
    planted = line(fields={"url": "https://a:pass-word@b/?token=abc", "deep": [{"api_key": "zzz"}]})
    await post_to(database).post("/write_logs", **signed({"lines": [planted]}))
    assert "pass-word" not in str(database.logs) and "zzz" not in str(database.logs)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({}, "lines"),
        ({"lines": [line(source="postgres")]}, "lines.0.source"),
        ({"lines": [line(level="loud")]}, "lines.0.level"),
        ({"lines": [line(line_key="no key")]}, "lines.0.line_key"),
        ({"lines": [line(logged_at="yesterday")]}, "lines.0.logged_at"),
        ({"lines": [line(unknown=1)]}, "lines.0.unknown"),
        ({"lines": [line()] * 201}, "lines"),
    ],
)
async def test_what_is_no_batch_is_refused_by_its_field(content: Any, field: str) -> None:
    database = FakeDatabase()
    reply = await post_to(database).post("/write_logs", **signed(content))
    assert (reply.status_code, reply.json()["error"]["field"]) == (400, field)
    assert database.logs == []


async def test_call_without_signature_is_refused() -> None:
    database = FakeDatabase()
    reply = await post_to(database).post("/write_logs", json={"lines": [line()]})
    assert reply.status_code == 401
    assert database.logs == []


async def test_database_that_is_away_is_503_so_that_the_batch_is_sent_again() -> None:
    database = FakeDatabase()
    database.errors["write_logs"] = StoreUnavailable("no answer")
    reply = await post_to(database).post("/write_logs", **signed({"lines": [line()]}))
    assert reply.status_code == 503
