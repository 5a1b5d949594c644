"""The doctor's judgements, its order and bounds, its page; nothing is asked of anybody."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.checks import NAMES
from cli.checks.catalogue import CHECKS, table
from cli.checks.check import Check, Finding, Outcome, Verdict, fault, ok, skipped, warning
from cli.checks.collector import judge_budget, judge_report
from cli.checks.fixes import FIXES
from cli.checks.functions import judge_functions, judge_signature
from cli.checks.ground import Ground
from cli.checks.postgres import judge_extensions, judge_free_tier, judge_version
from cli.checks.redis import judge_eviction, judge_latency, judge_refusal, policy_of
from cli.checks.runner import run_checks, select_checks
from cli.checks.scheduler import judge_answer, judge_cron, judge_functions_url, judge_silence
from cli.checks.schema import body_of, judge_migrations, judge_routines, judge_timetable
from cli.checks.secrets import judge_secret
from cli.checks.settings import judge_disk
from cli.checks.venue import judge_clock
from cli.checks.watchdog import judge_backup, judge_incidents
from cli.doctor import exit_code
from cli.main import app
from shared.errors import InvalidRequest, StoreUnavailable

ROOT = Path(__file__).resolve().parents[3]
OK, WARNING, FAULT, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.FAULT, Verdict.SKIPPED
Ask = Callable[[Ground], Awaitable[Finding]]


def check(name: str, ask: Ask, *needs: str) -> Check:
    return Check(name=name, expected="", meaning="", mend_here="type `this`", ask=ask, needs=needs)


def answering(finding: Finding) -> Ask:
    async def ask(_ground: Ground) -> Finding:
        return finding

    return ask


def failing(error: Exception) -> Ask:
    async def ask(_ground: Ground) -> Finding:
        raise error

    return ask


async def hang(_ground: Ground) -> Finding:
    await asyncio.Event().wait()
    raise AssertionError


def run(*checks: Check, **bounds: float) -> list[Outcome]:
    told: list[Outcome] = []

    async def examine() -> list[Outcome]:
        async with Ground({}) as ground:
            return await run_checks(checks, ground, told.append, **bounds)

    outcomes = asyncio.run(examine())
    assert told == outcomes
    return outcomes


def test_page_holds_every_check_and_repair() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text("utf-8")
    assert table() in page
    for fix in FIXES:
        assert f"- `{fix.name}` {fix.does}\n" in page


def test_checks_are_named_once_and_need_only_what_stands_before() -> None:
    assert tuple(check.name for check in CHECKS) == NAMES
    for place, check in enumerate(CHECKS):
        assert set(check.needs) <= set(NAMES[:place])


def test_check_that_needs_a_fault_is_skipped_and_so_is_what_needs_it() -> None:
    outcomes = run(
        check("a", answering(fault("broken", "mend it"))),
        check("b", failing(AssertionError("never asked")), "a"),
        check("c", failing(AssertionError("never asked")), "b"),
        check("d", answering(warning("meh"))),
        check("e", answering(ok("well")), "d"),
    )
    assert [(one.verdict, one.found) for one in outcomes] == [
        (FAULT, "broken"),
        (SKIPPED, "skipped: needs a"),
        (SKIPPED, "skipped: needs b"),
        (WARNING, "meh"),
        (OK, "well"),
    ]
    assert [one.mend for one in outcomes] == ["mend it", "", "", "type this", ""]


def test_each_check_is_bounded_and_so_is_the_whole() -> None:
    (late,) = run(check("late", hang), check_timeout_s=0.05)
    assert (late.verdict, late.found, late.mend) == (FAULT, "no answer in 0.1 s", "type this")
    first, second = run(
        check("first", hang), check("second", hang), check_timeout_s=9.0, total_timeout_s=0.05
    )
    assert first.verdict is second.verdict is FAULT
    assert first.took_ms < 1_000


def test_error_of_a_check_is_its_finding() -> None:
    known, unknown = run(
        check("known", failing(StoreUnavailable("gone", hint="start it"))),
        check("unknown", failing(KeyError("field"))),
    )
    assert (known.verdict, known.found, known.mend) == (FAULT, "gone", "start it")
    assert unknown.found == "the check itself failed: KeyError: 'field'"


def test_unknown_check_is_refused_with_the_nearest() -> None:
    assert [check.name for check in select_checks(CHECKS, ["eviction"])] == ["redis", "eviction"]
    with pytest.raises(InvalidRequest, match="expected a check, was redsi") as refused:
        select_checks(CHECKS, ["redsi"])
    assert refused.value.hint == "did you mean redis?"


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([ok(""), skipped("")], 0),
        ([skipped("")], 1),
        ([ok(""), warning("")], 1),
        ([warning(""), fault("")], 2),
    ],
)
def test_exit_code_is_the_worst_verdict(findings: list[Finding], code: int) -> None:
    asked = [check(str(number), answering(one)) for number, one in enumerate(findings)]
    assert exit_code(run(*asked)) == code


def cron(age_s: float | None, waited_s: float, *, has_minute: bool = True) -> Finding:
    return judge_cron(age_s, waited_s, [], has_minute=has_minute, silent_s=90)


@pytest.mark.parametrize(
    ("finding", "verdict", "words"),
    [
        (judge_disk(100), FAULT, "0.0 GB free"),
        (judge_disk(10**9), WARNING, "1.0 GB free"),
        (judge_clock(-1_500, 20, "Postgres"), WARNING, "Postgres is 1500 ms behind the venue"),
        (judge_clock(5_100, 500, "it"), WARNING, "it is 5100 ms ahead of the venue (± 500 ms)"),
        (judge_clock(61_000, 20, "it"), FAULT, "it is 61 s ahead of the venue"),
        (judge_latency(900, "h"), WARNING, "h answers PING in 900 ms"),
        (judge_refusal(400, "ERR max daily request limit exceeded", "h"), FAULT, "h answered 400"),
        (judge_eviction(policy_of("# Memory\r\nmaxmemory_policy:allkeys-lru\r\n")), FAULT, "allke"),
        (judge_eviction(""), SKIPPED, "skipped: this Redis does not tell"),
        (judge_version(14, "Postgres 14.2"), FAULT, "Postgres 14.2"),
        (judge_free_tier({"egress_bytes": 0.9}, 5, 60), WARNING, "egress bytes: 90% of what is "),
        (judge_free_tier({"egress_bytes": 1.2}, 55, 60), FAULT, "egress bytes: 120% of what is "),
        (judge_free_tier({}, 55, 60), WARNING, "connections: 55 of 60"),
        (judge_free_tier({"a": 0.0, "b_c": 0.07}, 5, 60), OK, "most used: b c 7% of what is free"),
        (judge_budget(600_000.0, 1, 500_000), FAULT, "600,000 of 500,000 Redis commands a month"),
        (judge_budget(None, 410_000, 500_000), WARNING, "410,000 of 500,000"),
        (judge_budget(None, None, None), SKIPPED, "skipped: the collector tells no projection"),
        (judge_signature(401, "expected a signature younger than 300 s"), FAULT, "the functions r"),
        (cron(None, 900, has_minute=False), FAULT, "no job runs each minute"),
        (cron(None, 20), OK, "never ran; Postgres or the timetable is 20 s old"),
        (cron(7_200, 20), OK, "last run 2 h ago; Postgres or the timetable is 20 s old"),
        (cron(None, 900), FAULT, "silent: never ran"),
        (cron(4_000, 900), FAULT, "silent: last run 66 min ago"),
        (cron(12, 12), OK, "last run 12 s ago"),
        (judge_answer(None, "Couldn't connect to server", 5), FAULT, "Postgres cannot reach the f"),
        (judge_answer(502, None, 5), FAULT, "the functions answered Postgres 502"),
        (judge_timetable([("tick", "paused")], 5, is_local=True), WARNING, "paused: tick"),
    ],
)
def test_judgement(finding: Finding, verdict: Verdict, words: str) -> None:
    assert (finding.verdict, finding.found[: len(words)]) == (verdict, words)


def test_hosted_extensions() -> None:
    versions = {"pg_cron": "1.6.4", "pgcrypto": "1.3", "pg_net": "0.20.4"}
    finding = judge_extensions(versions, has_net=True, is_local=False)
    assert (finding.verdict, finding.found) == (WARNING, "no Vault")
    finding = judge_extensions(versions | {"supabase_vault": "0.3.1"}, has_net=True, is_local=False)
    assert (finding.verdict, finding.found) == (
        OK,
        "pg_cron 1.6.4, pgcrypto 1.3, pg_net 0.20.4, Vault 0.3.1",
    )
    finding = judge_extensions(versions | {"pg_cron": "1.3"}, has_net=True, is_local=False)
    assert finding.found == "pg_cron 1.3"


def test_hosted_secret_is_never_overwritten() -> None:
    missing = judge_secret(None, "x", has_vault=True, is_local=False)
    assert (missing.found, missing.fix) == ("no function_secret in Vault", "function_secret")
    other = judge_secret("y", "x", has_vault=True, is_local=False)
    assert (other.found, other.fix) == ("Vault and FUNCTION_SECRET differ", "")
    assert "ops.store_secret" in other.mend


def test_nothing_is_mended_on_a_database_elsewhere() -> None:
    """There the command is printed; only an empty functions_url is filled in."""
    states = [("20261121000100_create_ops_base.sql", "missing")]
    assert judge_migrations(states, is_local=True).fix == "migrate"
    there = judge_migrations(states, is_local=False)
    assert (there.fix, there.mend) == ("", "python -m local.migrate up")
    assert judge_timetable([("tick", "missing")], 3, is_local=False).fix == ""
    assert judge_routines({"ops.a": "x"}, {"ops.a": ["y"]}, is_local=False).fix == ""
    assert judge_functions_url("http://old", "http://new", is_local=False).fix == ""
    assert judge_functions_url("", "http://new", is_local=False).fix == "functions_url"


def test_request_worker_that_answered_lately_is_only_slow() -> None:
    now = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
    slow = judge_silence(3, now - timedelta(seconds=20), now)
    assert slow.verdict is WARNING
    gone = judge_silence(3, now - timedelta(hours=1), now)
    assert gone.verdict is FAULT
    assert gone.found == "the request worker is silent: 3 waiting, answers: the last 60 min ago"


def test_functions_of_another_release() -> None:
    finding = judge_functions({"health": 204}, {"version": "0.0.9"}, "0.1.0", 3.0)
    assert (finding.verdict, finding.found) == (WARNING, "they are 0.0.9, this command is 0.1.0")
    finding = judge_functions({"a": 404, "b": 204}, {"version": "0.1.0"}, "0.1.0", 3.0)
    assert (finding.verdict, finding.found) == (FAULT, "a answered 404")


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        ({}, OK, "LIVE live, 500 symbols, newest close 12 s old"),
        ({"gaps": {"count": 2}}, WARNING, "symbols with a gap: 2"),
        ({"redis": {"pending_frames": 3}}, WARNING, "frames waiting for Redis: 3"),
        ({"clock": {"is_wrong": True}}, WARNING, "its clock is wrong"),
        ({"status": "stale", "phase": "history", "last_close": {}}, WARNING, "no close yet, stale"),
        ({"status": "stale", "last_error": "451 again"}, FAULT, "stale: 451 again"),
    ],
)
def test_report_of_the_collector(change: dict[str, Any], verdict: Verdict, words: str) -> None:
    report: dict[str, Any] = {
        "status": "ok",
        "phase": "live",
        "feed": "live",
        "symbols": 500,
        "last_close": {"1m": {"age_s": 12.3}},
    }
    finding = judge_report(report | change)
    assert finding.verdict is verdict
    assert words in finding.found


def open_incident(incident_id: int, severity: str, who: str | None = None) -> dict[str, Any]:
    return {
        "id": incident_id,
        "kind": "feed_stale",
        "subject": "binance 1m",
        "severity": severity,
        "acknowledged_by": who,
    }


@pytest.mark.parametrize(
    ("rows", "verdict", "found"),
    [
        ([], OK, "none is open"),
        ([open_incident(4, "warn")], WARNING, "1 open: warn feed_stale of binance 1m"),
        (
            [open_incident(5, "error", "ann"), open_incident(4, "warn")],
            FAULT,
            "2 open: error feed_stale of binance 1m, in hands of ann",
        ),
    ],
)
def test_open_incident_is_judged_by_the_worst(
    rows: list[dict[str, Any]], verdict: Verdict, found: str
) -> None:
    finding = judge_incidents(rows)
    assert (finding.verdict, finding.found) == (verdict, found)
    if rows:
        assert finding.mend == f"closebell incidents show {rows[0]['id']}"


def test_backup_is_missed_where_it_is_hosted_or_there_was_one() -> None:
    assert judge_backup(None, 2, is_local=True).verdict is OK
    assert judge_backup(None, 2, is_local=False).verdict is WARNING
    assert judge_backup(timedelta(hours=47), 2, is_local=False).verdict is OK
    old = judge_backup(timedelta(hours=49), 2, is_local=True)
    assert (old.verdict, old.found) == (WARNING, "the newest was made 2 d ago")


def test_every_routine_has_a_body_that_can_be_compared() -> None:
    files = sorted((ROOT / "sql" / "routines").glob("*/*.sql"))
    assert files
    # A body in SQL's own syntax (return …, begin atomic) has no quotes and no text to compare.
    unread = [path.name for path in files if not body_of(path) and "$$" in path.read_text("utf-8")]
    assert unread == []


def test_unknown_check_is_refused_before_anything_is_printed() -> None:
    done = CliRunner().invoke(app, ["doctor", "nope"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "expected a check, was nope" in done.stderr


def test_mends_can_be_typed_into_a_shell_that_has_not_read_env() -> None:
    """Settings are in .env; a shell has none of them, and a command with an empty word fails."""
    mends = [f"{check.mend_here} {check.mend_deployed}" for check in CHECKS]
    assert [mend for mend in mends if re.search(r"\$\w", mend)] == []
    assert any("$(dotenv get FLY_APP)" in mend for mend in mends)
