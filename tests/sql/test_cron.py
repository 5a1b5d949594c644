"""The real pg_cron runs schedules: each minute, each second, and one that dies."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from local.migrate import migrate
from tests.sql.conftest import running_server
from tests.sql.test_schedule_runs import PROCEDURES

# Two minutes turn, and a machine under load.
TIMEOUT_S = 240.0
PAGE = [
    {"name": "minute", "timing": "* * * * *", "command": "select 1", "description": ""},
    {"name": "seconds", "timing": "every 5 s", "command": "select 1", "description": ""},
    {"name": "commits", "timing": "* * * * *", "command": "call public.commits(2)"},
    {"name": "dies", "timing": "* * * * *", "command": "call public.dies()"},
    {"name": "fails", "timing": "* * * * *", "command": "select ops.interval_s('1m') / 0"},
    {"name": "paused", "timing": "* * * * *", "command": "select 1"},
]
Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A database of a cluster of its own, with nothing scheduled."""
    with running_server() as server:
        server.apply_platform("postgres")
        migrate(server.dsn(), schedules=False)
        server.execute(PROCEDURES)
        with psycopg.connect(server.dsn(), autocommit=True, row_factory=dict_row) as opened:
            yield opened


def test_pg_cron_runs_schedules(connection: Connection) -> None:
    page = [{"description": ""} | entry for entry in PAGE]
    connection.execute("select ops.apply(%s)", (Jsonb(page),))
    connection.execute("select ops.pause('paused', 'infinity', 'a test')")

    def runs(name: str) -> list[dict[str, Any]]:
        return connection.execute(
            "select started_at, ended_at, status, error from ops.schedule_runs"
            " where schedule = %s order by id",
            (name,),
        ).fetchall()

    deadline_s = time.monotonic() + TIMEOUT_S
    while (
        len(runs("minute")) < 2 or len(runs("seconds")) < 13 or runs("dies")[0]["ended_at"] is None
    ):
        assert time.monotonic() < deadline_s, "expected pg_cron to run the schedules twice"
        time.sleep(0.2)

    for name in ("minute", "commits"):
        assert {run["status"] for run in runs(name)} <= {"succeeded", "running"}, runs(name)
        assert all(run["started_at"].second < 10 for run in runs(name))
    # The twelve marks of the first minute, and none of it in the second.
    first_minute = runs("seconds")[0]["started_at"].replace(second=0, microsecond=0)
    marks = [run for run in runs("seconds") if run["started_at"] < first_minute.replace(second=59)]
    assert [run["started_at"].second // 5 for run in marks] == list(range(12))
    assert {run["status"] for run in runs("seconds")[:-1]} == {"succeeded"}
    details = connection.execute(
        "select status, end_time < %s::timestamptz + interval '1 minute' as ended_in_time"
        " from cron.job_run_details where command like '%%seconds%%' order by runid limit 1",
        (first_minute,),
    ).fetchall()
    assert details == [{"status": "succeeded", "ended_in_time": True}]
    # What died is told of with pg_cron's own text, once the next runs have looked.
    dead = runs("dies")[0]
    assert dead["status"] == "failed"
    assert re.match(r"ERROR: +division by zero\n", dead["error"]), dead
    assert (runs("fails")[0]["status"], runs("fails")[0]["error"]) == ("failed", "division by zero")
    failed = "select distinct status from cron.job_run_details where command like %s"
    for name in ("dies", "fails"):
        # One may still be under way.
        found = connection.execute(failed, (f"%'{name}'%",)).fetchall()
        assert {"status": "failed"} in found and {"status": "succeeded"} not in found
    assert {run["error"] for run in runs("paused")} == {"paused: a test"}
    shown = connection.execute(
        "select name, fail_streak > 0 as is_failing from ops.schedules order by name"
    ).fetchall()
    failing = {row["name"] for row in shown if row["is_failing"]}
    assert failing == {"dies", "fails"}
