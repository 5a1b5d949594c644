"""`make run` as a person meets it: start, start twice, kill, start again, Ctrl-C, stop, reset.

One real cloud on ports of its own with a small simulated market.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from local.ports import HOST, Ports, find_free_base, is_free
from local.postgres import PostgresCluster
from local.processes import ProcessMark, is_running
from local.secrets import load_or_create_secrets
from local.state import StateDir

PROJECT = Path(__file__).resolve().parents[2]
# What a machine under load may need; a quiet one needs a tenth of it.
START_TIMEOUT_S = 300.0
TIMEOUT_S = 60.0
SETTINGS = {"UNIVERSE_SIZE": "20", "UNIVERSE_VOLUME_MIN": "0", "VENUE_SYMBOLS": "30"}


class Place:
    """A state folder, its ports, and the commands of the Makefile on them."""

    def __init__(self, root: Path) -> None:
        self.state = StateDir(root)
        self.ports: Ports = find_free_base()
        self.environment = {**os.environ, **SETTINGS, "PYTHONUNBUFFERED": "1"}
        self._started: list[subprocess.Popen[str]] = []

    def start(self, feed: str = "simulated") -> subprocess.Popen[str]:
        """Begin `make run`."""
        process = subprocess.Popen(
            self._command("local.run", "--port", str(self.ports.base), "--feed", feed),
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """End and delete everything, whatever the test left."""
        self.call("local.stop", "--reset", "--yes")
        for process in self._started:
            process.kill()
            process.communicate()

    def call(self, module: str, *words: str) -> tuple[int, str]:
        """Run a command to its end; return exit code and output."""
        done = subprocess.run(
            self._command(module, *words),
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    def services(self) -> dict[str, ProcessMark]:
        """Return the services that run now."""
        return self.state.stale_processes()

    def _command(self, module: str, *words: str) -> list[str]:
        return [sys.executable, "-m", module, "--state", str(self.state.root), *words]


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="closebell-test-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        made = Place(Path(folder) / "state")
        yield made
        made.end()


def read_until_running(process: subprocess.Popen[str]) -> str:
    """Return what is printed up to the summary's last line."""
    assert process.stdout is not None
    lines: list[str] = []
    began_s = time.monotonic()
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            return "".join(lines)
        assert time.monotonic() - began_s < START_TIMEOUT_S, "".join(lines)
    raise AssertionError("ended before it was running:\n" + "".join(lines))


def eventually(condition: Callable[[], bool], expectation: str, timeout_s: float = 180.0) -> None:
    """Wait until the condition holds; fail with the expectation."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"expected {expectation} within {timeout_s} s"
        time.sleep(0.05)


def sign_in(url: str) -> dict[str, str]:
    """Sign in as the demo account at the printed URL; return the headers that prove it."""
    config = httpx.get(f"{url}/config.json", timeout=TIMEOUT_S).json()
    headers = {"apikey": config["publishable_key"]}
    answer = httpx.post(
        f"{url}/auth/v1/token?grant_type=password",
        json=config["demo"],
        headers=headers,
        timeout=TIMEOUT_S,
    )
    return headers | {"Authorization": f"Bearer {answer.json()['access_token']}"}


def save_trader_that_always_matches(url: str) -> None:
    """Save one more trader: what the samples find depends on the hour of the simulated market."""
    trader = {"name": "Always", "rule": "close > 0", "interval": "1m", "trigger": "while"}
    answer = httpx.post(
        f"{url}/functions/v1/save_trader", json=trader, headers=sign_in(url), timeout=TIMEOUT_S
    )
    assert answer.status_code == 200, answer.text


def count_evaluated(place: Place) -> int:
    """Return for how many traders a slot of their own was evaluated."""
    password = load_or_create_secrets(place.state.secrets_file).postgres_password
    postgres = PostgresCluster(place.state.root, place.ports.postgres, password)
    with psycopg.connect(postgres.dsn) as database:
        row = database.execute(
            "select count(distinct trader_id) from ops.runs where status = 'finished'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def count_rows(url: str, table: str) -> int:
    """Return how many rows of a table the demo account sees at the printed URL."""
    headers = sign_in(url)
    rows = httpx.get(
        f"{url}/rest/v1/{table}?select=id&limit=1000", headers=headers, timeout=TIMEOUT_S
    )
    assert rows.status_code == 200, rows.text
    return len(rows.json())


def test_run_lives_through_kills_and_leaves_nothing(place: Place) -> None:
    first = place.start()
    shown = read_until_running(first)
    url = f"http://{HOST}:{place.ports.base}"
    assert f"open      {url}" in shown
    assert re.search(r"sign in   demo@closebell.test  password \S{12}", shown)
    assert "data      SIMULATED (as asked)" in shown
    assert "<html" in httpx.get(url, timeout=TIMEOUT_S).text
    assert place.state.operator_file.stat().st_mode & 0o777 == 0o600
    assert count_rows(url, "traders") == 8
    eventually(lambda: count_evaluated(place) == 8, "the last slots to be evaluated at once")
    save_trader_that_always_matches(url)
    eventually(lambda: signed_in_count(url, "signals") > 0, "signals")

    # A second start only points to the first; other data would need a stop.
    code, text = place.call("local.run")
    assert (code, url in text, "already running" in text) == (0, True, True)
    code, text = place.call("local.run", "--feed", "live")
    assert code == 1 and "make stop, then: make run FEED=live" in text

    # Every service comes back by itself, and with its data.
    before = place.services()
    assert len(before) == 10
    for mark in before.values():
        os.kill(mark.pid, signal.SIGKILL)
    eventually(
        lambda: (
            place.services().keys() == before.keys()
            and not set(place.services().values()) & set(before.values())
        ),
        "all services to be new",
    )
    eventually(lambda: answers(url), "the gateway to be back")
    eventually(lambda: signed_in_count(url, "traders") == 9, "the traders to be back")

    # A killed supervisor takes its services along; the next start continues.
    signals_count = count_rows(url, "signals")
    running = place.services()
    first.kill()
    first.wait()
    eventually(lambda: not any(map(is_running, running.values())), "no service to be left")
    second = place.start()
    read_until_running(second)
    assert count_rows(url, "signals") >= signals_count
    assert count_rows(url, "traders") == 9

    # Ctrl-C.
    running = place.services()
    second.send_signal(signal.SIGINT)
    # Each layer of services has 5 s to end.
    assert second.wait(timeout=60) == 0
    assert not place.state.operator_file.exists()
    assert not any(map(is_running, running.values()))
    eventually(lambda: all(map(is_free, place.ports.numbers())), "no port to be held")
    assert place.call("local.stop") == (0, "Nothing is running.")
    assert place.call("local.stop", "--reset")[0] == 1
    code, text = place.call("local.stop", "--reset", "--yes")
    assert code == 0 and not place.state.root.exists()


def answers(url: str) -> bool:
    """Return whether the URL answers 200."""
    try:
        return httpx.get(url, timeout=TIMEOUT_S).status_code == 200
    except httpx.HTTPError:
        return False


def signed_in_count(url: str, table: str) -> int:
    """Count rows; -1 while something on the way is not back yet."""
    try:
        return count_rows(url, table)
    except (httpx.HTTPError, AssertionError, KeyError, ValueError):
        return -1


def test_run_on_a_taken_port_says_so_and_starts_nothing(place: Place) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, place.ports.functions))
        holder.listen()
        code, text = place.call("local.run", "--port", str(place.ports.base), "--feed", "simulated")
    assert code == 1
    last = text.splitlines()[-1]
    assert last.startswith(
        f"closebell: expected port {place.ports.functions} (for functions) to be free"
    )
    assert re.search(r"make run PORT=\d+\)$", last)
    assert place.services() == {}


def test_run_with_an_unknown_feed_says_so(place: Place) -> None:
    code, text = place.call("local.run", "--feed", "dream")
    assert code == 1
    assert text.splitlines()[-1].startswith("closebell: expected FEED to be live, simulated or")


def test_stop_ends_a_running_cloud_from_elsewhere(place: Place) -> None:
    process = place.start()
    eventually(lambda: len(place.services()) > 0, "a service")
    code, text = place.call("local.stop")
    assert (code, text) == (0, "Stopped.")
    assert process.wait(timeout=60) == 0
    assert place.services() == {}
