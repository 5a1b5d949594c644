"""The watch against the real request worker, and `closebell incidents` as a person uses it."""

from __future__ import annotations

import getpass
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from tests.stack import Stack

COMMAND = Path(sys.executable).parent / "closebell"
TOKEN = "a-token-that-nobody-may-read"
TIMEOUT_S = 120.0
# Nobody is owed anything here, so nothing but what a test causes is abnormal.
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/postgres"


class Receiver(ThreadingHTTPServer):
    """Keeps the paths it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """Postgres with the schema and the worker behind net.http_get; no timetable: the tests look."""
    with Stack(names=("requests",), with_samples=False) as running:
        yield running


@pytest.fixture
def database(cloud: Stack) -> Iterator[psycopg.Connection]:
    """A connection; what was abnormal, and every setting, is as before afterwards."""
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        settings = connection.execute("select value, name from ops.settings").fetchall()
        yield connection
        connection.cursor().executemany(
            "update ops.settings set value = %s where name = %s", settings
        )
        connection.execute("delete from ops.incidents")
        connection.execute("delete from ops.local_secrets where name = 'deadman_url'")


def value(database: psycopg.Connection, statement: str, *arguments: object) -> Any:
    row = database.execute(statement, arguments).fetchone()
    assert row is not None
    return row[0]


def set_value(database: psycopg.Connection, name: str, text: str) -> None:
    database.execute("update ops.settings set value = %s where name = %s", (text, name))


def look_in_next_minute(database: psycopg.Connection) -> bool:
    """Look as the schedule does a minute after the last look; return whether the dead man was
    called."""
    database.execute("update ops.watch_state set pinged_at = pinged_at - interval '1 minute'")
    return bool(value(database, "select ops.watch() -> 'pinged'"))


def raise_incident(database: psycopg.Connection, severity: str = "error") -> int:
    """Raise one that lasts."""
    statement = (
        "select ops.raise_incident('backup_overdue', 'backup', %s, 'The backup is old.',"
        " '{\"age_days\": 9}', 3600)"
    )
    return int(value(database, statement, severity))


def run(cloud: Stack, *words: str, dsn: str = "") -> subprocess.CompletedProcess[str]:
    return closebell(cloud, "incidents", *words, dsn=dsn)


def closebell(cloud: Stack, *words: str, dsn: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words],
        env={**os.environ, "COLUMNS": "100", "DATABASE_URL": dsn or cloud.dsn},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_dead_man_is_called_only_while_all_is_well(
    cloud: Stack, database: psycopg.Connection, receiver: Receiver
) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}"
    database.execute("select ops.store_secret('deadman_url', %s)", (f"{url}/{TOKEN}",))

    def pings() -> int:
        return receiver.paths.count(f"/{TOKEN}")

    assert value(database, "select ops.watch() -> 'pinged'") is True
    cloud.wait_for(lambda: pings() == 1, "a call")
    assert value(database, "select ops.watch() -> 'pinged'") is False, "twice in a minute"

    incident_id = raise_incident(database)
    assert look_in_next_minute(database) is False
    database.execute("select net.http_get(%s)", (f"{url}/after",))
    cloud.wait_for(lambda: "/after" in receiver.paths, "what was sent after it")
    assert pings() == 1

    database.execute("select ops.close_incident(%s)", (incident_id,))
    assert look_in_next_minute(database) is True
    cloud.wait_for(lambda: pings() == 2, "a call when all is well again")
    written = value(database, "select string_agg(to_jsonb(l)::text, ' ') from ops.function_logs l")
    assert "incident_raised" in written
    assert TOKEN not in written + cloud.log("requests") + cloud.log("postgres")


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["status", "--json"],
        ["doctor", "--json"],
        ["logs", "--json", "-n", "10000", "--level", "debug"],
        ["incidents", "list", "--all", "--json"],
        ["schedules", "history", "--json"],
    ],
    ids=" ".join,
)
def test_url_of_the_dead_man_is_on_no_screen(
    cloud: Stack, database: psycopg.Connection, receiver: Receiver, words: list[str]
) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}/{TOKEN}"
    database.execute("select ops.store_secret('deadman_url', %s)", (url,))
    database.execute("select ops.watch()")
    raise_incident(database)
    done = closebell(cloud, *words)
    assert "backup_overdue" in done.stdout or words[0] == "schedules"
    assert TOKEN not in done.stdout + done.stderr


def test_worker_that_stands_still_is_an_incident_until_it_goes_on(
    cloud: Stack, database: psycopg.Connection, receiver: Receiver
) -> None:
    set_value(database, "requests_silent_after_s", "1")
    set_value(database, "incident_quiet_s", "1")
    open_kinds = "select coalesce(array_agg(kind), '{}') from ops.incidents where closed_at is null"

    def looked() -> Any:
        database.execute("select ops.watch()")
        return value(database, open_kinds)

    assert looked() == []
    pid = cloud.supervisor.pids()["requests"]
    os.kill(pid, signal.SIGSTOP)
    try:
        url = f"http://127.0.0.1:{receiver.server_port}/held"
        database.execute("select net.http_get(%s)", (url,))
        cloud.wait_for(lambda: looked() == ["requests_silent"], "an incident")
    finally:
        os.kill(pid, signal.SIGCONT)
    cloud.wait_for(lambda: looked() == [], "its end")
    assert "/held" in receiver.paths
    closed = value(database, "select array_agg(closed_by) from ops.incidents")
    assert closed == ["watch"]


def test_list_says_that_all_is_well(cloud: Stack, database: psycopg.Connection) -> None:
    database.execute("select ops.watch()")
    done = run(cloud, "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("✓ no incident is open\nlooked ")
    assert document(run(cloud, "list", "--json"))["incidents"] == []


def test_list_looks_itself_while_cron_is_silent(cloud: Stack, database: psycopg.Connection) -> None:
    database.execute(
        "update ops.watch_state set scheduled_at = now() - interval '10 minutes',"
        " watched_at = now() - interval '5 minutes', late_since = now() - interval '5 minutes'"
    )
    found = document(run(cloud, "list", "--json"))
    assert [incident["kind"] for incident in found["incidents"]] == ["cron_silent"]
    assert found["late_since"] is not None
    assert "pg_cron does not run the schedule watch" in run(cloud, "list").stdout
    database.execute("select ops.watch()")
    assert "pg_cron does not" not in run(cloud, "list").stdout


def test_incident_from_list_to_close(cloud: Stack, database: psycopg.Connection) -> None:
    incident_id = raise_incident(database)
    listed = run(cloud, "list").stdout
    assert f"✗ {incident_id}" in listed
    assert "backup_overdue · backup · error for " in listed
    assert "in hands of nobody\n     The backup is old.\n" in listed

    done = run(cloud, "ack", str(incident_id), "--note", "on it")
    who = getpass.getuser()
    assert done.stdout == f"✓ {incident_id} backup_overdue · backup: in hands of {who}\n"
    shown = run(cloud, "show", str(incident_id)).stdout
    assert f"notes       {who}: on it\n" in shown
    assert "details     age_days: 9\n" in shown
    assert "what to do  docs/runbook.md, section backup_overdue" in shown

    closed = document(run(cloud, "close", str(incident_id), "-m", "made one", "--json"))
    assert closed["incidents"][0]["closed_by"] == who
    assert document(run(cloud, "list", "--json"))["incidents"] == []
    (row,) = document(run(cloud, "list", "--all", "--json"))["incidents"]
    assert row["note"] == f"{who}: on it\n{who}: made one"
    assert row == document(run(cloud, "show", str(incident_id), "--json"))
    assert f"closed by {who} " in run(cloud, "list", "--all").stdout


def test_list_tells_that_there_are_more(cloud: Stack, database: psycopg.Connection) -> None:
    raise_incident(database)
    database.execute("select ops.raise_incident('budget_exceeded', 'redis', 'warn', 'Too much.')")
    assert "There are more than these 1; -n shows them." in run(cloud, "list", "-n", "1").stdout
    found = document(run(cloud, "list", "-n", "1", "--json"))
    assert (len(found["incidents"]), found["has_more"]) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "987654"), "expected an incident 987654, found none"),
        (("ack", "987654"), "expected an incident 987654, found none"),
        (("close", "0"), "0 is not in the range"),
        (("close", "one"), "'one' is not a valid int range"),
        (("ack",), "Missing argument"),
        (("list", "-n", "0"), "0 is not in the range"),
    ],
)
def test_wrong_input_is_refused_with_the_reason(
    cloud: Stack, database: psycopg.Connection, words: tuple[str, ...], said: str
) -> None:
    done = run(cloud, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_several_are_acknowledged_or_none(cloud: Stack, database: psycopg.Connection) -> None:
    incident_id = raise_incident(database)
    done = run(cloud, "ack", str(incident_id), "987654", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "InvalidRequest"
    assert value(database, "select acknowledged_at from ops.incidents") is None
    done = run(cloud, "ack", str(incident_id), "-m", "x" * 501)
    assert done.returncode == 2
    assert "a note of at most 500 characters, was 501" in done.stderr


def test_without_a_database_it_says_so(cloud: Stack) -> None:
    done = run(cloud, "list", dsn=NO_DATABASE)
    assert done.returncode == 1
    assert "closebell: Postgres: connection failed" in done.stderr
    assert "Traceback" not in done.stderr
    error = json.loads(run(cloud, "list", "--json", dsn=NO_DATABASE).stdout)["error"]
    assert error["code"] == "StoreUnavailable"
