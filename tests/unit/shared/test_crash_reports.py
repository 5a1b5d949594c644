"""Crash reports, in a process of their own: what a receiver on this machine gets, and what not."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECRET = "a-secret-that-nobody-may-read"
TIMEOUT_S = 60

START = f"""
import sys
import structlog
from shared.crash_reports import start_crash_reports
from shared.logs import configure_logs
from shared.settings import OperatorSettings
from pydantic import Field, SecretStr

class Settings(OperatorSettings):
    sentry_dsn: SecretStr = Field(SecretStr(""), description="")

configure_logs("functions")
settings = Settings(_env_file=None, function_secret=SecretStr({SECRET!r}))
started = start_crash_reports(settings, "functions", "9.9.9")
log = structlog.get_logger()
"""
CRASH = """
def look(password):
    raise ValueError(f"expected something, was https://host/?key={password}")
try:
    look(settings.function_secret.get_secret_value())
except ValueError as error:
    log.error("request_crashed", exc_info=error, error_id="abc123", api_key="12345")
log.error("run_failed", reason="no exception, no report")
"""


class Receiver(ThreadingHTTPServer):
    """Keeps the bodies of what is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Post)
        self.bodies: list[str] = []


class Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        is_packed = self.headers.get("content-encoding") == "gzip"
        assert isinstance(self.server, Receiver)
        self.server.bodies.append((gzip.decompress(raw) if is_packed else raw).decode())
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(TIMEOUT_S)


def python(code: str, dsn: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-c", code),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SENTRY_DSN": dsn, "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_crash_is_reported_once_and_without_secrets(receiver: Receiver) -> None:
    dsn = f"http://public@127.0.0.1:{receiver.server_port}/7"
    ended = python(START + CRASH, dsn)
    assert ended.returncode == 0, ended.stderr
    reports = [body for body in receiver.bodies if '"exception"' in body]
    (report,) = reports
    for part in ("ValueError", "https://host/?key=[hidden]", "closebell@9.9.9", "abc123", "look"):
        assert part in report, part
    for part in (SECRET, "12345", '"vars"', '"breadcrumbs"', '"modules"', '"user"', "run_failed"):
        assert part not in report, part


def test_crash_that_ends_the_process_is_reported(receiver: Receiver) -> None:
    dsn = f"http://public@127.0.0.1:{receiver.server_port}/7"
    ended = python(START + "raise RuntimeError('the end')", dsn)
    assert ended.returncode == 1
    assert "the end" in ended.stderr
    assert ["the end" in body for body in receiver.bodies if '"exception"' in body] == [True]


def test_without_an_address_nothing_is_imported_and_lines_are_the_same() -> None:
    code = START + CRASH + "print('sentry_sdk' in sys.modules, started)"
    ended = python(code)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "False False"
    assert "ValueError" in ended.stdout.splitlines()[0]


def test_address_that_is_none_refuses_the_start() -> None:
    ended = python(START, "not an address")
    assert ended.returncode == 1
    assert "ConfigError: expected SENTRY_DSN as https://key@host/project" in ended.stderr


def test_missing_package_refuses_the_start_and_says_what_to_type() -> None:
    hidden = "import sys; sys.modules['sentry_sdk'] = None\n"
    ended = python(hidden + START, "http://public@127.0.0.1:9/7")
    assert ended.returncode == 1
    assert "uv sync --group sentry" in ended.stderr
