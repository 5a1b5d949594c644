"""A private Postgres with pg_cron: initdb, loopback TCP only, scram, a generated password.

Reached by TCP alone: a Unix socket's path has a length limit that a deep checkout would break.
Postgres refuses to run as root; there it runs as the system user of Debian's package.
Called by `local/services.py` and the tests. Not here: schemas and migrations.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import shutil
import signal
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg

from local.ports import HOST
from local.processes import end_processes, processes_in, spawn, wait_gone
from shared.errors import ConfigError

VERSION = "15"
BIN_DIR = Path(f"/usr/lib/postgresql/{VERSION}/bin")
SYSTEM_USER = "postgres"
DATABASE = "postgres"
LEFTOVER_TIMEOUT_S = 3.0
"""A backend notices within milliseconds that its postmaster was killed, unless it is computing."""

SETTINGS = {
    "shared_preload_libraries": "pg_cron",
    "cron.database_name": DATABASE,
    # pg_cron's other mode connects as a client, which needs a password it does not have.
    "cron.use_background_workers": "on",
    "max_worker_processes": "32",
    "wal_level": "logical",
    "max_replication_slots": "10",
    "max_wal_senders": "10",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_directories": "",
    "listen_addresses": HOST,
}


class PostgresCluster:
    """One cluster in `<state>/postgres`, or in /var/tmp where root's folder hides it from Postgres.

    `durable=False` (tests) leaves out fsync: faster, and lost only if the machine itself dies.
    """

    def __init__(self, state_root: Path, port: int, password: str, *, durable: bool = True) -> None:
        self.port = port
        self._password = password
        self._durable = durable
        self.user = SYSTEM_USER if os.geteuid() == 0 else None
        self.home = state_root
        if self.user is not None and not _others_may_enter(state_root):
            key = hashlib.sha256(str(state_root.resolve()).encode()).hexdigest()[:12]
            self.home = Path(f"/var/tmp/closebell-{key}")
        self.data = self.home / "postgres"

    @property
    def dsn(self) -> str:
        """Return the superuser's connection string."""
        password = quote(self._password, safe="")
        return f"postgresql://postgres:{password}@{HOST}:{self.port}/{DATABASE}"

    @property
    def command(self) -> tuple[str, ...]:
        """Return the postmaster's command line."""
        settings = SETTINGS | {"port": str(self.port)}
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return (str(BIN_DIR / "postgres"), "-D", str(self.data), *options)

    async def create(self) -> None:
        """Make the cluster unless it is there. Raises: ConfigError saying what to do."""
        if self.data.exists():
            self._check_version()
            return
        if not (BIN_DIR / "initdb").exists():
            raise ConfigError(
                f"expected PostgreSQL {VERSION} in {BIN_DIR}, was not there",
                hint=f"sudo apt-get install postgresql-{VERSION} postgresql-{VERSION}-cron",
            )
        self._own_home()
        # Made beside its place and moved there whole: a start that was broken off leaves no half.
        draft = self.home / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self.home / "initdb.password"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        self._give(draft, password_file)
        try:
            await self._initdb(draft, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        draft.rename(self.data)

    async def _initdb(self, folder: Path, password_file: Path) -> None:
        options = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        process = await spawn(
            (
                str(BIN_DIR / "initdb"),
                f"--pgdata={folder}",
                f"--pwfile={password_file}",
                "--username=postgres",
                *options,
            ),
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            cwd=self.home,
            user=self.user,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            lines = output.decode(errors="replace").strip().splitlines() or ["silent"]
            raise ConfigError(f"expected initdb to succeed, was: {lines[-1]}")

    async def clear_leftovers(self) -> None:
        """Make way for a postmaster after one that was killed: its backends, and its pid file.

        A pid file whose number now belongs to a stranger would make Postgres refuse to start.
        """
        marks = list(processes_in(self.data))
        if marks and not await asyncio.to_thread(wait_gone, marks, LEFTOVER_TIMEOUT_S):
            await asyncio.to_thread(end_processes, marks, LEFTOVER_TIMEOUT_S)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def answers(self) -> bool:
        """Return whether a query succeeds."""
        try:
            async with await psycopg.AsyncConnection.connect(
                self.dsn, connect_timeout=2, autocommit=True
            ) as connection:
                await connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def remove(self) -> None:
        """Delete the cluster's files; it must not run."""
        shutil.rmtree(self.data, ignore_errors=True)
        if self.home.name.startswith("closebell-") and self.home.parent == Path("/var/tmp"):
            shutil.rmtree(self.home, ignore_errors=True)

    def _own_home(self) -> None:
        """Make the folder around the cluster. Raises: ConfigError if a stranger made it."""
        self.home.mkdir(mode=0o711, parents=True, exist_ok=True)
        found = self.home.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise ConfigError(
                f"expected {self.home} to be our folder, was somebody else's",
                hint=f"rm -rf {self.home}",
            )

    def _give(self, *paths: Path) -> None:
        """Hand files to the user that Postgres runs as."""
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            for path in paths:
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != VERSION:
            raise ConfigError(
                f"expected a cluster of PostgreSQL {VERSION} in {self.data}, was {found}",
                hint="make reset",
            )


STOP_SIGNAL = signal.SIGINT
"""Postgres' fast shutdown: ends the sessions, writes everything, leaves."""


def _others_may_enter(folder: Path) -> bool:
    """Return whether an unrelated user may reach into `folder` (each parent lets them pass)."""
    existing: Sequence[Path] = [p for p in (folder, *folder.resolve().parents) if p.exists()]
    return all(path.stat().st_mode & stat.S_IXOTH for path in existing)
