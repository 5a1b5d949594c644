"""The Supabase CLI in the work directory that deploy/supabase.sh makes, against real Postgres.

What it pushes and what our runner applies are one history: either may come first.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.migrations import load_migrations
from shared.store.migrations import SQL, load_status, migrate
from tests.integration.standin_servers import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "deploy" / "node_modules" / ".bin" / "supabase"
TIMEOUT_S = 120

pytestmark = pytest.mark.skipif(
    not CLI.exists(), reason="no Supabase CLI: npm install --no-package-lock --prefix deploy"
)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the connection string of a database that is as a new project's."""
    name = f"supabase_cli_{os.getpid()}"
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    dsn = postgres_server.dsn.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        for path in sorted((ROOT / "local" / "sql").glob("*.sql")):
            connection.execute(path.read_bytes())
    yield dsn
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def supabase(*words: str) -> str:
    """Run the CLI and return what it says."""
    result = subprocess.run(
        (ROOT / "deploy" / "supabase.sh", *words),
        env={
            "PATH": f"{CLI.parent}:{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "SUPABASE_TELEMETRY_DISABLED": "1",
            "DO_NOT_TRACK": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_push_lint_and_types_accept_the_work_directory(database: str) -> None:
    names = [migration.file_name for migration in load_migrations(SQL / "migrations")]

    planned = supabase("db", "push", f"--remote={database}", "--dry-run", "--yes")
    assert [name for name in names if name not in planned] == []
    pushed = supabase("db", "push", f"--remote={database}", "--yes")
    assert [name for name in names if f"Applying migration {name}" not in pushed] == []

    # The rest by our runner, which finds the migrations applied, to the letter.
    assert {state for _, state in load_status(database)} == {"applied"}
    done = migrate(database)
    assert done.applied == ()
    assert done.routines_count > 0

    lint = supabase(
        *("db", "lint", f"--remote={database}"),
        *("--schema", "public,ops", "--level", "error", "--fail-on", "none"),
    )
    # This database has no pg_cron, and a schedule makes its temporary procedure when it runs;
    # nothing else is wrong in any routine.
    messages = re.findall(r'"message": "(.*)"', lint)
    absent = re.compile(r'cron\.|schema \\"(cron|pg_temp)')
    errors = [message for message in messages if not absent.search(message)]
    assert errors == []
    types = supabase("gen", "types", f"--remote={database}", "--schema", "public")
    for word in ('"traders"', '"signals"', '"rule": string', '"emit_signals"'):
        assert word in types
    assert '"ops"' not in types


def test_push_after_our_runner_finds_nothing_to_do(database: str) -> None:
    assert len(migrate(database).applied) == len(load_migrations(SQL / "migrations"))
    assert "up to date" in supabase("db", "push", f"--remote={database}", "--yes").lower()
