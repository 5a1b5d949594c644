"""Faults of what is applied and of what runs by itself: migrations, routines, timetable, cron."""

from __future__ import annotations

import json
import time
from typing import LiteralString

import psutil
import pytest

from tests.integration.doctor.patient import (
    FAULT,
    FIX,
    OK,
    RESTART,
    WARNING,
    changed,
    closebell,
    elsewhere,
    examine,
    execute,
    fails,
    suspended,
)
from tests.integration.standin_servers import wait_until
from tests.stack import Stack


@pytest.mark.parametrize(
    ("statement", "words", "mend", "fix"),
    [
        (
            "delete from supabase_migrations.schema_migrations where version = '20261121000300'",
            "20261121000300_create_traders.sql missing",
            FIX,
            "migrate",
        ),
        (
            "update supabase_migrations.schema_migrations set statements = '{select 1}'"
            " where version = '20261121000300'",
            "20261121000300_create_traders.sql edited since it was applied",
            "git checkout sql/migrations",
            "",
        ),
        (
            "insert into supabase_migrations.schema_migrations (version) values ('29990101000000')",
            "the database has 29990101000000, which is not in sql/migrations",
            "git pull; after it: another project's database, see DATABASE_URL in .env",
            "",
        ),
    ],
)
def test_migrations_differ(
    cloud: Stack,
    values: dict[str, str],
    statement: LiteralString,
    words: str,
    mend: str,
    fix: str,
) -> None:
    keep: LiteralString = "create table kept as select * from supabase_migrations.schema_migrations"
    back: LiteralString = (
        "truncate supabase_migrations.schema_migrations;"
        " insert into supabase_migrations.schema_migrations select * from kept; drop table kept"
    )
    with changed(cloud, keep, back), changed(cloud, statement, "select 1"):
        found = examine(values, "migrations")["migrations"]
    fails(found, words, mend)
    assert found.fix == fix


def test_routine_is_old_and_mended(cloud: Stack, values: dict[str, str]) -> None:
    execute(
        cloud,
        "drop function ops.status()",
        "create or replace function ops.status_feeds() returns jsonb language sql"
        " as $$ select '[]'::jsonb $$",
    )
    found = examine(values, "routines")["routines"]
    fails(found, "ops.status missing; ops.status_feeds other than in its file", FIX)
    there = elsewhere(values)
    assert closebell(there, "doctor", "routines", "--fix").returncode == 2
    assert examine(there, "routines")["routines"].mend == "python -m local.migrate up"
    done = closebell(values, "doctor", "routines", "--fix")
    assert done.returncode == 0, done.stdout
    assert "mended migrate: " in done.stdout
    assert examine(values, "routines")["routines"].verdict is OK


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("select cron.unschedule('trim')", "trim: change, cron.job: missing"),
        (
            "update cron.job set active = false where jobname = 'tick'",
            "tick: change, cron.job: switched off",
        ),
        ("select cron.unschedule(jobname) from cron.job", "count_usage: change, cron.job: missing"),
    ],
)
def test_job_is_gone_or_off_and_mended(
    cloud: Stack, values: dict[str, str], statement: LiteralString, words: str
) -> None:
    execute(cloud, statement)
    fails(examine(values, "timetable")["timetable"], words, FIX)
    done = closebell(values, "doctor", "timetable", "--fix", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["exit_code"]) == (0, 0)
    assert [(one["fix"], one["is_done"]) for one in report["fixed"]] == [("migrate", True)]


def test_job_that_nobody_wrote_is_reported_and_left(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "select cron.schedule('mine', '0 0 1 1 *', 'select 1')",
        "select cron.unschedule('mine')",
    ):
        found = examine(values, "timetable")["timetable"]
    assert (found.verdict, found.fix) == (FAULT, "")
    assert "mine" in found.found
    assert found.mend == "SQL: select cron.unschedule('mine');"


def test_schedule_is_paused(cloud: Stack, values: dict[str, str]) -> None:
    execute(cloud, "select ops.pause('trim', now() + interval '1 hour', 'a test')")
    found = examine(values, "timetable")["timetable"]
    fails(found, "paused: trim", "closebell schedules resume trim", verdict=WARNING)
    assert closebell(values, *found.mend.split()[1:]).returncode == 0
    assert examine(values, "timetable")["timetable"].verdict is OK


def launcher(cloud: Stack) -> psutil.Process:
    """Return the process of pg_cron that starts jobs."""
    postmaster = psutil.Process(cloud.supervisor.pids()["postgres"])
    (found,) = [
        child for child in postmaster.children() if "pg_cron launcher" in " ".join(child.cmdline())
    ]
    return found


def test_cron_is_silent(cloud: Stack, values: dict[str, str]) -> None:
    """pg_cron starts nothing any more; a second of silence instead of ninety."""
    began_s = time.monotonic()
    with (
        suspended([launcher(cloud)]),
        changed(
            cloud,
            "update ops.settings set value = '1' where name = 'cron_silent_after_s'",
            "update ops.settings set value = '90' where name = 'cron_silent_after_s'",
        ),
    ):
        wait_until(lambda: time.monotonic() - began_s > 1.1, "silence")
        found = examine(values, "cron")["cron"]
        there = examine(elsewhere(values), "cron")["cron"]
    fails(found, "silent: ", f"{RESTART}; a job that fails: closebell schedules history NAME")
    assert there.mend.startswith("restart the project: Settings → General in its dashboard")


def test_no_job_runs_each_minute(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "update cron.job set schedule = '0 0 1 1 *' where schedule = '* * * * *'",
        "update cron.job set schedule = '* * * * *' where schedule = '0 0 1 1 *'",
    ):
        found = examine(values, "cron")["cron"]
    fails(found, "no job runs each minute", "closebell doctor timetable")


def test_schedule_fails(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "alter function ops.rescue_runs rename to kept;"
        " create function ops.rescue_runs() returns void language plpgsql as"
        " $$ begin raise exception 'no room'; end $$",
        "drop function ops.rescue_runs; alter function ops.kept rename to rescue_runs",
    ):
        assert closebell(values, "schedules", "run", "rescue_runs").returncode == 1
        found = examine(values, "cron")["cron"]
    history = "closebell schedules history rescue_runs"
    assert (found.verdict, found.mend) == (WARNING, history)
    assert "rescue_runs failed: " in found.found and "no room" in found.found
    assert "no room" in closebell(values, *history.split()[1:]).stdout
    assert closebell(values, "schedules", "run", "rescue_runs").returncode == 0
    assert examine(values, "cron")["cron"].verdict is OK


def test_job_of_cron_itself_fails(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "insert into cron.job_run_details (jobid, runid, database, status, return_message,"
        " start_time) select jobid, 2000000000 + jobid, 'postgres',"
        " case jobname when 'trim' then 'failed' else 'succeeded' end, 'ERROR: no room', now()"
        " from cron.job where jobname in ('trim', 'tick')",
        "delete from cron.job_run_details where runid > 2000000000",
    ):
        found = examine(values, "cron")["cron"]
    assert found.verdict is WARNING
    assert "trim failed: ERROR: no room" in found.found
    assert found.mend == "closebell schedules history trim"
