"""The real pg_cron runs schedules: each minute, each second, and one that dies."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from local.migrate import migrate
from tests.sql.conftest import running_server
from tests.sql.test_schedule_runs import PROCEDURES

# A minute turns, and a machine under load.
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
    """The one test that waits for the minute to turn."""
    # In the middle of a minute: pg_cron begins none of what it is given now before the next.
    middle = "select extract(second from clock_timestamp()) between 2 and 50 as yes"
    while connection.execute(middle).fetchone() != {"yes": True}:
        time.sleep(0.1)
    page = [{"description": ""} | entry for entry in PAGE]
    connection.execute("select ops.apply(%s)", (Jsonb(page),))
    connection.execute("select ops.pause('paused', 'infinity', 'a test')")

    def runs(name: str) -> list[dict[str, Any]]:
        return connection.execute(
            "select started_at, ended_at, status, error from ops.schedule_runs"
            " where schedule = %s order by id",
            (name,),
        ).fetchall()

    # What is left of this minute, by the call that pg_cron makes at its beginning: it returns
    # before the minute ends, so that pg_cron finds the schedule free in the next.
    connection.execute("call ops.run_schedule('seconds')")
    of_this_minute = runs("seconds")
    this_minute = of_this_minute[0]["started_at"].replace(second=0, microsecond=0)
    places = [(run["started_at"] - this_minute).total_seconds() // 5 for run in of_this_minute]
    assert places == list(range(int(places[0]), 12))

    # pg_cron's own minute; the run of the third mark looks for dead ones.
    deadline_s = time.monotonic() + TIMEOUT_S
    while len(runs("seconds")) < len(of_this_minute) + 3 or any(
        runs(name) == [] or runs(name)[0]["ended_at"] is None
        for name in ("minute", "commits", "dies", "fails", "paused")
    ):
        assert time.monotonic() < deadline_s, "expected pg_cron to run the schedules"
        time.sleep(0.1)

    for name in ("minute", "commits"):
        assert {run["status"] for run in runs(name)} <= {"succeeded", "running"}, runs(name)
    of_next_minute = runs("seconds")[len(of_this_minute) :]
    next_minute = this_minute + timedelta(minutes=1)
    marks = [(run["started_at"] - next_minute).total_seconds() // 5 for run in of_next_minute]
    assert marks == list(range(int(marks[0]), int(marks[0]) + len(marks)))
    assert {run["status"] for run in runs("seconds")[:-1]} == {"succeeded"}
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
