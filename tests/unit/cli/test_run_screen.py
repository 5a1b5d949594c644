"""A list of slots: what is unusual is said beside the status, and 80 columns are enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.run_screen import list_lines

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
            slot(20_000, attempt=3),
            slot(None, status="incomplete", finished_count=0, missing_count=12),
        ]
    )
    name = "binance 15m 2026-11-21T19:00Z"
    assert lines == [
        "slot                           status                  shards  traders  signals     after",
        f"{name}  finished                   1/1    1,000        3  +0.219 s",
        f"{name}  finished late              1/1    1,000        3  +424.9 s",
        f"{name}  finished, attempt 3        1/1    1,000        3    +5.6 h",
        f"{name}  incomplete, 12 missing     0/1    1,000        3         –",
    ]


def test_usual_slots_fit_into_80_columns() -> None:
    lines = list_lines([slot(0.2), slot(9_999, origin="backfill", signals_count=1_000)])
    assert max(map(len, lines)) <= 80
