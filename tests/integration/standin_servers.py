"""Private Postgres, Redis and stand-in processes for the integration tests, on ephemeral ports.

The fixtures are in conftest.py: one cluster and one Redis a session; each module starts the
stand-ins it tests. Everything is ended by its process id.
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psycopg

from local.ports import is_free

ROOT = Path(__file__).resolve().parents[2]
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
# What a machine under load may need; a quiet one needs a tenth of it.
READY_TIMEOUT_S = 90.0
# Below the bases of whole clouds (local/ports.py) and the range of outgoing sockets: nobody gets
# such a port by chance between our asking and the server's listening.
PORT_MIN, PORTS_COUNT = 2_000, 9_000
NUMBERS = itertools.count(os.getpid() * 100)

JWT_SECRET = "a-test-secret-of-at-least-thirty-two-characters"
PUBLISHABLE_KEY = "sb_publishable_testtesttesttesttest00"
SECRET_KEY = "sb_secret_testtesttesttesttest00000000"


def free_port() -> int:
    """Return a port that is free now and that this process is not given again soon."""
    ports = (PORT_MIN + number % PORTS_COUNT for number in NUMBERS)
    return next(port for port in ports if is_free(port))


def wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = READY_TIMEOUT_S
) -> None:
    """Poll `condition` until it holds; fail with `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s} s")
        time.sleep(0.02)


def answers(url: str, headers: dict[str, str] | None = None) -> bool:
    """Return whether `url` answers 200."""
    try:
        with urlopen(Request(url, headers=headers or {}), timeout=10) as reply:
            return bool(reply.status == 200)
    except (HTTPError, URLError, OSError):
        return False


@dataclass
class PostgresServer:
    """A private cluster; `dsn` is its superuser, `lite_dsn` the role of the REST server."""

    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def lite_dsn(self) -> str:
        return f"postgresql://closebell_lite:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        command = [
            str(POSTGRES_BIN / "postgres"),
            *("-D", str(self.folder / "data"), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            *("-c", "fsync=off", "-c", "log_min_messages=warning"),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=log,
                **as_postgres(),
            )
        wait_until(self.is_ready, "Postgres ready")

    def is_ready(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.dsn, connect_timeout=10):
            return True
        return False

    def stop(self) -> None:
        """Stop as a restart does: sessions are cut, nothing committed is lost."""
        if self.process is not None:
            self.process.send_signal(2)  # SIGINT: fast shutdown
            self.process.wait(READY_TIMEOUT_S)
            self.process = None

    def apply(self, *files: str) -> None:
        """Run SQL files of local/sql, in the order given (all of them if none is)."""
        paths = [ROOT / "local" / "sql" / name for name in files] or sorted(
            (ROOT / "local" / "sql").glob("*.sql")
        )
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for path in paths:
                connection.execute(path.read_text())

    def set_lite_password(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"alter role closebell_lite with password '{self.password}'")


def as_postgres() -> dict[str, Any]:
    """Return Popen arguments that drop root: Postgres refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="closebell-postgres-"))
    password = secrets.token_hex(8)
    (folder / "password").write_text(password)
    if os.getuid() == 0:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
    subprocess.run(
        [
            str(POSTGRES_BIN / "initdb"),
            *("-D", str(folder / "data"), "-U", "postgres", "-A", "scram-sha-256"),
            *("--pwfile", str(folder / "password"), "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        **as_postgres(),
    )
    server = PostgresServer(folder, free_port(), password)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class RedisServer:
    """A private Redis that can be stopped and started again on its port (append-only file kept)."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                "redis-server",
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(self.folder),
                "--appendonly",
                "yes",
                "--save",
                "",
            ],
            stdout=subprocess.DEVNULL,
        )
        wait_until(self.is_ready, "Redis ready")

    def is_ready(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(READY_TIMEOUT_S)
            self.process = None


@contextmanager
def run_redis() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="closebell-redis-") as folder:
        server = RedisServer(Path(folder), free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def run_standin(
    module: str, environment: dict[str, str], ready: Callable[[int], bool]
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run `python -m local.<module>`; yield its port and process once `ready(port)` holds."""
    port = free_port()
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process below
    process = subprocess.Popen(
        [sys.executable, "-m", f"local.{module}"],
        cwd=ROOT,
        env={**os.environ, "LISTEN_PORT": str(port), **environment},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until(lambda: ready(port) or process.poll() is not None, f"{module} ready")
        if process.poll() is not None:
            log.seek(0)
            raise AssertionError(f"{module} ended: {log.read().decode()[-2000:]}")
        yield port, process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait(5)
        log.close()
