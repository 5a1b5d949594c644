"""A database to try a backup in: in a private cluster of its own, or on a server that is given.

The cluster listens on a socket in a folder that only its user may enter, and is gone afterwards.
Not here: what is restored into it (restoring).
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cli.pg_tools import find_program
from shared.errors import ConfigError, StoreUnavailable

_START_TIMEOUT_S, _STOP_TIMEOUT_S, _INITDB_TIMEOUT_S = 60.0, 60.0, 300.0
_CONNECT_TIMEOUT_S = 10
# Postgres refuses to run as root; Debian's package brings this user.
_SYSTEM_USER = "postgres"


@contextmanager
def scratch_database(major: int, server_dsn: str | None) -> Iterator[str]:
    """Yield the connection string of an empty database that is dropped after the block.

    `server_dsn`: a server to make it on; None makes a private one of this major version or newer.
    Raises: ConfigError without the programs; StoreUnavailable.
    """
    if server_dsn is None:
        with _cluster(major) as dsn:
            yield dsn
        return
    name = f"closebell_scratch_{secrets.token_hex(4)}"
    with _session(server_dsn) as server:
        _execute(server, "create database {}", name)
        try:
            parts = conninfo_to_dict(server_dsn) | {"dbname": name}
            yield make_conninfo(**{key: str(value) for key, value in parts.items()})
        finally:
            _execute(server, "drop database if exists {} with (force)", name)


@contextmanager
def _session(dsn: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"expected a server for the scratch database, was: {str(error).strip()}",
            hint="check the URL after --scratch",
        ) from error
    with connection:
        yield connection


def _execute(server: psycopg.Connection, statement: LiteralString, name: str) -> None:
    try:
        server.execute(sql.SQL(statement).format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise StoreUnavailable(
            f"expected to make and drop a scratch database, was: {str(error).strip()}",
            hint="its user needs the right to create databases (alter role … createdb)",
        ) from error


@contextmanager
def _cluster(major: int) -> Iterator[str]:
    initdb = find_program("initdb", major)
    account = _account()
    # Short, because a socket's path may have 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="closebell-"))
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        _run_initdb(initdb, data, account)
        process = _start(initdb.with_name("postgres"), data, folder, account)
        try:
            dsn = make_conninfo(host=str(folder), user="postgres", dbname="postgres")
            _wait_ready(dsn, process, folder / "log")
            yield dsn
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Return whom to run Postgres as, None for ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_SYSTEM_USER)
    except KeyError as error:
        raise ConfigError(
            f"expected a user {_SYSTEM_USER} to run Postgres as, there is none",
            hint="run as another user than root, or name a server: --scratch postgresql://…",
        ) from error


def _run_initdb(initdb: Path, data: Path, account: pwd.struct_passwd | None) -> None:
    done = subprocess.run(
        (
            str(initdb),
            f"--pgdata={data}",
            "--username=postgres",
            # Whoever may enter the folder of the socket is us.
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ),
        capture_output=True,
        text=True,
        timeout=_INITDB_TIMEOUT_S,
        cwd="/",
        check=False,
        **_as(account),
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines() or ["silent"]
        raise StoreUnavailable(
            f"expected a cluster for the scratch database, initdb said: {words[-1]}",
            hint="it is made in TMPDIR: is there room, and may the user of Postgres enter?",
        )


def _start(
    postgres: Path, data: Path, folder: Path, account: pwd.struct_passwd | None
) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "autovacuum": "off",
        "timezone": "UTC",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            (str(postgres), "-D", str(data), *options),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            # Ctrl-C is for the command; it ends the server itself.
            start_new_session=True,
            **_as(account),
        )


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _wait_ready(dsn: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is None and time.monotonic() < deadline_s:
                time.sleep(0.05)
                continue
            said = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
            raise StoreUnavailable(
                f"expected a scratch Postgres to start, it said: {said[-1]}"
            ) from error
