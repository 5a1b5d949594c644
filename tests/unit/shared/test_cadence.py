"""When a cadence is due; tests/sql/test_cadence.py compares all of it with Postgres."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.market.cadence import parse_cadence
from shared.market.interval import Interval


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "interval", "closed_at", "due"),
    [
        ("close", Interval.M1, "2026-11-16T09:31", True),
        ("every 3 closes", Interval.M5, "2026-11-16T09:30", True),
        ("every 3 closes", Interval.M5, "2026-11-16T09:35", False),
        ("30 8 * * 1-5", Interval.H1, "2026-11-16T09:00", True),
        ("30 8 * * 1-5", Interval.H1, "2026-11-16T10:00", False),
        ("30 8 * * 1-5", Interval.H1, "2026-11-15T09:00", False),
        ("30 8 * jan-nov Mon-FRI", Interval.H1, "2026-11-16T09:00", True),
        ("30 8 * dec *", Interval.H1, "2026-11-16T09:00", False),
        ("0 12 13 * 1", Interval.H4, "2026-11-13T12:00", True),
    ],
)
def test_due_is_the_first_close_at_or_after(
    text: str, interval: Interval, closed_at: str, due: bool
) -> None:
    assert parse_cadence(text).is_due(interval, ms(closed_at)) is due


@pytest.mark.parametrize(
    ("text", "interval", "bars"),
    [
        ("close", Interval.M1, 1),
        ("every 7 closes", Interval.D1, 7),
        ("0 8 * * *", Interval.M1, 1440),
        ("0 8 * * 1-5", Interval.H1, 72),
        ("0 9-17 * * *", Interval.H1, 16),
        ("*/20 * * * *", Interval.M15, 2),
        ("*/20 * * * *", Interval.H1, 1),
        ("0 0 1 * *", Interval.D1, 31),
        ("0 0 29 2 *", Interval.D1, 1461),
    ],
)
def test_longest_pause_between_due_closes(text: str, interval: Interval, bars: int) -> None:
    assert parse_cadence(text).before_bars_max(interval) == bars


def test_blanks_do_not_matter() -> None:
    assert parse_cadence(" every  3 closes ").text == "every 3 closes"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 8 * * 8", 'expected a weekday from 0 to 7 or sun to sat, was "8"'),
        ("0 8 * foo *", 'expected a month from 1 to 12 or jan to dec, was "foo"'),
        ("0 mon * * *", 'expected a hour from 0 to 23, was "mon"'),
        ("0 0 30 feb *", "expected a date that comes, was day 30 of month feb"),
    ],
)
def test_a_wrong_field_is_named(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_cadence(text)
    assert str(caught.value) == problem
