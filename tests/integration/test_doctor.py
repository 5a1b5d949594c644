"""The doctor against a running local cloud: all well, then each fault it names, by causing it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psutil
import psycopg
import pytest
import redis
from dotenv import dotenv_values

from cli.checks.catalogue import CHECKS
from cli.checks.check import Outcome, Verdict
from cli.checks.ground import Ground
from cli.checks.runner import TOTAL_TIMEOUT_S, run_checks, select_checks
from cli.checks.scheduler import ask_cron, ask_requests
from local.ports import HOST, is_free
from local.run import tell_operator
from tests.integration.standin_servers import free_port, run_standin
from tests.stack import Stack

COMMAND = Path(sys.executable).parent / "closebell"
PARTS = ("gateway", "collector", "functions", "rest", "realtime", "requests", "schedules")
OK, WARNING, FAULT, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.FAULT, Verdict.SKIPPED
TIMEOUT_S = 120.0


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """Every part, with a small market."""
    environment = {"UNIVERSE_SIZE": "8", "INTERVALS": "1m"}
    with Stack(names=PARTS, environment=environment) as stack:
        stack.wait_for(lambda: is_fresh(stack), "the collector to be fresh")
        yield stack


def is_fresh(stack: Stack) -> bool:
    url = stack.cloud.local_url(stack.cloud.ports.collector)
    return httpx.get(f"{url}/health", timeout=10, trust_env=False).status_code == 200


@pytest.fixture
def values(cloud: Stack) -> dict[str, str]:
    """The settings that `make run` would write for the command line."""
    tell_operator(cloud.cloud)
    written = dotenv_values(cloud.state.operator_file)
    return {name.lower(): text for name, text in written.items() if text}


def examine(
    values: Mapping[str, str], *names: str, env_file: Path | None = None
) -> dict[str, Outcome]:
    """Run the named checks (all without names) and what they need; return the outcomes by name."""

    async def run() -> list[Outcome]:
        async with Ground(values, [env_file or Path("/nowhere/.env")]) as ground:
            return await run_checks(select_checks(CHECKS, names), ground, lambda _: None)

    return {outcome.name: outcome for outcome in asyncio.run(run())}


def closebell(values: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command against these settings, as a person would."""
    return subprocess.run(
        [COMMAND, *words],
        env={
            **os.environ,
            **{name.upper(): text for name, text in values.items()},
            "COLUMNS": "100",
        },
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@contextmanager
def changed(cloud: Stack, statement: LiteralString, back: LiteralString) -> Iterator[None]:
    """Change the database, and change it back."""
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        connection.execute(statement)
        try:
            yield
        finally:
            connection.execute(back)


@contextmanager
def frozen(cloud: Stack, *names: str) -> Iterator[None]:
    """Stop processes without ending them: their sockets stay open and nothing answers."""
    processes = [psutil.Process(cloud.supervisor.pids()[name]) for name in names]
    # The functions' server has its work done by a child.
    processes += [child for one in processes for child in one.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


@contextmanager
def venue_fault(cloud: Stack, **fault: Any) -> Iterator[None]:
    url = cloud.cloud.local_url(cloud.cloud.ports.venue) + "/control/fault"
    httpx.post(url, json=fault, trust_env=False).raise_for_status()
    try:
        yield
    finally:
        httpx.delete(url, trust_env=False).raise_for_status()


def test_all_is_well(values: dict[str, str]) -> None:
    done = closebell(values, "doctor", "--json")
    report = json.loads(done.stdout)
    assert [(one["name"], one["verdict"], one["found"]) for one in report["checks"]] == [
        (check.name, "ok", one["found"])
        for check, one in zip(CHECKS, report["checks"], strict=True)
    ]
    assert (done.returncode, report["exit_code"], report["fixed"]) == (0, 0, [])
    assert "8 symbols" in next(c for c in report["checks"] if c["name"] == "collector")["found"]


def test_a_person_sees_marks_counts_and_no_secret(values: dict[str, str]) -> None:
    done = closebell(values, "doctor")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("closebell doctor · ")
    assert sum(line.startswith("✓ ") for line in lines) == len(CHECKS)
    assert lines[-1].endswith(f"✓ {len(CHECKS)}")
    for name in ("function_secret", "supabase_secret_key", "upstash_redis_rest_token"):
        assert values[name] not in done.stdout + done.stderr


def test_nothing_runs() -> None:
    """As after `make stop`: what to type first, and what could not be asked."""
    closed = f"//{HOST}:{free_port()}"
    found = examine({"binance_rest_url": f"http:{closed}", "binance_stream_url": f"ws:{closed}"})
    assert (found["settings"].verdict, found["settings"].mend) == (FAULT, "make run")
    assert found["postgres"].found == "skipped: needs DATABASE_URL"
    assert found["redis"].found == "skipped: needs UPSTASH_REDIS_REST_URL"
    assert found["realtime"].found == "skipped: needs postgres"
    assert "nothing listens there" in found["venue"].found
    assert found["clock"].found == "skipped: needs venue"
    assert {one.verdict for one in found.values()} == {OK, FAULT, SKIPPED}


def test_unknown_setting(values: dict[str, str], tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("UPSTASH_REDIS_REST_TOKN=x\n")
    found = examine(values, "settings", env_file=env_file)["settings"]
    assert found.verdict is FAULT
    assert "UPSTASH_REDIS_REST_TOKN in .env is not a setting" in found.found
    assert "did you mean UPSTASH_REDIS_REST_TOKEN?" in found.found


def test_impossible_setting(values: dict[str, str], tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("UNIVERSE_SIZE=0\n")
    found = examine(values, "settings", env_file=env_file)["settings"]
    assert found.verdict is FAULT
    assert found.found == "UNIVERSE_SIZE: Input should be greater than or equal to 1"


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (451, "set BINANCE_REST_URL=https://data-api.binance.vision"),
        (403, "the venue's firewall blocks this address"),
        (418, "banned for asking too often"),
        (429, "too many requests from this address"),
    ],
)
def test_venue_refuses(cloud: Stack, values: dict[str, str], status: int, advice: str) -> None:
    with venue_fault(cloud, kind="http", status=status, path="/api/v3/ping", duration_s=30):
        found = examine(values, "venue", "clock")
    assert found["venue"].verdict is FAULT
    assert f"answered {status}" in found["venue"].found
    assert found["venue"].mend.startswith(advice)
    assert found["clock"].found == "skipped: needs venue"


def test_venue_is_not_known_or_not_there(values: dict[str, str]) -> None:
    unknown = values | {"binance_rest_url": "http://closebell.invalid"}
    found = examine(unknown, "venue")["venue"]
    assert found.verdict is FAULT
    assert "closebell.invalid: the name is not known here (DNS" in found.found
    closed = values | {"binance_rest_url": f"http://{HOST}:{free_port()}"}
    assert "connection refused" in examine(closed, "venue")["venue"].found


def test_wrong_redis_token(values: dict[str, str]) -> None:
    found = examine(values | {"upstash_redis_rest_token": "wrong"}, "redis", "eviction")
    assert found["redis"].verdict is FAULT
    assert "401 WRONGPASS" in found["redis"].found
    assert "UPSTASH_REDIS_REST_TOKEN" in found["redis"].mend
    assert found["eviction"].found == "skipped: needs redis"


def test_redis_is_gone_behind_its_door(values: dict[str, str]) -> None:
    environment = {
        "REDIS_URL": f"redis://{HOST}:{free_port()}",
        "UPSTASH_REDIS_REST_TOKEN": values["upstash_redis_rest_token"],
    }
    with run_standin("upstash_door", environment, lambda port: not is_free(port)) as (port, _):
        there = {"upstash_redis_rest_url": f"http://{HOST}:{port}"}
        found = examine(values | there, "redis")["redis"]
    assert found.verdict is FAULT
    assert "503" in found.found


def test_redis_is_frozen(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "redis"):
        found = examine(values, "redis")["redis"]
    assert (found.verdict, found.found.partition(": ")[2]) == (FAULT, "no answer in time")
    assert found.took_ms < 5_000


def test_eviction_policy(cloud: Stack, values: dict[str, str]) -> None:
    with redis.Redis(HOST, cloud.cloud.ports.redis) as server:
        server.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = examine(values, "eviction")["eviction"]
        finally:
            server.config_set("maxmemory-policy", "noeviction")
    assert found.verdict is FAULT
    assert found.found.startswith("allkeys-lru: frames may vanish")
    assert "noeviction" in found.mend


def test_collector_is_frozen(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "collector"):
        found = examine(values, "collector", "budget")
    assert found["collector"].verdict is FAULT
    assert found["collector"].found.endswith("no answer in time")
    assert found["budget"].found == "skipped: needs collector"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"port": "1"}, "Connection refused"),
    ],
)
def test_postgres_does_not_let_us_in(
    values: dict[str, str], change: dict[str, str], words: str
) -> None:
    parameters = psycopg.conninfo.conninfo_to_dict(values["database_url"]) | change
    dsn = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**parameters)
    found = examine(values | {"database_url": dsn}, "secret")
    assert found["postgres"].verdict is FAULT
    assert words in found["postgres"].found
    assert found["migrations"].found == "skipped: needs postgres"
    assert found["secret"].found == "skipped: needs migrations"


def test_address_of_postgres_that_is_none_is_not_shown(values: dict[str, str]) -> None:
    found = examine(values | {"database_url": "postgres//me:hunter2@host/db"}, "postgres")
    assert found["postgres"].verdict is FAULT
    assert "hunter2" not in str(found["postgres"])


def test_database_without_anything(cloud: Stack, values: dict[str, str]) -> None:
    """A new project: extensions and migrations are missing, with the commands that bring them."""
    with changed(cloud, "create database bare", "drop database bare with (force)"):
        bare = values | {"database_url": values["database_url"].rpartition("/")[0] + "/bare"}
        found = examine(bare, "extensions", "timetable", "kill_switch")
    assert found["extensions"].verdict is FAULT
    assert found["extensions"].found == "pg_cron, pgcrypto, pg_net missing"
    assert found["migrations"].verdict is FAULT
    assert "20261121000100_create_ops_base.sql" in found["migrations"].found
    assert found["migrations"].fix == "migrate"
    assert found["timetable"].found == "skipped: needs migrations"


@pytest.mark.parametrize(
    ("statement", "words", "fix"),
    [
        (
            "delete from supabase_migrations.schema_migrations where version = '20261121000300'",
            "20261121000300_create_traders.sql missing",
            "migrate",
        ),
        (
            "update supabase_migrations.schema_migrations set statements = '{select 1}'"
            " where version = '20261121000300'",
            "20261121000300_create_traders.sql edited since it was applied",
            "",
        ),
        (
            "insert into supabase_migrations.schema_migrations (version) values ('29990101000000')",
            "the database has 29990101000000, which is not in sql/migrations",
            "",
        ),
    ],
)
def test_migrations_differ(
    cloud: Stack, values: dict[str, str], statement: LiteralString, words: str, fix: str
) -> None:
    keep: LiteralString = "create table kept as select * from supabase_migrations.schema_migrations"
    back: LiteralString = (
        "truncate supabase_migrations.schema_migrations;"
        " insert into supabase_migrations.schema_migrations select * from kept; drop table kept"
    )
    with changed(cloud, keep, back), changed(cloud, statement, "select 1"):
        found = examine(values, "migrations")["migrations"]
    assert (found.verdict, found.found, found.fix) == (FAULT, words, fix)


def test_routine_is_old_and_mended(cloud: Stack, values: dict[str, str]) -> None:
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        connection.execute("drop function ops.status()")
        connection.execute(
            "create or replace function ops.status_feeds() returns jsonb language sql"
            " as $$ select '[]'::jsonb $$"
        )
    found = examine(values, "routines")["routines"]
    assert found.verdict is FAULT
    assert found.found == "ops.status missing; ops.status_feeds other than in its file"
    done = closebell(values, "doctor", "routines", "--fix")
    assert done.returncode == 0, done.stdout
    assert "mended migrate: " in done.stdout
    assert examine(values, "routines")["routines"].verdict is OK


def test_job_is_gone_and_mended(cloud: Stack, values: dict[str, str]) -> None:
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        connection.execute("select cron.unschedule('trim')")
    found = examine(values, "timetable")["timetable"]
    assert found.verdict is FAULT
    assert "trim" in found.found and "missing" in found.found
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


def test_cron_is_silent(values: dict[str, str]) -> None:
    """Two minutes of silence, in small: the newest run is older than what is allowed."""

    async def ask() -> tuple[Verdict, str]:
        async with Ground(values) as ground:
            await ground.open_database()
            finding = await ask_cron(ground, silent_s=0.001)
            return finding.verdict, finding.found

    verdict, words = asyncio.run(ask())
    assert verdict is FAULT
    assert words.startswith("silent: ")


def test_job_fails(cloud: Stack, values: dict[str, str]) -> None:
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


@pytest.mark.parametrize(
    ("url", "verdict", "words"),
    [
        ("", FAULT, "empty: Postgres calls nobody"),
        ("http://127.0.0.1:9", WARNING, "Postgres calls http://127.0.0.1:9, FUNCTIONS_URL is"),
    ],
)
def test_functions_url_is_wrong_and_mended(
    cloud: Stack, values: dict[str, str], url: str, verdict: Verdict, words: str
) -> None:
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        connection.execute(
            "update ops.settings set value = %s where name = 'functions_url'", (url,)
        )
    found = examine(values, "functions_url")["functions_url"]
    assert (found.verdict, found.fix) == (verdict, "functions_url")
    assert found.found.startswith(words)
    assert closebell(values, "doctor", "functions_url", "--fix").returncode == 0


def test_secret_of_postgres_is_another_and_mended(cloud: Stack, values: dict[str, str]) -> None:
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        connection.execute("update ops.local_secrets set value = 'a secret of yesterday'")

    async def ask() -> str:
        async with Ground(values) as ground:
            await ground.open_database()
            return (await ask_requests(ground)).found

    found = examine(values, "requests")
    assert found["secret"].verdict is FAULT
    assert found["secret"].found == "ops.local_secrets and FUNCTION_SECRET differ"
    assert found["requests"].found == "skipped: needs secret"
    assert asyncio.run(ask()) == "the functions refuse Postgres' signature (401)"
    done = closebell(values, "doctor", "requests", "--fix")
    assert done.returncode == 0, done.stdout
    assert "yesterday" not in done.stdout and values["function_secret"] not in done.stdout


def test_secret_of_the_operator_is_another(values: dict[str, str]) -> None:
    found = examine(values | {"function_secret": "not the secret of the functions"}, "signature")
    assert found["signature"].verdict is FAULT
    assert found["signature"].found == "the functions refuse FUNCTION_SECRET (401)"


def test_functions_are_down(cloud: Stack, values: dict[str, str]) -> None:
    closed = values | {"functions_url": f"http://{HOST}:{free_port()}"}
    found = examine(closed, "signature")
    assert found["functions"].verdict is FAULT
    assert "nothing listens there" in found["functions"].found
    assert found["signature"].found == "skipped: needs functions"
    with frozen(cloud, "functions"):
        found = examine(values, "functions")
    assert found["functions"].found.endswith("no answer in time")


def test_request_worker_is_silent(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "requests"):
        with psycopg.connect(cloud.dsn, autocommit=True) as connection:
            connection.execute("delete from net._http_response")
        found = examine(values, "requests")["requests"]
    assert found.verdict is FAULT
    assert found.found.startswith("the request worker is silent: ")
    assert found.took_ms < 5_000


@pytest.mark.parametrize("name", ["supabase_secret_key", "supabase_publishable_key"])
def test_key_is_wrong(values: dict[str, str], name: str) -> None:
    found = examine(values | {name: "sb_wrong"}, "rest")["rest"]
    assert (found.verdict, found.found) == (FAULT, f"{name.upper()} is refused (401)")


def test_realtime_is_down_or_refuses(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "realtime"):
        found = examine(values, "realtime")["realtime"]
    assert found.verdict is FAULT
    assert found.took_ms <= 5_100
    found = examine(values | {"supabase_secret_key": "sb_wrong"}, "realtime")["realtime"]
    assert (found.verdict, found.found) == (FAULT, "SUPABASE_SECRET_KEY is refused (401)")


def test_message_of_postgres_is_lost(cloud: Stack, values: dict[str, str]) -> None:
    """Realtime answers, and nobody tells it of new rows."""
    with changed(
        cloud,
        "alter table realtime.messages rename to lost",
        "alter table realtime.lost rename to messages",
    ):
        found = examine(values, "realtime")["realtime"]
    assert found.verdict is FAULT


def test_dashboard_is_not_there(values: dict[str, str]) -> None:
    rest = values | {"dashboard_url": values["functions_url"]}
    found = examine(rest, "dashboard")["dashboard"]
    assert found.verdict is FAULT
    assert "answered 404 application/json" in found.found


def test_connections_are_nearly_used_up(cloud: Stack, values: dict[str, str]) -> None:
    with ExitStack() as opened:
        for _ in range(80):
            opened.enter_context(psycopg.connect(cloud.dsn))
        found = examine(values, "free_tier")["free_tier"]
    assert found.verdict is WARNING
    assert "of 97" in found.found


def test_kill_switch_is_off(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "update ops.settings set value = 'off' where name = 'signals_enabled'",
        "update ops.settings set value = 'on' where name = 'signals_enabled'",
    ):
        done = closebell(values, "doctor", "kill_switch")
    assert done.returncode == 1
    assert "! kill_switch  off: no signal is stored, runs wait" in done.stdout
    assert "→ update ops.settings set value = 'on'" in done.stdout


def test_incident_is_open(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "select ops.raise_incident('feed_stale', 'nowhere 1m', 'error', 'Old.', '{}', 3600)",
        "delete from ops.incidents where subject = 'nowhere 1m'",
    ):
        found = examine(values, "incidents")["incidents"]
    assert found.verdict is FAULT
    assert "open: error feed_stale of nowhere 1m" in found.found
    assert found.mend.startswith("closebell incidents show ")


def test_backup_is_old(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "select ops.record_backup(now() - interval '3 days', '/b', 1, '{}', repeat('0', 64))",
        "delete from ops.backups; delete from ops.incidents where kind = 'backup_overdue'",
    ):
        found = examine(values, "backup")["backup"]
        status = closebell(values, "status").stdout
    assert (found.verdict, found.found) == (WARNING, "the newest was made 3 d ago")
    assert "backup    3 d ago · 0.0 MB · /b" in status


def test_schedules_are_completed(values: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cli.completion import *; print(complete_schedules('ti'))"],
        env={**os.environ, "DATABASE_URL": values["database_url"]},
        cwd=COMMAND.parents[2],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    assert done.stdout.startswith("[('tick', 'Make the slots")


def test_whole_doctor_is_bounded_when_nothing_answers(cloud: Stack, values: dict[str, str]) -> None:
    names = ("postgres", "upstash", "functions", "gateway", "collector")
    began_s = time.monotonic()
    with frozen(cloud, *names):
        found = examine(values)
    assert time.monotonic() - began_s < TOTAL_TIMEOUT_S + 1
    for name in ("redis", "functions", "rest", "dashboard", "collector", "postgres"):
        assert found[name].verdict is FAULT, found[name]


# These disturb the collector: last.


def test_clock_is_wrong(cloud: Stack, values: dict[str, str]) -> None:
    with venue_fault(cloud, kind="wrong_clock", offset_ms=60_000, duration_s=30):
        found = examine(values, "clock", "postgres_clock")
    assert found["clock"].verdict is FAULT
    assert found["clock"].found.startswith("this machine is 60 s behind the venue")
    assert found["clock"].mend == "sudo timedatectl set-ntp true"
    assert found["postgres_clock"].verdict is FAULT
    assert found["postgres_clock"].found.startswith("Postgres is 60 s behind the venue")


def test_venue_refuses_sockets(cloud: Stack, values: dict[str, str]) -> None:
    with venue_fault(cloud, kind="disconnect", duration_s=30):
        found = examine(values, "venue_sockets")["venue_sockets"]
    assert found.verdict is FAULT
    assert "answered 503" in found.found
