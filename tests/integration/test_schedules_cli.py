"""`closebell schedules …` as a person types it, on a real Postgres with pg_cron."""

from __future__ import annotations

import getpass
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.migrate import SQL, migrate
from tests.sql.conftest import running_server

COMMAND = Path(sys.executable).parent / "closebell"
TIMEOUT_S = 120.0
PAGE = [
    {"name": "tick", "timing": "every 10 s", "command": "select ops.tick()", "description": "d"},
    {"name": "night", "timing": "0 4 * * *", "command": "call ops.trim()", "description": "d"},
]


class Terminal:
    """A shell whose DATABASE_URL names a database."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.environment = {**os.environ, "DATABASE_URL": dsn, "COLUMNS": "120"}

    def run(self, *words: str, code: int = 0) -> str:
        """Return what a command prints; with a code other than 0, what it complains."""
        done = subprocess.run(
            [COMMAND, "schedules", *words],
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code and "--json" not in words else done.stdout

    def document(self, *words: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*words, "--json", code=code))
        return found

    def look(self, *words: str, **environment: str) -> str:
        """Return what a command draws on a real terminal, colours included."""
        parent, child = pty.openpty()
        with subprocess.Popen(
            [COMMAND, "schedules", *words],
            env={**self.environment, "TERM": "xterm-256color", **environment},
            stdin=child,
            stdout=child,
            stderr=child,
        ) as process:
            os.close(child)
            drawn = b""
            # Linux ends a terminal that nobody writes to any more with an error.
            while part := _read(parent):
                drawn += part
            assert process.wait(TIMEOUT_S) == 0, drawn
        os.close(parent)
        return drawn.decode()

    def names(self) -> list[str]:
        rows = self.execute("select name from ops.timetable order by name")
        return [str(name) for (name,) in rows]

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.fixture(scope="module")
def server_dsn() -> Iterator[str]:
    """A migrated database with pg_cron, whose jobs are held still."""
    with running_server() as server:
        server.apply_platform("postgres")
        migrate(server.dsn())
        server.execute("update cron.job set active = false")
        yield server.dsn()


@pytest.fixture
def terminal(server_dsn: str) -> Iterator[Terminal]:
    """The timetable of the page, nothing paused, no history."""
    made = Terminal(server_dsn)
    yield made
    migrate(server_dsn)
    made.execute("update cron.job set active = false")
    made.execute("update ops.timetable set paused_until = null, pause_reason = null")
    made.execute("delete from ops.schedule_runs")
    made.execute("select cron.unschedule(jobid) from cron.job where jobname = 'mine'")


def test_list_shows_what_runs_when_and_what_is_wrong(terminal: Terminal) -> None:
    terminal.execute("call ops.run_now('trim')")
    terminal.execute(
        "insert into ops.schedule_runs (schedule, started_at, ended_at, status, error)"
        " select 'tick', now() - interval '3 hours', now(), 'failed', E'no answer\\nCONTEXT: x'"
        " from generate_series(1, 3)"
    )
    terminal.run("pause", "rescue_runs", "--until", "2126-01-01T12:00", "-r", "a test")
    text = terminal.run("list")
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert re.search(r"every hour at :17 +in \d+ (?:s|min) +✓ succeeded \d+ s ago", lines["trim"])
    assert "✗ failed ×3, 3 h ago" in lines["tick"]
    assert re.search(r"every minute +paused +", lines["rescue_runs"])
    assert "\n! rescue_runs is paused until 2126-01-01 12:00:00 UTC: a test\n" in text
    assert "✗ tick: no answer\n" in text
    assert "Not as the page that was applied last says:\n~ change" in text
    assert "~ change    rescue_runs" in text
    found = terminal.document("list")
    paused = {row["name"]: row["paused_until"] for row in found["schedules"]}
    assert list(paused) == terminal.names()
    assert paused["rescue_runs"] == "2126-01-01T12:00:00+00:00" and paused["tick"] is None
    assert {row["detail"] for row in found["differences"]} == {"cron.job: switched off"}


def test_colour_is_for_terminals_only(terminal: Terminal) -> None:
    terminal.execute("call ops.run_now('trim')")
    assert "\x1b[32m✓" in terminal.look("history")
    assert "\x1b[32m" not in terminal.look("history", NO_COLOR="1")
    assert "\x1b" not in terminal.run("history")


def test_pause_resume_and_their_refusals(terminal: Terminal) -> None:
    said = terminal.run("pause", "tick", "trim", "--for", "1h30m", "--reason", "the venue is down")
    assert [line.split(" until ")[0] for line in said.splitlines()] == [
        "✓ tick is paused",
        "✓ trim is paused",
    ]
    remaining = (
        "select count(*) from ops.timetable where reason_at between interval '89 minutes'"
        " and interval '90 minutes'"
    ).replace("reason_at", "paused_until - now()")
    assert terminal.execute(remaining) == [(2,)]
    found = terminal.document("resume", "tick")
    assert [(row["name"], row["paused_until"]) for row in found["schedules"]] == [("tick", None)]
    found = terminal.document("pause", "--all", "-r", "rollback")
    assert {row["paused_until"] for row in found["schedules"]} == {"infinity"}
    assert terminal.run("resume", "--all").count("goes on") == len(terminal.names())
    assert "trim was not paused" in terminal.run("resume", "trim")

    # One wrong name, and none of them is paused.
    said = terminal.run("pause", "tick", "nope", "-r", "r", code=2)
    assert f"was nope (there are: {', '.join(terminal.names())})" in said
    assert terminal.execute("select name from ops.timetable where paused_until is not null") == []
    assert "of 1 to 500 characters, was empty" in terminal.run("pause", "tick", code=2)
    past = ("pause", "tick", "-r", "r", "--until", "2020-01-01")
    assert "an instant in the future, was 2020-01-01 00:00:00 UTC" in terminal.run(*past, code=2)
    wrong = terminal.document("pause", "tick", "-r", "r", "--for", "soon", code=2)
    assert (wrong["error"]["code"], wrong["error"]["field"]) == ("InvalidRequest", "for")
    both = ("pause", "tick", "-r", "r", "--for", "1h", "--until", "2126-01-01")
    assert "expected --for or --until, were both" in terminal.run(*both, code=2)
    assert "--all, were neither" in terminal.run("resume", code=2)
    assert "--all, were both" in terminal.run("resume", "tick", "--all", code=2)


def test_run_show_and_history(terminal: Terminal) -> None:
    said = terminal.run("run", "tick")
    assert said.startswith("✓ tick ran in ")
    assert '"opened":0,"run_ids":[],"dispatched":0,"request_id":null' in said
    found = terminal.document("run", "trim")
    assert (found["run"]["status"], found["run"]["by_hand"], found["answer"]) == (
        "succeeded",
        True,
        None,
    )
    assert "was nope" in terminal.run("run", "nope", code=2)
    assert "No run yet." in terminal.run("history", "watch")
    assert [row["schedule"] for row in terminal.document("history")["history"]] == ["trim", "tick"]
    text = terminal.run("show", "tick")
    assert "every minute UTC  (* * * * *)" in text
    assert f"run_now by postgres via closebell ({getpass.getuser()})\n" in text
    found = terminal.document("show", "tick")
    assert found["schedule"]["fail_streak"] == 0 and len(found["history"]) == 1
    assert "was nope" in terminal.run("show", "nope", code=2)
    assert "was nope" in terminal.run("history", "nope", code=2)


def test_a_run_that_fails_says_why_and_ends_with_1(terminal: Terminal, tmp_path: Path) -> None:
    page = tmp_path / "page.json"
    fields = {"name": "bad", "timing": "0 4 * * *", "description": "d"}
    page.write_text(
        json.dumps([{**fields, "command": "select 1 / count(*) from net._http_response"}])
    )
    terminal.run("apply", str(page))
    assert "Postgres: division by zero" in terminal.run("run", "bad", code=1)
    assert terminal.document("history", "bad")["history"][0]["error"] == "division by zero"


def test_diff_changes_nothing_and_apply_does_it(terminal: Terminal, tmp_path: Path) -> None:
    terminal.execute("select cron.schedule('mine', '0 5 * * *', 'select 1')")
    page = tmp_path / "page.json"
    page.write_text(json.dumps(PAGE))
    names = terminal.names()
    expected = [
        ("add", "night"),
        ("change", "tick"),
        *(("remove", name) for name in names if name != "tick"),
        ("unmanaged", "mine"),
    ]
    for verb in (("diff",), ("apply", "--dry-run"), ("apply",)):
        assert terminal.names() == names
        found = terminal.document(*verb, str(page))
        assert [(row["change"], row["name"]) for row in found["changes"]] == expected, verb
        assert found["applied"] == (verb == ("apply",))
    assert terminal.names() == ["night", "tick"]
    # The SQL page, in words: a dry run is the real one, rolled back.
    text = terminal.run("diff")
    assert "+ add       trim  every hour at :17: call ops.trim();" in text
    assert "! unmanaged mine  0 5 * * * select 1" in text
    assert terminal.execute("select count(*) from cron.job where jobname = 'trim'") == [(0,)]
    assert terminal.run("apply", str(SQL / "schedules.sql")).endswith("✓ applied schedules.sql\n")
    assert "✓ nothing to change" in terminal.run("diff")


def test_a_page_that_is_refused_changes_nothing(terminal: Terminal, tmp_path: Path) -> None:
    before = terminal.execute("select * from ops.timetable order by name")
    jobs = terminal.execute("select * from cron.job order by jobid")
    page = tmp_path / "page.json"
    for change, said in (
        ({"timing": "0 0 30 2 *"}, 'schedule night: expected a time that comes, "0 0 30 2 *"'),
        ({"command": "select ops.nope()"}, "function ops.nope() does not exist"),
        ({"name": "tick"}, "expected each name once on the page, there twice: tick"),
    ):
        page.write_text(json.dumps([PAGE[0], PAGE[1] | change]))
        assert said in terminal.run("apply", str(page), code=2)
    page.write_text("[{")
    assert "expected JSON in" in terminal.run("apply", str(page), code=2)
    sql = tmp_path / "page.sql"
    for text, said in (
        ("update ops.timetable set overlap = 'queue'; select 1", "end in select * from ops.apply"),
        ("delete from ops.timetable; selec 1", "expected SQL in"),
        ((SQL / "schedules.sql").read_text().replace("17 *", "77 *"), "minute: expected 0 to 59"),
    ):
        sql.write_text(text)
        assert said in terminal.run("apply", str(sql), code=2)
    assert "No such file" in terminal.run("diff", str(tmp_path / "nope.sql"), code=2)
    assert terminal.execute("select * from ops.timetable order by name") == before
    assert terminal.execute("select * from cron.job order by jobid") == jobs


def test_no_database_is_said_so() -> None:
    assert "Connection refused" in Terminal("postgresql://postgres@127.0.0.1:1/none").run(
        "list", code=1
    )
