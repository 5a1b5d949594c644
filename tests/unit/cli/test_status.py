"""The status as a screen: what is said to be wrong, and how it fits into 80 columns."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.status_report import find_problems, find_warnings
from cli.status_screen import label_of, lines_of, screen_of, since

NOW = "2026-11-21T18:00:16+00:00"


def report(**change: Any) -> dict[str, Any]:
    """Return a report in which all is well, but for what is changed."""
    well: dict[str, Any] = {
        "at": NOW,
        "signals_enabled": True,
        "feeds": [feed()],
        "traders": {
            "enabled_count": 1_000,
            "disabled_count": 3,
            "stopped_count": 1,
            "failing_count": 0,
            "last_run_at": "2026-11-21T18:00:01+00:00",
            "last_signal": {
                "created_at": "2026-11-21T18:00:01+00:00",
                "instrument": "BTCUSDT",
                "origin": "live",
                "trader": "Cross [up]",
            },
            "errors": [],
        },
        "outbox": {"pending_count": 0, "oldest_at": None},
        "schedules": [],
        "incidents": [],
        "budget": [],
        "backup": None,
        "collector": {
            "status": "ok",
            "phase": "live",
            "venue": "binance",
            "feed": "simulated",
            "symbols": 500,
            "last_close": {"1m": {"age_s": 16.2}, "1d": {"age_s": 64_816}},
            "gaps": {"count": 0},
            "redis": {
                "write_p99_ms": 4.2,
                "pending_frames": 0,
                "commands_per_month": None,
                "commands_per_month_planned": 137_283,
                "commands_per_month_max": 500_000,
            },
        },
        "collector_error": "",
    }
    well |= change
    return well | {
        "problems": list(find_problems(well)),
        "warnings": list(find_warnings(well)),
    }


def feed(**change: Any) -> dict[str, Any]:
    return {
        "venue": "binance",
        "interval": "1m",
        "interval_s": 60,
        "feed": "simulated",
        "closed_at": "2026-11-21T18:00:00+00:00",
        "finished_at": "2026-11-21T18:00:01+00:00",
        "missing_instruments": 0,
        "is_owed": True,
        "slots": {"expected_count": 60, "done_count": 60, "missing_count": 0},
        "signals_count": 12,
    } | change


def shown(document: dict[str, Any]) -> list[str]:
    """Return the lines as a pipe gets them."""
    console = Console(file=io.StringIO(), width=80, highlight=False)
    for line in (*label_of(document), *lines_of(document)):
        console.print(line, soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_all_is_well_on_one_screen() -> None:
    lines = shown(report())
    assert lines == [
        "data: SIMULATED",
        "✓ all is well",
        "",
        "feed        data       stored  evaluated  gaps  slots 1 h  missing  signals",
        "binance 1m  SIMULATED  16 s    16 s       0     60 of 60   0        12",
        "binance 1d  SIMULATED  18 h    –          –     –          –        –",
        "",
        "collector live · 500 symbols · gaps 0 · Redis p99 4 ms · waiting 0",
        "traders   1,000 enabled · 3 disabled (1 stopped) · failing 0 · last run 15 s ago",
        "signals   last 15 s ago · BTCUSDT · Cross [up] · live",
        "switch    on",
        "outbox    0 waiting",
        "budget    redis commands 137,283 of 500,000 a month planned (27%)",
        "incidents none open",
    ]
    assert max(len(line) for line in lines) <= 80


SCHEDULE = {
    "name": "tick",
    "timing_text": "every minute",
    "next_runs": ["2026-11-21T18:01:00+00:00"],
    "last_run_at": "2026-11-21T18:00:00+00:00",
    "last_status": "succeeded",
    "last_http_status": 200,
    "average_ms": 12.4,
    "fail_streak": 0,
    "paused_until": None,
    "reason": None,
}
PAUSED = SCHEDULE | {"paused_until": "2026-11-21T19:00:00+00:00", "reason": "x"}
INCIDENT = {
    "id": 7,
    "kind": "feed_stale",
    "subject": "binance 5m",
    "severity": "error",
    "message": "binance 5m: no close for 9 min",
    "raised_at": "2026-11-21T17:52:00+00:00",
    "last_seen_at": NOW,
    "acknowledged_at": None,
    "acknowledged_by": None,
}
METER = {
    "meter": "redis_commands",
    "unit": "count",
    "used_today": 9_000,
    "used_month": 100_000,
    "projected_month": 450_000,
    "free_limit": 500_000,
    "share": 0.9,
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"signals_enabled": False}, "signals are off (kill switch)"),
        (
            {"feeds": [feed(slots={"expected_count": 60, "done_count": 58, "missing_count": 2})]},
            "binance 1m: slots missing in the last hour: 2",
        ),
        (
            {"feeds": [feed(closed_at="2026-11-21T17:50:00+00:00")]},
            "binance 1m: the newest evaluated close is 10 min old",
        ),
        (
            {"collector": None, "collector_error": "no answer at 127.0.0.1:1"},
            "collector: no answer at 127.0.0.1:1",
        ),
        ({"collector": {"status": "stale", "phase": "live"}}, "collector: stale, live"),
        (
            {"schedules": [SCHEDULE | {"fail_streak": 3, "last_status": "failed"}]},
            "schedule tick failed, times in a row: 3",
        ),
        ({"incidents": [INCIDENT]}, "incident 7: binance 5m: no close for 9 min"),
    ],
)
def test_problem_is_named_on_top(change: dict[str, Any], problem: str) -> None:
    document = report(**change)
    assert document["problems"] == [problem]
    assert f"✗ {problem}" in shown(document)[:2]


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"schedules": [PAUSED]}, "schedule tick is paused: x"),
        ({"incidents": [INCIDENT | {"severity": "warn"}]}, "incident 7: binance 5m: no close for"),
        ({"budget": [METER]}, "redis commands: 90% of what is free"),
    ],
)
def test_warning_is_named_on_top(change: dict[str, Any], warning: str) -> None:
    """With the mark the doctor gives it: an operator's pause is no fault."""
    document = report(**change)
    assert document["problems"] == []
    assert shown(document)[1].startswith(f"! {warning}")


def test_pause_is_told_once_and_at_once() -> None:
    """By its schedule; its incident, raised by the next look, says nothing more."""
    incident = INCIDENT | {"kind": "schedule_paused", "severity": "warn"}
    document = report(schedules=[PAUSED], incidents=[incident])
    assert document["warnings"] == ["schedule tick is paused: x"]


def test_pause_says_when_it_ends() -> None:
    forever = PAUSED | {"paused_until": "infinity"}
    lines = shown(report(schedules=[PAUSED, forever]))
    assert [line.split("  ")[-1] for line in lines if line.startswith("tick ")] == [
        "paused, ends in 59 min",
        "paused",
    ]


def test_what_is_no_problem() -> None:
    """An old close nobody is owed; an incident somebody has taken in hand."""
    quiet = feed(closed_at="2026-11-20T18:00:00+00:00", is_owed=False)
    taken = INCIDENT | {"acknowledged_at": NOW, "acknowledged_by": "ann"}
    document = report(feeds=[quiet], incidents=[taken])
    assert document["problems"] == []
    assert "incidents 7 feed_stale binance 5m, since 8 min · in hands of ann" in shown(document)


def test_schedules_budget_and_incidents_are_shown() -> None:
    lines = shown(report(schedules=[SCHEDULE], budget=[METER], incidents=[]))
    assert "schedule  last run  status               average" in lines
    assert "tick      16 s ago  succeeded, HTTP 200  12 ms    next in 44 s" in lines
    assert "budget    redis commands 450,000 of 500,000 free a month (90%)" in lines
    assert "incidents none open" in lines


def test_newest_backup_is_shown() -> None:
    made = {"made_at": "2026-11-21T03:23:00+00:00", "target": "s3://b/[x].zip", "bytes": 4_234_567}
    assert "backup    14 h ago · 4.2 MB · s3://b/[x].zip" in shown(report(backup=made))


def test_planned_commands_are_shown_until_a_rate_is_known() -> None:
    """A size of the moment is said in megabytes, and is no matter of a month."""
    size = METER | {
        "meter": "database_bytes",
        "projected_month": 11_754_855,
        "free_limit": 500_000_000,
        "share": 0.0235,
    }
    assert shown(report(budget=[size]))[-3:-1] == [
        "budget    redis commands 137,283 of 500,000 a month planned (27%)",
        "          database bytes 11.8 MB of 500 MB free (2%)",
    ]


def test_traders_that_fail_are_listed() -> None:
    error = {"id": 4, "name": "mine", "enabled": True, "error_count": 3, "message": "StaleData"}
    traders = report()["traders"] | {"failing_count": 5, "errors": [error] * 5}
    lines = shown(report(traders=traders))
    assert lines.count("          ✗ 4 mine: 3 in a row: StaleData") == 3
    assert "          and 2 more" in lines


def screen(document: dict[str, Any], width: int, height: int, failure: str = "") -> list[str]:
    console = Console(width=width, height=height)
    return screen_of(document, failure, 2.0, console).plain.splitlines()


BUSY = {
    "feeds": [feed(interval=interval) for interval in ("1m", "5m", "15m", "1h", "1d")],
    "schedules": [SCHEDULE, PAUSED, SCHEDULE | {"fail_streak": 3}, SCHEDULE, SCHEDULE],
    "incidents": [
        INCIDENT | {"message": "The close is not evaluated. " * 5},
        INCIDENT | {"severity": "warn", "acknowledged_by": "ann"},
    ],
    "budget": [METER | {"share": share} for share in (0.5, 0.4, 0.3)],
}


def test_low_window_shows_everything_in_fewer_lines() -> None:
    busy = report(**BUSY)
    whole, low = screen(busy, 80, 50), screen(busy, 80, 24)
    assert whole[-4:-2] == [
        "incidents 7 feed_stale binance 5m, since 8 min",
        "          7 feed_stale binance 5m, since 8 min · in hands of ann",
    ]
    assert len(low) <= 24
    assert low[2:5] == [
        "✗ incident 7: The close is not evaluated. The close is not evaluated. The …",
        "✗ schedule tick failed, times in a row: 3",
        "! schedule tick is paused: x",
    ]
    assert "schedules 5 · failing 1 · paused 1 · next in 44 s" in low
    assert low[-4:] == [
        "outbox    0 waiting",
        "budget    redis commands 450,000 of 500,000 free a month (50%)",
        "incidents 2 open · in somebody's hands 1",
        "every 2 s · Ctrl-C ends",
    ]


def test_window_that_is_too_low_says_how_much_is_left_out() -> None:
    whole, low = screen(report(), 80, 14), screen(report(), 80, 8)
    assert whole[-2:] == ["incidents none open", "every 2 s · Ctrl-C ends"]
    assert low[:-1] == whole[:7]
    assert low[-1] == "every 2 s · Ctrl-C ends · a higher window shows 6 more"
    # A line that wraps takes two.
    assert len(screen(report(**BUSY), 50, 24)) == 24


def test_screen_says_when_it_is_old() -> None:
    text = screen(report(), 80, 40, "Postgres: connection refused")
    assert text[0] == "closebell status · 2026-11-21 18:00:16 UTC"
    assert text[1] == "✗ old: Postgres: connection refused"
    assert text[-1] == "every 2 s · Ctrl-C ends"


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (None, "never"),
        ("2026-11-21T18:00:04+00:00", "12 s ago"),
        ("2026-11-21T18:01:00+00:00", "in 44 s"),
        ("2026-11-21T15:00:16+00:00", "3 h ago"),
    ],
)
def test_age_is_said_in_words(at: str | None, words: str) -> None:
    assert since(at, NOW) == words
