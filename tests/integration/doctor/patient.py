"""What the tests of the doctor cause and ask: faults on real parts, undone; checks; the command."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
from typer.testing import CliRunner

from cli.checks.catalogue import CHECKS
from cli.checks.check import Outcome, Verdict
from cli.checks.ground import Ground
from cli.checks.runner import run_checks, select_checks
from cli.main import app
from local.ports import HOST
from tests.stack import Stack

COMMAND = Path(sys.executable).parent / "closebell"
OK, WARNING, FAULT, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.FAULT, Verdict.SKIPPED
TIMEOUT_S = 120.0
RESTART = "make stop && make run"
FIX = "closebell doctor --fix"


def examine(
    values: Mapping[str, str], *names: str, env_file: Path | None = None
) -> dict[str, Outcome]:
    """Run the named checks (all without names) and what they need; return the outcomes by name."""
    file = env_file or Path("/var/tmp/.env-that-is-not-there")

    async def run() -> list[Outcome]:
        async with Ground(values, [file]) as ground:
            return await run_checks(select_checks(CHECKS, names), ground, lambda _: None)

    return {outcome.name: outcome for outcome in asyncio.run(run())}


def closebell(values: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command against these settings: in this process, which has imported it already."""
    named = {name.upper(): text for name, text in values.items()}
    done = CliRunner().invoke(app, words, env={**named, "COLUMNS": "100"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def installed(values: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command against these settings, as a person would."""
    named = {name.upper(): text for name, text in values.items()}
    return subprocess.run(
        [COMMAND, *words],
        env={**os.environ, **named, "COLUMNS": "100"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def fails(outcome: Outcome, found: str, mend: str, *, verdict: Verdict = FAULT) -> None:
    """Expect a verdict that is not good, the beginning of its words, and what is to be typed."""
    assert (outcome.verdict, outcome.found[: len(found)], outcome.mend) == (verdict, found, mend)


def execute(cloud: Stack, *statements: LiteralString) -> None:
    """Run statements as the owner."""
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def type_sql(cloud: Stack, mend: str) -> None:
    """Type a mend that is SQL, as it is shown."""
    assert mend.startswith("SQL: ")
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        for statement in mend.removeprefix("SQL: ").split(";"):
            if statement.strip():
                connection.execute(statement.encode())


@contextmanager
def changed(cloud: Stack, statement: LiteralString, back: LiteralString) -> Iterator[None]:
    """Change the database, and change it back."""
    execute(cloud, statement)
    try:
        yield
    finally:
        execute(cloud, back)


def elsewhere(values: Mapping[str, str]) -> dict[str, str]:
    """Return settings whose database has the address of another machine: nothing mends itself."""
    parts = urlsplit(values["database_url"])
    there = values["database_url"].replace(f"@{parts.hostname}:", "@db.example.test:")
    return {**values, "database_url": f"{there}?hostaddr={parts.hostname}"}


@contextmanager
def frozen(cloud: Stack, *names: str) -> Iterator[None]:
    """Stop processes without ending them: their sockets stay open and nothing answers."""
    processes = [psutil.Process(cloud.supervisor.pids()[name]) for name in names]
    # Postgres answers by its children.
    processes += [child for one in processes for child in one.children(recursive=True)]
    with suspended(processes):
        yield


@contextmanager
def suspended(processes: list[psutil.Process]) -> Iterator[None]:
    """Stop these processes without ending them."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


@contextmanager
def venue_fault(cloud: Stack, **fault: Any) -> Iterator[None]:
    """Let the venue misbehave."""
    url = cloud.cloud.local_url(cloud.cloud.ports.venue) + "/control/fault"
    httpx.post(url, json=fault, trust_env=False).raise_for_status()
    try:
        yield
    finally:
        httpx.delete(url, trust_env=False).raise_for_status()


Answer = Callable[[str], tuple[int, str, str]]


@contextmanager
def standin(answer: Answer) -> Iterator[str]:
    """Yield the URL of a server that answers "GET /path" with (status, content type, body)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            self.rfile.read(length)
            status, kind, text = answer(f"{self.command} {self.path}")
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_OPTIONS = do_GET

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hotel(_asked: str) -> tuple[int, str, str]:
    """The page of a hotel's network, which answers everything."""
    return 200, "text/html", "<html>Welcome! Room number?</html>"
