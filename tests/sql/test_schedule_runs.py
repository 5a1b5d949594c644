"""Runs of a schedule that commit: how they end, overlap, are paused, die, and are told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

TIMEOUT_S = 60.0
# A command that waits until the test lets go.
BLOCKED = "select pg_catalog.pg_advisory_xact_lock(7)"
Row = dict[str, Any]
Connection = psycopg.Connection[Row]

PROCEDURES = """
create table public.marks (place integer);
create procedure public.commits(count integer) language plpgsql as $$
begin
    for place in 1 .. count loop
        insert into public.marks values (place);
        commit;
    end loop;
end $$;
create procedure public.dies() language plpgsql as $$
begin
    insert into public.marks values (0);
    commit;
    perform 1 / (select count(*) - count(*) from public.marks);
end $$;
"""


@contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def connection(new_database: str) -> Iterator[Connection]:
    with connected(new_database) as opened:
        opened.execute(PROCEDURES.encode())
        yield opened


def schedule(
    connection: Connection, command: str, *, timing: str = "* * * * *", overlap: str = "skip"
) -> None:
    """Make `job` the only schedule."""
    page = [
        {
            "name": "job",
            "timing": timing,
            "command": command,
            "description": "",
            "overlap": overlap,
        }
    ]
    connection.execute("select ops.apply(%s)", (Jsonb(page),))


def fetch(connection: Connection, query: str, *arguments: object) -> list[Row]:
    return connection.execute(query.encode(), arguments or None).fetchall()


def runs(connection: Connection) -> list[Row]:
    """Return the history, oldest first."""
    return fetch(connection, "select * from ops.history('job', 1000)")[::-1]


def shown(connection: Connection) -> Row:
    (row,) = fetch(connection, "select * from ops.schedules where name = 'job'")
    return row


def wait_for(condition: Callable[[], bool], expectation: str) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"expected {expectation}"


@contextmanager
def blocked_run(dsn: str, connection: Connection) -> Iterator[tuple[int, Future[Any]]]:
    """Begin a run of BLOCKED elsewhere; yield its process and future, let go at the end."""
    connection.execute("select pg_advisory_lock(7)")
    with connected(dsn) as running, ThreadPoolExecutor(1) as pool:
        pid = running.info.backend_pid
        future = pool.submit(running.execute, "call ops.run_schedule('job')")
        waiting = "select wait_event_type = 'Lock' as yes from pg_stat_activity where pid = %s"
        wait_for(lambda: fetch(connection, waiting, pid) == [{"yes": True}], "a blocked run")
        yield pid, future
        connection.execute("select pg_advisory_unlock_all()")


def test_a_run_by_hand_returns_the_answer_and_is_recorded(connection: Connection) -> None:
    schedule(connection, "select ops.tick();")
    (row,) = fetch(connection, "call ops.run_now('job')")
    ticked: dict[str, Any] = {
        "opened": 0,
        "dispatched": 0,
        "request_id": None,
        "run_ids": [],
        "error": None,
    }
    assert row["answer"] == {"tick": ticked}
    assert fetch(connection, "select answer from ops.schedule_runs") == [row]
    (run,) = runs(connection)
    assert (run["status"], run["error"], run["by_hand"]) == ("succeeded", None, True)
    assert 0 < run["took_ms"] < TIMEOUT_S * 1000
    seen = shown(connection)
    assert (seen["last_status"], seen["last_run_at"]) == ("succeeded", run["started_at"])
    assert seen["average_ms"] == pytest.approx(run["took_ms"])
    (audited,) = fetch(connection, "select action, object from ops.audit where action = 'run_now'")
    assert audited == {"action": "run_now", "object": "schedule job"}


def test_a_long_answer_is_returned_but_not_kept(connection: Connection) -> None:
    schedule(connection, "select array_agg(n) as listed from generate_series(1, 5000) as n")
    (row,) = fetch(connection, "call ops.run_now('job')")
    assert len(row["answer"]["listed"]) == 5000
    assert fetch(connection, "select status, answer from ops.schedule_runs") == [
        {"status": "succeeded", "answer": None}
    ]


def test_every_row_of_a_command_is_made_and_a_request_is_remembered(
    connection: Connection,
) -> None:
    connection.execute("create sequence public.calls")
    schedule(
        connection,
        "select nextval('public.calls'), 41 + place as request_id"
        " from generate_series(1, 3) as place -- three calls",
    )
    (row,) = fetch(connection, "call ops.run_now('job')")
    assert row["answer"] == {"nextval": 1, "request_id": 42}
    assert fetch(connection, "select last_value from public.calls") == [{"last_value": 3}]
    assert runs(connection)[0]["request_id"] == 42
    connection.execute("insert into net._http_response (id, status_code) values (42, 503)")
    assert shown(connection)["last_http_status"] == 503
    # The next run keeps the answer for when pg_net has forgotten it.
    connection.execute("call ops.run_schedule('job')")
    connection.execute("delete from net._http_response")
    assert [run["http_status"] for run in runs(connection)] == [503, None]


def test_an_error_of_the_command_is_recorded_and_raised(connection: Connection) -> None:
    schedule(connection, "select 1 / count(*) from public.marks")
    for streak in (1, 2):
        with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
            connection.execute("call ops.run_schedule('job')")
        assert shown(connection)["fail_streak"] == streak
    assert [(run["status"], run["error"]) for run in runs(connection)] == [
        ("failed", "division by zero")
    ] * 2
    connection.execute("insert into public.marks values (1)")
    connection.execute("call ops.run_schedule('job')")
    seen = shown(connection)
    assert (seen["fail_streak"], seen["last_status"], seen["last_error"]) == (0, "succeeded", None)


def test_a_call_may_commit(connection: Connection) -> None:
    schedule(connection, "call public.commits(3) -- in three transactions")
    connection.execute("call ops.run_schedule('job')")
    assert [run["status"] for run in runs(connection)] == ["succeeded"]
    transactions = "select count(distinct xmin::text) from public.marks"
    assert fetch(connection, transactions) == [{"count": 3}]


def test_a_call_that_fails_is_told_of_at_once_and_written_down_by_the_next_run(
    connection: Connection,
) -> None:
    schedule(connection, "call public.dies()")
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("call ops.run_schedule('job')")
    # The session lives on, as a pooled one does, and its run is known to be dead.
    assert (shown(connection)["last_status"], runs(connection)[0]["status"]) == ("failed",) * 2
    schedule(connection, "call public.commits(1)")
    connection.execute("call ops.run_schedule('job')")
    stored = fetch(connection, "select status, error from ops.schedule_runs order by id")
    assert stored == [
        {"status": "failed", "error": "its process ended without a word"},
        {"status": "succeeded", "error": None},
    ]


def test_a_run_whose_process_is_killed_failed(new_database: str, connection: Connection) -> None:
    schedule(connection, BLOCKED)
    with blocked_run(new_database, connection) as (pid, future):
        assert shown(connection)["last_status"] == "running"
        connection.execute("select pg_terminate_backend(%s)", (pid,))
        with pytest.raises(psycopg.OperationalError):
            future.result(TIMEOUT_S)
        wait_for(lambda: shown(connection)["last_status"] == "failed", "a failed run")
    connection.execute("call ops.run_schedule('job')")
    assert [run["status"] for run in runs(connection)] == ["failed", "succeeded"]


def test_a_cancelled_run_failed_with_the_reason(new_database: str, connection: Connection) -> None:
    schedule(connection, BLOCKED)
    with blocked_run(new_database, connection) as (pid, future):
        connection.execute("select pg_cancel_backend(%s)", (pid,))
        with pytest.raises(psycopg.errors.QueryCanceled):
            future.result(TIMEOUT_S)
    (run,) = runs(connection)
    assert (run["status"], run["error"]) == ("failed", "canceling statement due to user request")


def test_overlap_skip_skips_a_run_and_refuses_one_by_hand(
    new_database: str, connection: Connection
) -> None:
    schedule(connection, BLOCKED)
    with blocked_run(new_database, connection) as (_, future):
        connection.execute("call ops.run_schedule('job')")
        with pytest.raises(psycopg.Error, match="expected job to be free") as refused:
            connection.execute("call ops.run_now('job')")
        assert refused.value.sqlstate == "PT409"
    future.result(TIMEOUT_S)
    first, second = runs(connection)
    assert (first["status"], second["status"]) == ("succeeded", "skipped")
    assert second["error"].endswith("is under way")


def test_overlap_queue_waits_for_the_run_before(new_database: str, connection: Connection) -> None:
    schedule(connection, BLOCKED, overlap="queue")
    with connected(new_database) as waiting, ThreadPoolExecutor(1) as pool:
        with blocked_run(new_database, connection) as (_, first):
            second = pool.submit(waiting.execute, "call ops.run_now('job')")
            pid = waiting.info.backend_pid
            sleeping = "select wait_event = 'PgSleep' as yes from pg_stat_activity where pid = %s"
            wait_for(lambda: fetch(connection, sleeping, pid) == [{"yes": True}], "a waiting run")
            assert len(runs(connection)) == 1
        first.result(TIMEOUT_S)
        second.result(TIMEOUT_S)
    before, after = runs(connection)
    assert (before["status"], after["status"]) == ("succeeded", "succeeded")
    gap = "select max(started_at) > min(ended_at) as yes from ops.schedule_runs"
    assert fetch(connection, gap) == [{"yes": True}]


@pytest.mark.parametrize(("overlap", "status"), [("skip", "skipped"), ("queue", "succeeded")])
def test_a_run_that_pg_cron_kept_waiting_is_judged_by_the_policy(
    connection: Connection, overlap: str, status: str
) -> None:
    """pg_cron starts what was due while its job was busy as soon as the job is free."""
    ((due),) = fetch(
        connection,
        "select extract(minute from at)::int as minute, extract(hour from at)::int as hour"
        " from (select now() - interval '2 minutes' as at) as due",
    )
    timing = f"{due['minute']} {due['hour']} * * *"
    schedule(connection, "select 1", timing=timing, overlap=overlap)
    connection.execute(
        "insert into ops.schedule_runs (schedule, started_at, ended_at, status)"
        " values ('job', now() - interval '10 minutes', now(), 'succeeded')"
    )
    connection.execute("call ops.run_schedule('job')")
    assert runs(connection)[-1]["status"] == status
    # One that is due after the last run ended is none of these.
    connection.execute("update ops.schedule_runs set ended_at = now() - interval '5 minutes'")
    connection.execute("call ops.run_schedule('job')")
    assert runs(connection)[-1]["status"] == "succeeded"


def test_a_pause_skips_runs_until_it_ends_but_not_one_by_hand(connection: Connection) -> None:
    schedule(connection, "select 1")
    connection.execute("select ops.pause('job', 'infinity', 'the venue is down')")
    connection.execute("call ops.run_schedule('job')")
    connection.execute("call ops.run_now('job')")
    assert [(run["status"], run["error"]) for run in runs(connection)] == [
        ("skipped", "paused: the venue is down"),
        ("succeeded", None),
    ]
    connection.execute("update ops.timetable set paused_until = now() - interval '1 second'")
    assert (shown(connection)["paused_until"], shown(connection)["reason"]) == (None, None)
    connection.execute("call ops.run_schedule('job')")
    assert runs(connection)[-1]["status"] == "succeeded"


@pytest.mark.parametrize(("overlap", "succeeded_count"), [("skip", 2), ("queue", 4)])
def test_seconds_that_pass_during_a_run_are_judged_by_the_policy(
    new_database: str, connection: Connection, overlap: str, succeeded_count: int
) -> None:
    schedule(connection, BLOCKED, timing="every 1 s", overlap=overlap)
    early = "select extract(second from clock_timestamp()) < 45 as yes"
    wait_for(lambda: fetch(connection, early) == [{"yes": True}], "a minute with time left")
    with blocked_run(new_database, connection) as (pid, future):
        two_marks_later = (
            "select clock_timestamp() >= date_trunc('second', started_at) + interval '3 s' as yes"
            " from ops.schedule_runs"
        )
        wait_for(lambda: fetch(connection, two_marks_later) == [{"yes": True}], "two marks to pass")
        connection.execute("select pg_advisory_unlock_all()")
        wait_for(
            lambda: [r["status"] for r in runs(connection)].count("succeeded") >= succeeded_count,
            f"{succeeded_count} runs",
        )
        connection.execute("select pg_cancel_backend(%s)", (pid,))
        with pytest.raises(psycopg.errors.QueryCanceled):
            future.result(TIMEOUT_S)
    statuses = [run["status"] for run in runs(connection)]
    assert statuses[0] == "succeeded"
    if overlap == "skip":
        assert statuses[1:3] == ["skipped"] * 2
    else:
        assert "skipped" not in statuses


def test_an_unknown_schedule_is_refused_and_leaves_no_row(connection: Connection) -> None:
    with pytest.raises(psycopg.Error, match="expected the name of a schedule, was nope"):
        connection.execute("call ops.run_schedule('nope')")
    assert fetch(connection, "select 1 from ops.schedule_runs") == []


def test_history_and_audit_are_trimmed(connection: Connection) -> None:
    connection.execute("delete from ops.audit")
    connection.execute(
        "insert into ops.schedule_runs (schedule, status, started_at, ended_at)"
        " select 'job', 'succeeded', now() - interval '1 day' * age, now()"
        " from unnest(array[9, 8, 6]) as age"
    )
    connection.execute(
        "insert into ops.audit (who, action, object, at)"
        " select 'me', 'add', age::text, now() - interval '1 day' * age"
        " from unnest(array[400, 366, 364]) as age"
    )
    connection.execute("call ops.trim()")
    assert fetch(connection, "select count(*) from ops.schedule_runs") == [{"count": 1}]
    assert fetch(connection, "select object from ops.audit") == [{"object": "364"}]
