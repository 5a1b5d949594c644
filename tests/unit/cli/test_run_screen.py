"""A list of slots: what is unusual is said beside the status, and 80 columns are enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.run_screen import list_lines, story_lines

CLOSED_AT = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)


def slot(after_s: float | None, **change: Any) -> dict[str, Any]:
    return {
        "venue": "binance",
        "interval": "15m",
        "closed_at": CLOSED_AT,
        "status": "finished",
        "origin": "live",
        "runs_count": 1,
        "finished_count": 1,
        "traders_count": 1_000,
        "signals_count": 3,
        "missing_count": None,
        "attempt": 1,
        "finished_at": None if after_s is None else CLOSED_AT + timedelta(seconds=after_s),
    } | change


def test_what_is_unusual_is_said_beside_the_status() -> None:
    lines = list_lines(
        [
            slot(0.219),
            slot(424.915, origin="backfill"),
            slot(143.9),
            slot(20_000, origin="backfill", attempt=3),
            slot(None, status="incomplete", finished_count=0, missing_count=12),
        ]
    )
    name = "binance 15m 2026-11-21T19:00Z"
    heads = "shards  traders  signals     after"
    assert lines == [
        f"slot                           status                    {heads}",
        f"{name}  finished                     1/1    1,000        3  +0.219 s",
        f"{name}  finished late                1/1    1,000        3  +424.9 s",
        f"{name}  finished late                1/1    1,000        3  +143.9 s",
        f"{name}  finished late, attempt 3     1/1    1,000        3    +5.6 h",
        f"{name}  incomplete, 12 missing       0/1    1,000        3         –",
    ]


def test_usual_slots_fit_into_80_columns() -> None:
    lines = list_lines([slot(0.2), slot(9_999, origin="backfill", signals_count=1_000)])
    assert max(map(len, lines)) <= 80


def story(runs_count: int) -> dict[str, Any]:
    runs: list[dict[str, Any]] = [
        {
            "run_id": 120_000 + number,
            "trader_id": None,
            "shard": number,
            "shard_count": runs_count,
            "status": "finished",
            "attempt": 1,
            "origin": "live",
            "opened_at": CLOSED_AT + timedelta(milliseconds=20),
            "claimed_by": "host:1",
            "claimed_at": CLOSED_AT + timedelta(milliseconds=300),
            "finished_at": CLOSED_AT + timedelta(milliseconds=417),
            "feed": "simulated",
            "frame_revision": 1,
            "complete": True,
            "missing_count": 0,
            "missing_instruments": [],
            "error": None,
            "traders_count": 1_000,
            "signals_count": 40,
            "stats": {"claim_ms": 11.5, "load_ms": 1.25, "prepare_ms": 3, "evaluate_ms": 1_071.9},
        }
        for number in range(runs_count)
    ]
    started = {
        "logged_at": CLOSED_AT,
        "source": "trigger_executions",
        "level": "info",
        "event": "slot_started",
        "run_id": 120_000,
        "trader_id": None,
        "symbol": None,
        "fields": {"by": "tick", "waited_ms": 513.1, "already_finished": True},
    }
    return {
        "slot": {"venue": "binance", "interval": "15m", "closed_at": CLOSED_AT},
        "runs": runs,
        "ticks": [],
        "incidents": [],
        "lines": [started],
        "lines_count": 1,
        "errors": [],
        "errors_count": 0,
        "is_missing": False,
    }


def test_story_fits_into_80_columns_but_for_the_log() -> None:
    lines = story_lines(story(12), colour=False, width=80)
    above = lines[: lines.index("  1 log line")]
    assert max(map(len, above)) <= 80
    assert lines[:2] == [
        "binance 15m 2026-11-21T19:00:00Z  finished",
        "12 runs · 12,000 traders · 480 signals · simulated data",
    ]
    at = lines.index("  run     of           status    attempt  traders  signals")
    assert lines[at + 1] == "  120000  shard 1/12   finished        1    1,000       40"
    at = lines.index("  run     claim ms  load ms  prepare ms  evaluate ms")
    assert lines[at + 12] == "  120011      11.5      1.2         3.0      1,071.9"


def test_story_of_a_wide_window_has_one_table() -> None:
    lines = story_lines(story(1), colour=False, width=110)
    assert lines[0] == (
        "binance 15m 2026-11-21T19:00:00Z  finished  1 run · 1,000 traders · 40 signals"
        " · simulated data"
    )
    heads = "  run     of         status    attempt  traders  signals"
    assert f"{heads}  claim ms  load ms  prepare ms  evaluate ms" in lines
