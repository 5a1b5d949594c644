"""`closebell logs` and `runs` as people use them: a terminal, pipes, a Postgres that restarts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.integration.terminal import Terminal
from tests.stack import Stack

COMMAND = str(Path(sys.executable).parent / "closebell")
TIMEOUT_S = 120.0
COLOUR = re.compile(r"\x1b\[\d+m")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stack]:
    """Postgres alone, with the schema."""
    with Stack(names=("database",), with_samples=False, durable=True) as running:
        yield running


@pytest.fixture
def environment(cloud: Stack) -> dict[str, str]:
    """An empty log, and what a command needs to read it."""
    with psycopg.connect(cloud.dsn, autocommit=True) as db:
        db.execute(
            "truncate ops.function_logs, ops.log_days, ops.schedule_runs, ops.incidents;"
            " delete from ops.runs"
        )
    return {"DATABASE_URL": cloud.dsn, "COLUMNS": "120"}


def line(event: str, **given: Any) -> dict[str, Any]:
    return {"source": "execute_traders", "level": "info", "event": event, **given}


def write(cloud: Stack, *lines: Mapping[str, Any]) -> None:
    with psycopg.connect(cloud.dsn, autocommit=True) as db:
        db.execute("select public.write_logs(%s::jsonb)", [json.dumps(lines)])


def run(
    *words: str, environment: Mapping[str, str], timeout_s: float = TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words],
        env={**os.environ, **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def shown(*words: str, environment: Mapping[str, str]) -> list[str]:
    """Return the events of the lines that a command shows, in its order."""
    done = run("logs", "--json", *words, environment=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(row)["event"] for row in done.stdout.splitlines()]


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def test_lines_are_filtered_as_asked(cloud: Stack, environment: dict[str, str]) -> None:
    write(
        cloud,
        line("a", logged_at=ago(50), source="collector", symbol="BTCUSDT", fields={"n": 1}),
        line("b", logged_at=ago(40), level="warning", run_id=7),
        line("c", logged_at=ago(30), level="error", run_id=8, trader_id=3, fields={"code": "X"}),
        line("d", logged_at=ago(20), source="schedules", fields={"text": "two words"}),
    )
    for words, events in [
        ((), "a b c d"),
        (("-n", "2"), "c d"),
        (("--tail", "0"), ""),
        (("collector", "schedules"), "a d"),
        (("--level", "warn"), "b c"),
        (("--level", "warning"), "b c"),
        (("--run", "7", "--run", "8"), "b c"),
        (("--trader", "3"), "c"),
        (("--symbol", "btcusdt"), "a"),
        (("--since", "45m"), "b c d"),
        (("--since", "45m", "--until", "25m"), "b c"),
        (("--since", ago(35), "--no-follow"), "c d"),
        (("--grep", "text=two w"), "d"),
        (("--exclude", "code=", "--exclude", "^coll"), "b d"),
        (("postgres",), ""),
    ]:
        assert shown(*words, environment=environment) == events.split(), words


def test_text_names_the_run_and_nothing_found_is_said(
    cloud: Stack, environment: dict[str, str]
) -> None:
    write(cloud, line("run_finished", run_id=123, fields={"signals_count": 2}))
    done = run("logs", environment=environment)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info  execute_traders    run 123     "
        r"run_finished signals_count=2\n",
        done.stdout,
    )
    assert done.stderr == ""
    none = run("logs", "collector", environment=environment)
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "closebell: no line is like that\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("exec",),
            "expected a function or another source, was exec (did you mean execute_traders?)",
        ),
        (("execute_trader",), "was execute_trader (did you mean execute_traders?)"),
        (("-f", "postgers"), "was postgers (did you mean postgres?)"),
        (("xyz",), "was xyz (`closebell logs sources` lists them)"),
        (("--grep", "["), "expected a regular expression, was '[': brackets [] not balanced"),
        (("--grep", "a", "--exclude", "("), "was '(': parentheses () not balanced (exclude)"),
        (("--since", "soon"), "after --since, was 'soon'"),
        (("--since", "1m", "--until", "2m"), "expected --since before --until"),
        (("-f", "--until", "2m"), "expected --follow or --until, was both"),
        (("--level", "loud"), "'loud' is not one of"),
        (("-n", "-3"), "-3 is not in the range"),
        (("--run", "x"), "'x' is not a valid int"),
    ],
)
def test_wrong_input_is_refused_with_the_reason_and_2(
    environment: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    done = run("logs", *words, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    "words", [("logs",), ("logs", "-f"), ("runs", "list"), ("runs", "show", "1m")]
)
def test_database_that_does_not_answer_is_said_in_one_line(words: tuple[str, ...]) -> None:
    nobody = {"DATABASE_URL": "postgresql://ann:pass-word@127.0.0.1:9/postgres"}
    done = run(*words, environment=nobody)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("closebell: Postgres: ") and "refused" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "pass-word" not in done.stderr and "Traceback" not in done.stderr
    document = json.loads(run(*words, "--json", environment=nobody).stdout)
    assert document["error"]["code"] == "StoreUnavailable"


def test_terminal_gets_colours_unless_it_does_not_want_them(
    cloud: Stack, environment: dict[str, str]
) -> None:
    write(cloud, line("thing_failed", level="error", fields={"text": "a\x1b[2Jb\nc"}))
    with Terminal([COMMAND, "logs"], environment) as terminal:
        assert terminal.end() == 0
    assert "\x1b[31merror\x1b[0m" in terminal.screen
    assert "\x1b[2J" not in terminal.screen and r"a\x1b[2Jb\nc" in COLOUR.sub("", terminal.screen)
    plain = COLOUR.sub("", terminal.screen)
    for words, changes in [(("--no-color",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})]:
        with Terminal([COMMAND, "logs", *words], environment | changes) as terminal:
            assert terminal.end() == 0
        assert terminal.screen == plain
    assert run("logs", environment=environment).stdout == plain, "a pipe gets none"


def test_follower_shows_a_line_within_a_second_and_ends_quietly(
    cloud: Stack, environment: dict[str, str]
) -> None:
    write(cloud, line("before"))
    with Terminal([COMMAND, "logs", "-f", "--grep", "e"], environment) as terminal:
        terminal.wait_for("before")
        write(cloud, line("first"), line("not_shown"[:3]))
        delays_s = []
        for number in range(10):
            stored_s = time.monotonic()
            write(cloud, line(f"event_{number}"))
            delays_s.append(terminal.wait_for(f"event_{number}") - stored_s)
        # What the bench measures; here with all the room a busy machine needs.
        assert sorted(delays_s)[5] < 1.0
        screen = terminal.screen
        assert terminal.press_ctrl_c() == 130
    assert terminal.screen in (screen, screen + "^C", screen + "^C\n")
    assert [screen.count(f"event_{number}") for number in range(10)] == [1] * 10


def test_follower_that_hears_no_bell_looks(cloud: Stack, environment: dict[str, str]) -> None:
    with Terminal([COMMAND, "logs", "-f", "-n", "1"], environment) as terminal:
        write(cloud, line("first"))
        terminal.wait_for("first")
        with psycopg.connect(cloud.dsn, autocommit=True) as db:
            db.execute("alter table ops.function_logs disable trigger lines_are_noted")
            try:
                write(cloud, line("unannounced"))
                terminal.wait_for("unannounced")
            finally:
                db.execute("alter table ops.function_logs enable trigger lines_are_noted")


def test_line_that_commits_late_is_shown(cloud: Stack, environment: dict[str, str]) -> None:
    with (
        Terminal([COMMAND, "logs", "-f", "-n", "1"], environment) as terminal,
        psycopg.connect(cloud.dsn) as slow,
    ):
        slow.execute("select ops.write_log('info', 'slow_one')")
        for number in range(3):
            write(cloud, line(f"quick_{number}"))
        terminal.wait_for("quick_2")
        assert "slow_one" not in terminal.screen
        slow.commit()
        terminal.wait_for("slow_one")


def test_follower_loses_and_doubles_nothing_across_a_restart(
    cloud: Stack, environment: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [COMMAND, "logs", "-f", "-n", "0", "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    found: Counter[str] = Counter()
    last_seen = threading.Event()
    first_seen = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for text in process.stdout:
            event = json.loads(text)["event"]
            found[event] += 1
            first_seen.set()
            if event == "last":
                last_seen.set()

    stored: list[str] = []
    stop = threading.Event()

    def store() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                write(cloud, line(f"event_{number}"))
            except psycopg.Error:
                continue
            stored.append(f"event_{number}")
            stop.wait(0.02)

    reader, writer = threading.Thread(target=read), threading.Thread(target=store)
    reader.start()
    writer.start()
    try:
        assert first_seen.wait(TIMEOUT_S)
        began = next(iter(found))
        for _ in range(2):
            wanted = len(stored) + 20
            cloud.kill("postgres")
            deadline_s = time.monotonic() + TIMEOUT_S
            # Seen again, too: else both restarts might fall into one pause of the follower.
            while len(stored) < wanted or not found[stored[wanted - 1]]:
                assert time.monotonic() < deadline_s, "expected lines after the restart"
                stop.wait(0.05)
        stop.set()
        writer.join()
        write(cloud, line("last"))
        assert last_seen.wait(TIMEOUT_S)
    finally:
        stop.set()
        process.send_signal(2)
        _, notes = process.communicate(timeout=TIMEOUT_S)
        reader.join()
    assert process.returncode == 130
    with psycopg.connect(cloud.dsn) as db:
        rows = db.execute("select event from ops.function_logs order by id").fetchall()
    events = [str(row[0]) for row in rows]
    assert found == Counter(events[events.index(began) :])
    assert set(stored) <= set(events)
    sentences = [json.loads(text)["note"] for text in notes.splitlines()]
    assert sentences[0].startswith("Postgres: ") and sentences[0].endswith("; trying again")
    assert sentences.count("Postgres answers again; no line is left out") >= 2


def test_closed_pipe_is_quiet(cloud: Stack, environment: dict[str, str]) -> None:
    write(cloud, *[line(f"event_{n}", fields={"text": "x" * 900}) for n in range(1000)])
    done = subprocess.run(
        ["bash", "-c", f"{COMMAND} logs -n 1000 | head -1; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert done.returncode == 1


def test_older_lines_are_said_on_a_terminal(cloud: Stack, environment: dict[str, str]) -> None:
    write(cloud, *[line(f"event_{n}") for n in range(12)])
    with Terminal([COMMAND, "logs", "-n", "10"], environment) as terminal:
        assert terminal.end() == 0
    assert "closebell: there are older lines; -n 100 shows more" in terminal.screen
    assert COLOUR.sub("", terminal.screen).count(" event_") == 10


def test_sources_are_listed_with_what_was_left_out(
    cloud: Stack, environment: dict[str, str]
) -> None:
    write(cloud, line("a", level="error"), line("b"), line("c", source="somebody"))
    with psycopg.connect(cloud.dsn, autocommit=True) as db:
        db.execute("select ops.count_lines(sampled => 4, dropped => 1234)")
    text = run("logs", "sources", environment=environment).stdout
    assert re.search(r"^execute_traders +2 +1 +\d s ago +\d s ago$", text, re.M)
    assert re.search(r"^somebody +1 +0 +\d s ago +–$", text, re.M)
    assert re.search(
        r"^\d{4}-\d\d-\d\d +3 +0\.0 +0% +4 by sampling, 1,234 day was full$", text, re.M
    )
    document = json.loads(run("logs", "sources", "--json", environment=environment).stdout)
    by_name = {row["source"]: row for row in document["sources"]}
    assert by_name["execute_traders"]["problems_count"] == 1
    assert by_name["collector"]["last_at"] is None
    assert document["days"][0]["dropped_count"] == 1234


def test_known_sources_are_the_functions_there_are(cloud: Stack) -> None:
    folders = {path.parent.name for path in Path("functions").glob("*/handler.py")}
    with psycopg.connect(cloud.dsn) as db:
        names = db.execute("select unnest(ops.log_sources())").fetchall()
    known = {str(row[0]) for row in names}
    # health asks nobody and writes nothing.
    assert known == (folders - {"health"}) | {"collector", "functions", "schedules", "postgres"}


def make_slot(cloud: Stack) -> str:
    """Store a slot with two shards, one of them late, as its tick and functions would."""
    closed_at = datetime.now(UTC).replace(second=0, microsecond=0)
    with psycopg.connect(cloud.dsn, autocommit=True) as db:
        ids = [
            row[0]
            for row in db.execute(
                "insert into ops.runs (venue, interval, closed_at, shard, shard_count, origin,"
                " status, attempt, claimed_by, claimed_at, finished_at, feed, frame_revision,"
                " complete, missing_instruments, traders_count, signals_count, stats, opened_at)"
                " select 'binance', '1m', at, shard, 2, 'live', 'finished', 1, 'host:1',"
                " at + interval '300 ms', at + interval '417 ms', 'simulated', 1, shard = 0,"
                " case shard when 1 then array['ETHUSDT'] else '{}' end, 40, shard + 1,"
                """ '{"claim_ms": 11.5, "load_ms": 1.25}', at + interval '20 ms'"""
                " from (values (%s::timestamptz)) as close (at), generate_series(0, 1) as shard"
                " returning id",
                [closed_at],
            )
        ]
        db.execute(
            "insert into ops.schedule_runs (schedule, started_at, ended_at, status, answer,"
            " request_id, http_status, function_ms) values ('tick', %s + interval '16 ms', now(),"
            " 'succeeded', %s, 99, 200, 596)",
            [
                closed_at,
                Jsonb({"tick": {"opened": 2, "dispatched": 2, "request_id": 99, "run_ids": ids}}),
            ],
        )
        db.execute(
            "insert into ops.incidents (kind, subject, severity, message, details, quiet_s,"
            " raised_at, closed_at, closed_by) select 'slot_missing', 'binance 1m', 'warn',"
            " 'One close is not evaluated.', jsonb_build_object('oldest', at, 'newest', at), 120,"
            " at + interval '91 s', at + interval '300 s', 'watch'"
            " from (values (%s::timestamptz)) as close (at)",
            [closed_at],
        )
    slot_ms = int(closed_at.timestamp() * 1000)
    write(
        cloud,
        line(
            "slot_started",
            source="trigger_executions",
            run_id=ids[0],
            logged_at=(closed_at + timedelta(milliseconds=290)).isoformat(),
            fields={"by": "poke", "waited_ms": 12.4, "already_finished": False},
        ),
        line("run_finished", run_id=ids[0], fields={"stats": {"emit_ms": 78.66}}),
        line(
            "poke_failed",
            source="collector",
            level="warning",
            fields={"interval": "1m", "closed_at_ms": slot_ms},
        ),
    )
    return closed_at.isoformat().replace("+00:00", "Z")


def test_story_of_a_slot_is_on_one_screen(cloud: Stack, environment: dict[str, str]) -> None:
    slot = make_slot(cloud)
    with Terminal([COMMAND, "runs", "show", "latest"], environment) as terminal:
        assert terminal.end() == 0
    text = COLOUR.sub("", terminal.screen)
    assert text.startswith(f"binance 1m {slot}  incomplete  2 runs · 80 traders · 3 signals")
    for said in (
        r"\+0\.016 s  tick fired +made 2 runs, named 2 runs, 2 of this slot",
        r"\+0\.016 s  request 99 sent +HTTP 200, the function took 596 ms",
        r"\+0\.290 s  started by poke +waited 12 ms for the frame; runs are started",
        r"\+0\.417 s  run \d+ finished +40 traders, 2 signals, frame revision 1",
        r"\+91\.000 s  incident \d+ raised +warn: One close is not evaluated\.",
        r"\+300\.000 s  incident \d+ closed +by watch",
        r"shard 1/2  finished +1 +40 +1 +11\.5 +1\.2 +78\.7",
        r"run \d+: 1 instrument late: ETHUSDT",
        r"3 log lines",
        r"warn  collector +poke_failed",
    ):
        assert re.search(said, text), f"expected {said} in\n{text}"
    same = run("runs", "show", f"binance 1m {slot}", "--json", environment=environment)
    assert len(json.loads(same.stdout)["runs"]) == 2
    clock = slot[11:16]
    assert run("runs", "show", "1m", clock, environment=environment).stdout == text


def test_slots_are_listed_newest_first(cloud: Stack, environment: dict[str, str]) -> None:
    slot = make_slot(cloud)
    rows = run("runs", "list", environment=environment).stdout.splitlines()
    assert rows[0].split()[:4] == ["slot", "status", "shards", "traders"]
    cells = re.split(r"  +", rows[1])
    name = f"binance 1m {slot.removesuffix(':00Z')}Z"
    assert cells == [name, "incomplete, 1 missing", "2/2", "80", "3", "+0.417 s"]
    document = json.loads(run("runs", "list", "--json", environment=environment).stdout)
    assert (document[0]["status"], document[0]["signals_count"]) == ("incomplete", 3)
    none = run("runs", "list", "-i", "4h", environment=environment)
    assert (none.returncode, none.stdout) == (0, "no slot is like that\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nonsense!",), "expected a slot, such as latest"),
        (("5m", "2026-11-21T17:01:00Z"), "expected a close of 5m, was 2026-11-21T17:01:00Z"),
        (("424242424242",), "expected run 424242424242, found none"),
        (("3m",), "expected a slot with a run of 3m, found none"),
    ],
)
def test_slot_that_cannot_be_is_refused(
    environment: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    done = run("runs", "show", *words, environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
