"""A private Postgres with pg_cron, the platform's SQL and every migration of ours, once a session.

`migrated`: the database that pg_cron serves; files that roll back share it. `new_database`: a copy
of a migrated one for tests that commit. `empty_database`: the platform and nothing of ours.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from local.migrate import migrate
from local.ports import find_free_base
from local.postgres import STOP_SIGNAL, PostgresCluster
from tests.sql.backups import FILL, execute

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 90.0
TEMPLATE = "closebell_template"


@dataclass(frozen=True)
class Server:
    """A running cluster."""

    cluster: PostgresCluster
    numbers: itertools.count[int]

    def dsn(self, database: str = "postgres") -> str:
        return self.cluster.dsn.rpartition("/")[0] + f"/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, template: str) -> str:
        """Return the connection string of a new copy of `template`."""
        name = f"closebell_{next(self.numbers)}"
        self.execute(f"create database {name} template {template}")
        return self.dsn(name)

    def apply_platform(self, database: str) -> None:
        for path in sorted((ROOT / "local" / "sql").glob("*.sql")):
            self.execute(path.read_text("utf-8"), database)


@contextmanager
def _running(cluster: PostgresCluster) -> Iterator[None]:
    asyncio.run(cluster.create())
    account = pwd.getpwnam(cluster.user) if cluster.user else None
    process = subprocess.Popen(
        cluster.command,
        cwd="/",
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not asyncio.run(cluster.answers()):
            assert process.poll() is None and time.monotonic() < deadline, "Postgres did not start"
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(STOP_SIGNAL)
        process.wait(READY_TIMEOUT_S)


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a cluster of its own, whose files are gone afterwards."""
    # Not under pytest's folder: as root, Postgres' own user could not reach into that.
    folder = Path(tempfile.mkdtemp(prefix="closebell-sql-", dir="/var/tmp"))
    folder.chmod(0o711)
    cluster = PostgresCluster(
        folder, find_free_base().postgres, "a-password-for-tests", durable=False
    )
    try:
        with _running(cluster):
            yield Server(cluster, itertools.count())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The cluster of the session."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(server: Server) -> str:
    """Return the connection string of the migrated database, with helpers in schema tap."""
    server.apply_platform("postgres")
    migrate(server.dsn(), schedules=False)
    # The timetable as it is; but nothing may run beside the tests, not even if a minute begins now.
    with psycopg.connect(server.dsn()) as connection:
        connection.execute((ROOT / "sql" / "schedules.sql").read_bytes())
        connection.execute("update cron.job set active = false")
    server.execute((ROOT / "tests" / "sql" / "fixtures.sql").read_text("utf-8"))
    return server.dsn()


@pytest.fixture(scope="session")
def templates(server: Server) -> str:
    """Make the databases that are copied; return the name of the migrated one."""
    for name in (f"{TEMPLATE}_empty", TEMPLATE):
        server.execute(f"create database {name}")
        server.apply_platform(name)
    migrate(server.dsn(TEMPLATE))
    server.execute((ROOT / "tests" / "sql" / "fixtures.sql").read_text("utf-8"), TEMPLATE)
    return TEMPLATE


@pytest.fixture
def new_database(server: Server, templates: str) -> str:
    """Return the connection string of a migrated database of the test's own (no pg_cron)."""
    return server.create_database(templates)


@pytest.fixture
def empty_database(server: Server, templates: str) -> str:
    """Return the connection string of a database with the platform and no migration."""
    return server.create_database(f"{templates}_empty")


@pytest.fixture(scope="session")
def run_psql() -> Callable[[str, Path], str]:
    """Return a function that runs an SQL file and returns what psql prints."""

    def run(dsn: str, path: Path) -> str:
        result = subprocess.run(
            ("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", str(path), dsn),
            env={
                "PATH": os.environ["PATH"],
                "PGOPTIONS": "-c search_path=tap,pg_catalog -c client_min_messages=error",
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return result.stdout + result.stderr

    return run


@pytest.fixture
def filled_database(new_database: str) -> str:
    """Return the connection string of a database with data that the real routines wrote."""
    execute(new_database, FILL)
    return new_database
