"""What happens when two connections do the same at once: real transactions, no rollback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

CALLERS = 8
TIMEOUT_S = 60.0
Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    with psycopg.connect(dsn, autocommit=True, options="-c search_path=tap") as connection:
        yield connection


def value(connection: Connection, query: str, *arguments: object) -> Any:
    row = connection.execute(query.encode(), arguments or None).fetchone()
    assert row is not None
    return row[0]


def at_once(dsn: str, act: Callable[[Connection, int], Any]) -> list[Any]:
    """Return what `act` returns (or raises) on CALLERS connections that start together."""
    barrier = threading.Barrier(CALLERS)

    def call(number: int) -> Any:
        with connected(dsn) as connection:
            barrier.wait(TIMEOUT_S)
            try:
                return act(connection, number)
            except psycopg.Error as error:
                return error.sqlstate

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(call, range(CALLERS), timeout=TIMEOUT_S))


def wait_for_lock(connection: Connection, pid: int) -> None:
    """Wait until the backend `pid` waits for a lock."""
    deadline = time.monotonic() + TIMEOUT_S
    query = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
    while not value(connection, query, pid):
        assert time.monotonic() < deadline, "no lock was waited for"


@pytest.fixture
def trader_id(new_database: str) -> int:
    with connected(new_database) as connection:
        return int(value(connection, "select tap.new_trader(tap.new_user('ann'))"))


def outcome(signals: Sequence[dict[str, Any]]) -> str:
    return json.dumps(
        {
            "feed": "simulated",
            "frame_revision": 1,
            "complete": True,
            "evaluated_at_ms": 0,
            "signals": signals,
        }
    )


def signal(trader_id: int, instrument: str) -> dict[str, Any]:
    return {
        "trader_id": trader_id,
        "rule_version": 1,
        "instrument": instrument,
        "price": "1.5",
        "trigger": "while",
        "values": {"close": 1.5},
    }


def test_claim_from_many_connections_has_one_winner(new_database: str, trader_id: int) -> None:
    with connected(new_database) as connection:
        # Told once: the minute may turn while the test runs.
        newest_ms = value(connection, "select tap.ms(tap.slot())")
    for minutes_back in range(5):
        with connected(new_database) as connection:
            run_id = value(
                connection,
                "select (public.open_slot('binance', '1m', %s)"
                " -> 'runs' -> 0 ->> 'run_id')::bigint",
                newest_ms - minutes_back * 60_000,
            )

        def claim(connection: Connection, number: int, run_id: int = run_id) -> Any:
            return value(connection, "select public.claim_run(%s, %s)", run_id, f"c{number}")

        answers = at_once(new_database, claim)
        assert sorted(answer["claimed"] for answer in answers) == [False] * (CALLERS - 1) + [True]
        assert {answer.get("reason") for answer in answers} == {None, "claimed"}
        with connected(new_database) as connection:
            assert value(connection, "select attempt from ops.runs where id = %s", run_id) == 1


def test_ticks_and_pokes_at_once_make_each_slot_once(new_database: str, trader_id: int) -> None:
    poke = "select public.open_slot('binance', '1m', tap.ms(tap.slot(%s)))"
    with connected(new_database) as connection:
        connection.execute("update public.traders set enabled_at = tap.slot(20)")

    def act(connection: Connection, number: int) -> Any:
        if number % 2:
            return value(connection, "select ops.tick()")
        return value(connection, poke, number)

    answers = at_once(new_database, act)
    assert all(isinstance(answer, dict) for answer in answers), answers
    with connected(new_database) as connection:
        slots, runs = connection.execute(
            "select count(distinct closed_at), count(*) from ops.runs"
        ).fetchone() or (0, 0)
    assert slots == runs >= 20


def test_enabling_from_many_connections_stays_within_the_quota(new_database: str) -> None:
    with connected(new_database) as connection:
        user = value(connection, "select tap.new_user('ann')")
        connection.execute(
            "select tap.new_trader(%s, enabled => n <= 7) from generate_series(1, 20) as n", (user,)
        )

    def enable(connection: Connection, number: int) -> str:
        connection.execute("select tap.act_as(%s)", (user,))
        connection.execute("select set_config('role', 'authenticated', false)")
        connection.execute(
            "select set_config('request.jwt.claims',"
            " jsonb_build_object('sub', %s::uuid)::text, false)",
            (user,),
        )
        connection.execute(
            "update public.traders set enabled = true where id ="
            " (select id from public.traders order by id offset %s limit 1)",
            # Each its own: the first seven are enabled already.
            (7 + number,),
        )
        return "enabled"

    answers = at_once(new_database, enable)
    assert answers.count("enabled") == 3, answers
    assert answers.count("PT403") == CALLERS - 3, answers
    with connected(new_database) as connection:
        assert value(connection, "select count(*) from public.traders where enabled") == 10


def test_disabling_that_commits_first_is_seen_by_the_emission(
    new_database: str, trader_id: int
) -> None:
    with connected(new_database) as connection, connected(new_database) as emitting:
        claim = value(emitting, "select tap.claim(tap.slot())")
        with connection.transaction():
            connection.execute("update public.traders set enabled = false")
            with ThreadPoolExecutor(1) as pool:
                counts = pool.submit(
                    value,
                    emitting,
                    "select public.emit_signals(%s, %s, %s::jsonb)",
                    claim["run"]["run_id"],
                    claim["claim_token"],
                    outcome([signal(trader_id, "BTCUSDT")]),
                )
                with connected(new_database) as observing:
                    wait_for_lock(observing, emitting.info.backend_pid)
                connection.execute("commit")
                assert counts.result(TIMEOUT_S)["disabled"] == 1
                connection.execute("begin")
        assert value(connection, "select count(*) from public.signals") == 0


def test_two_runs_of_a_slot_at_once_keep_cap_and_uniqueness(
    new_database: str, trader_id: int
) -> None:
    with connected(new_database) as connection:
        connection.execute("update public.tiers set signals_per_close_max = 3")
        # Told once: the minute may turn between two statements.
        slot = value(connection, "select tap.slot()")
        claims = [
            value(connection, "select tap.claim(%s, trader => %s)", slot, trader)
            for trader in (None, trader_id)
        ]
    # Different instruments, so that only the cap can hold them back.
    sent = [[signal(trader_id, f"{prefix}{n}") for n in range(3)] for prefix in "AB"]

    def emit(connection: Connection, number: int) -> Any:
        claim = claims[number % 2]
        return value(
            connection,
            "select public.emit_signals(%s, %s, %s::jsonb)",
            claim["run"]["run_id"],
            claim["claim_token"],
            outcome(sent[number % 2]),
        )

    answers = at_once(new_database, emit)
    # Each run was emitted by several callers at once: the second of each is told the same.
    assert sorted({answer["inserted"] for answer in answers}) == [0, 3], answers
    with connected(new_database) as connection:
        assert value(connection, "select count(*) from public.signals") == 3
        assert value(connection, "select rest_count from public.signal_overflows") == 3


def test_revision_is_seen_together_with_the_change_it_stands_for(
    new_database: str, trader_id: int
) -> None:
    with connected(new_database) as writing, connected(new_database) as claiming:
        # Told once: the minute may turn between two statements.
        slot = value(claiming, "select tap.slot()")
        with writing.transaction():
            writing.execute("update public.traders set rule = 'close > 1'")
            before = value(claiming, "select tap.claim(%s)", slot)
        after = value(
            claiming,
            "select public.claim_run((public.open_slot('binance', '1m',"
            " tap.ms(%s - interval '1 minute')) -> 'runs' -> 0 ->> 'run_id')::bigint, 'test', %s)",
            slot,
            before["traders_revision"],
        )
    assert before["traders"][0]["rule"] == "rsi(14) < 30"
    assert after["traders"][0]["rule"] == "close > 1"
    assert after["traders_revision"] > before["traders_revision"]
