"""`closebell status` and shell completion, as a person uses them: a terminal, a pipe, a shell."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from dotenv import dotenv_values

from local.run import tell_operator
from tests.integration.standin_servers import free_port
from tests.stack import Stack

COMMAND = Path(sys.executable).parent / "closebell"
TIMEOUT_S = 120.0
ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """Postgres with our schema; nothing that would change it, and no cron that could be silent."""
    with Stack(names=("database",)) as stack:
        with psycopg.connect(stack.dsn) as connection:
            connection.execute(
                "update ops.settings set value = '9999' where name = 'cron_silent_after_s'"
            )
        yield stack


@pytest.fixture(scope="module")
def environment(cloud: Stack) -> dict[str, str]:
    tell_operator(cloud.cloud)
    written = {name: text or "" for name, text in dotenv_values(cloud.state.operator_file).items()}
    return {**os.environ, **written, "COLUMNS": "100", "TERM": "xterm"}


def run(
    environment: Mapping[str, str], *words: str, shell: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", shell] if shell else [str(COMMAND), *words],
        env=dict(environment),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_status_in_a_pipe_is_plain_text(environment: dict[str, str]) -> None:
    done = run(environment, "status")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("closebell status · ")
    assert lines[1].startswith("✗ collector: no answer at 127.0.0.1:")
    assert "traders   0 enabled · 0 disabled · failing 0 · last run never" in lines
    assert "switch    on" in lines
    assert "\x1b" not in done.stdout


def test_exit_code_is_of_the_answer_only_if_asked_for(environment: dict[str, str]) -> None:
    done = run(environment, "status", "--json", "--exit-code")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert len(report["problems"]) == 1
    assert (report["feeds"], report["outbox"]["pending_count"]) == ([], 0)
    without = {**environment, "COLLECTOR_URL": ""}
    done = run(without, "status", "--json", "--exit-code")
    assert (done.returncode, json.loads(done.stdout)["problems"]) == (0, [])


def test_kill_switch_is_on_top(cloud: Stack, environment: dict[str, str]) -> None:
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        statement = "update ops.settings set value = %s where name = 'signals_enabled'"
        connection.execute(statement, ("off",))
        try:
            lines = run(environment, "status").stdout.splitlines()
        finally:
            connection.execute(statement, ("on",))
    assert lines[1] == "✗ signals are off (kill switch)"
    assert "switch    off: no signal is stored" in lines


def test_postgres_that_does_not_answer_is_an_error(environment: dict[str, str]) -> None:
    away = {**environment, "DATABASE_URL": f"postgresql://me:hunter2@127.0.0.1:{free_port()}/x"}
    done = run(away, "status", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (1, "StoreUnavailable")
    assert "closebell doctor" in error["hint"]
    assert "hunter2" not in done.stdout + done.stderr


HEAVY = {"httpx", "numpy", "psycopg", "pydantic", "pydantic_settings", "rich", "structlog"}


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        # Every command is a function of a module that this has imported.
        (("--help",), set()),
        (("status",), {"psycopg", "rich"}),
        (("status", "--json"), {"psycopg"}),
    ],
)
def test_first_output_waits_for_no_import_that_is_not_needed(
    environment: dict[str, str], words: tuple[str, ...], needed: set[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", COMMAND, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported & HEAVY == needed


def test_first_line_comes_before_the_answer(environment: dict[str, str]) -> None:
    """A database that takes seconds to answer: the title stands there at once."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dsn = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=30"
        terminal = Terminal({**environment, "DATABASE_URL": dsn}, "status")
        terminal.read_until("UTC")
        assert terminal.process.poll() is None
        assert terminal.text.startswith("closebell status · ")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.close() == 130


class Terminal:
    """A command on a terminal of 80 × 24."""

    def __init__(self, environment: Mapping[str, str], *words: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [COMMAND, *words],
            env={name: text for name, text in environment.items() if name != "COLUMNS"},
            cwd="/",
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def read_until(self, words: str, count: int = 1) -> None:
        """Read until the words have come that often, or all output with empty words."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not words or self.text.count(words) < count:
            ready, _, _ = select.select([self._master], [], [], deadline_s - time.monotonic())
            assert ready, self.text
            try:
                self.text += os.read(self._master, 65_536).decode()
            except OSError:  # The other side is closed.
                assert not words, self.text
                return

    def close(self) -> int:
        self.read_until("")
        os.close(self._master)
        return self.process.wait(TIMEOUT_S)


def test_watch_draws_again_and_ends_on_ctrl_c(cloud: Stack, environment: dict[str, str]) -> None:
    terminal = Terminal(environment, "status", "--watch", "--every", "1")
    terminal.read_until("Ctrl-C ends", count=2)
    assert terminal.text.startswith(ENTER_SCREEN)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.close() == 130
    assert LEAVE_SCREEN in terminal.text
    assert "Traceback" not in terminal.text
    assert "✗" in terminal.text and "collector" in terminal.text


def test_watch_in_a_pipe_is_one_document_a_look(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [COMMAND, "status", "--watch", "--every", "1", "--json"],
        env=environment,
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    looks = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_S)
    assert looks[0]["at"] < looks[1]["at"]
    assert process.returncode == 130


def test_doctor_on_a_terminal_has_colours_unless_told_otherwise(
    environment: dict[str, str],
) -> None:
    terminal = Terminal(environment, "doctor", "postgres", "disk")
    assert terminal.close() == 0
    assert "\x1b[32m✓" in terminal.text
    terminal = Terminal({**environment, "NO_COLOR": "1"}, "doctor", "postgres")
    assert terminal.close() == 0
    assert "\x1b[3" not in terminal.text


def complete(environment: Mapping[str, str], shell: str, line: str) -> list[str]:
    """Return what a shell gets for a line with the cursor at its end."""
    words = line.split(" ")
    asked = {
        "_CLOSEBELL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = run({**environment, **asked})
    assert done.stderr == ""
    return [offered for offered in done.stdout.splitlines() if offered]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_completes_names(environment: dict[str, str], shell: str) -> None:
    text = "\n".join(complete(environment, shell, "closebell doctor re"))
    assert all(name in text for name in ("redis", "requests", "rest", "realtime"))
    assert "venue" not in text
    script = run({**environment, "_CLOSEBELL_COMPLETE": f"source_{shell}"}).stdout
    assert f"complete_{shell}" in script


def test_bash_completes_after_the_script_is_read(environment: dict[str, str]) -> None:
    shell = (
        f'export PATH="{COMMAND.parent}:$PATH";'
        ' eval "$(_CLOSEBELL_COMPLETE=source_bash closebell)";'
        " COMP_WORDS=(closebell rules functions rs); COMP_CWORD=3;"
        ' _closebell_completion closebell; echo "${COMPREPLY[@]}"'
    )
    done = run(environment, shell=shell)
    assert (done.stdout.strip(), done.stderr) == ("rsi", "")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("closebell schedules show ti", ["tick"]),
        ("closebell schedules pause tick tr", ["trim"]),
        ("closebell schedules history res", ["rescue_runs"]),
        ("closebell logs execute", ["execute_traders"]),
        ("closebell logs -f so", ["sources"]),
        ("closebell incidents show 4", ["4711"]),
        ("closebell incidents ack 4711 ", ["4711"]),
    ],
)
def test_names_are_completed_in_place(
    named: None, environment: dict[str, str], line: str, names: list[str]
) -> None:
    assert complete(environment, "bash", line) == names


@pytest.fixture(scope="module")
def named(cloud: Stack) -> Iterator[None]:
    """A timetable (which no cron runs) and one open incident."""
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        connection.execute(
            "insert into ops.timetable (name, timing, command, description)"
            " select name, '* * * * *', 'select 1;', name || ' does it'"
            " from unnest(array['tick', 'trim', 'rescue_runs']) as name"
        )
        connection.execute("alter table ops.incidents alter column id restart with 4711")
        connection.execute(
            "select ops.raise_incident('feed_stale', 'binance 1m', 'warn', 'It is old.')"
        )
        yield
        connection.execute("delete from ops.timetable")
        connection.execute("delete from ops.incidents")


def test_absence_of_postgres_is_silent(environment: dict[str, str]) -> None:
    away = {**environment, "DATABASE_URL": f"postgresql://me@127.0.0.1:{free_port()}/x"}
    for settings in (away, {**environment, "DATABASE_URL": "nonsense"}):
        for line in ("closebell schedules show ", "closebell incidents show "):
            assert complete(settings, "bash", line) == []
