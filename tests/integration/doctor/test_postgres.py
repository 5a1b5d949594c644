"""Faults of Postgres and of what is in it: reach, version, extensions, room, switches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import LiteralString

import psycopg
import pytest

from cli.checks.check import Verdict
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
    type_sql,
)
from tests.stack import Stack

LATER = "upgrade it: Settings → Infrastructure in the project's dashboard"


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
    closed = values | {"database_url": dsn}
    found = examine(closed, "secret")
    fails(found["postgres"], "Postgres: ", RESTART)
    assert words in found["postgres"].found
    assert found["migrations"].found == "skipped: needs postgres"
    assert found["secret"].found == "skipped: needs migrations"
    there = examine(elsewhere(closed), "postgres")["postgres"]
    assert there.mend == "DATABASE_URL in .env as Connect in the project's dashboard shows it"


def test_address_of_postgres_that_is_none_is_not_shown(values: dict[str, str]) -> None:
    found = examine(values | {"database_url": "postgres//me:hunter2@host/db"}, "postgres")
    assert found["postgres"].verdict is FAULT
    assert "hunter2" not in str(found["postgres"])


@contextmanager
def database(cloud: Stack, values: dict[str, str], name: str) -> Iterator[dict[str, str]]:
    """Another database of the same cluster."""
    execute(cloud, f"create database {name}")
    try:
        yield values | {"database_url": f"{values['database_url'].rpartition('/')[0]}/{name}"}
    finally:
        execute(cloud, f"drop database {name} with (force)")


def test_postgres_is_too_old(cloud: Stack, values: dict[str, str]) -> None:
    """Nobody packages an old one beside ours: this one is made to tell another version."""
    with database(cloud, values, "old") as old:
        with psycopg.connect(old["database_url"], autocommit=True) as connection:
            connection.execute("create schema old")
            connection.execute(
                "create function old.current_setting(name text) returns text language sql as"
                " $$ select case name when 'server_version_num' then '140012' else '14.12' end $$"
            )
            connection.execute("alter database old set search_path = old, pg_catalog")
        fails(examine(old, "postgres")["postgres"], "Postgres 14.12, database old", LATER)


def test_database_without_anything(cloud: Stack, values: dict[str, str]) -> None:
    """A new project: extensions and migrations are missing, with the commands that bring them."""
    with database(cloud, values, "bare") as bare:
        found = examine(bare, "extensions", "timetable", "kill_switch")
        there = examine(elsewhere(bare), "extensions", "migrations")
    missing = "pg_cron, pgcrypto, pg_net missing"
    fails(found["extensions"], missing, RESTART)
    fails(
        there["extensions"],
        missing,
        "SQL: create extension pg_cron; create extension pgcrypto with schema extensions;"
        " create extension pg_net;",
    )
    fails(found["migrations"], "20261121000100_create_ops_base.sql", FIX)
    assert found["migrations"].fix == "migrate"
    assert there["migrations"].mend == "python -m local.migrate up"
    assert found["timetable"].found == "skipped: needs migrations"


def test_pg_cron_is_too_old(cloud: Stack, values: dict[str, str]) -> None:
    with changed(
        cloud,
        "set allow_system_table_mods = on;"
        " update pg_extension set extversion = '1.3' where extname = 'pg_cron'",
        "set allow_system_table_mods = on;"
        " update pg_extension set extversion = '1.4-1' where extname = 'pg_cron'",
    ):
        found = examine(values, "extensions")["extensions"]
    fails(found, "pg_cron 1.3", "SQL: alter extension pg_cron update;")


def test_project_without_vault(values: dict[str, str]) -> None:
    found = examine(elsewhere(values), "extensions")["extensions"]
    fails(found, "no Vault", "SQL: create extension supabase_vault;", verdict=WARNING)


def test_connections_are_nearly_used_up(cloud: Stack, values: dict[str, str]) -> None:
    with ExitStack() as opened:
        for _ in range(80):
            opened.enter_context(psycopg.connect(cloud.dsn))
        found = examine(values, "free_tier")["free_tier"]
    assert (found.verdict, found.found.endswith(" of 97")) == (WARNING, True)
    assert found.mend.startswith("SQL: select pid, application_name, state from pg_stat_activity")


TRIM = (
    "SQL: update ops.settings set value = '7' where name = 'signal_retention_days';"
    " call ops.trim();"
)


@pytest.mark.parametrize(
    ("part", "verdict", "words"), [("1.1", WARNING, "91%"), ("0.5", FAULT, "200%")]
)
def test_database_is_nearly_as_large_as_the_plan(
    cloud: Stack, values: dict[str, str], part: str, verdict: Verdict, words: str
) -> None:
    """The plan is made small, not the database large: 500 MB would take a minute to fill."""
    with changed(
        cloud,
        "update ops.meters set free_limit = pg_database_size(current_database())"
        f" * {part} where meter = 'database_bytes'",
        "update ops.meters set free_limit = 500000000 where meter = 'database_bytes'",
    ):
        found = examine(values, "free_tier")["free_tier"]
    fails(found, f"database bytes: {words} of what is free", TRIM, verdict=verdict)


@pytest.mark.parametrize(
    ("used", "verdict", "words"), [("4500000000", WARNING, "90%"), ("5500000000", FAULT, "110%")]
)
def test_month_has_used_what_is_free(
    cloud: Stack, values: dict[str, str], used: str, verdict: Verdict, words: str
) -> None:
    with changed(
        cloud,
        "insert into ops.usage (meter, day, amount) values"
        f" ('egress_bytes', (now() at time zone 'UTC')::date, {used})"
        " on conflict (meter, day) do update set amount = excluded.amount",
        "delete from ops.usage where meter = 'egress_bytes'",
    ):
        found = examine(values, "free_tier")["free_tier"]
    mend = "closebell cost; what to do: docs/runbook.md, budget_exceeded"
    fails(found, f"egress bytes: {words} of what is free", mend, verdict=verdict)


def test_kill_switch_is_off(cloud: Stack, values: dict[str, str]) -> None:
    off: LiteralString = "update ops.settings set value = 'off' where name = 'signals_enabled'"
    execute(cloud, off)
    done = closebell(values, "doctor", "kill_switch")
    assert done.returncode == 1
    assert "! kill_switch  off: no signal is stored, runs wait" in done.stdout
    type_sql(cloud, done.stdout.partition("→ ")[2].partition("\n")[0])
    assert examine(values, "kill_switch")["kill_switch"].verdict is OK


@pytest.mark.parametrize(("severity", "verdict"), [("error", FAULT), ("warn", WARNING)])
def test_incident_is_open(
    cloud: Stack, values: dict[str, str], severity: str, verdict: Verdict
) -> None:
    with changed(
        cloud,
        "select ops.raise_incident("
        f"'feed_stale', 'nowhere 1m', '{severity}', 'Old.', '{{}}', 3600)",
        "delete from ops.incidents where subject = 'nowhere 1m'",
    ):
        found = examine(values, "incidents")["incidents"]
        shown = closebell(values, *found.mend.split()[1:])
    assert (found.verdict, found.mend[:25]) == (verdict, "closebell incidents show ")
    assert f"open: {severity} feed_stale of nowhere 1m" in found.found
    assert shown.returncode == 0 and "docs/runbook.md" in shown.stdout


def test_backup_is_old_or_was_never_made(cloud: Stack, values: dict[str, str]) -> None:
    never = examine(elsewhere(values), "backup")["backup"]
    bucket = "closebell backup s3://BUCKET/PREFIX, and each night from cron or GitHub Actions"
    fails(never, "none yet", bucket, verdict=WARNING)
    with changed(
        cloud,
        "select ops.record_backup(now() - interval '3 days', '/b', 1, '{}', repeat('0', 64))",
        "delete from ops.backups; delete from ops.incidents where kind = 'backup_overdue'",
    ):
        found = examine(values, "backup")["backup"]
        status = closebell(values, "status").stdout
    fails(found, "the newest was made 3 d ago", "closebell backup FOLDER", verdict=WARNING)
    assert "backup    3 d ago · 0.0 MB · /b" in status
