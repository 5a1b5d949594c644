"""ops.next_runs against a slow reference that only asks of each minute whether it is due."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MONTHS = [calendar.month_abbr[number].lower() for number in range(1, 13)]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
FIELDS: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, MONTHS),
    (0, 7, WEEKDAYS),
)
RUNS = 4
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
# As far as ops.next_runs looks.
DAYS_MAX = 41 * 366
Connection = psycopg.Connection[tuple[list[datetime]]]


def matches(field: str, value: int, low: int, names: list[str]) -> bool:
    """Return whether one number is among those of a field."""

    def number(word: str) -> int:
        return names.index(word.lower()) + low if word.lower() in names else int(word)

    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = low if span == "*" else number(first)
        end = 10_000 if span == "*" else number(last or first)
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False


def is_due_on(expression: str, day: date) -> bool:
    _, _, days, months, weekdays = expression.split()
    if not matches(months, day.month, 1, MONTHS):
        return False
    sunday_is_0 = (day.weekday() + 1) % 7
    is_day = matches(days, day.day, 1, [])
    is_weekday = matches(weekdays, sunday_is_0, 0, WEEKDAYS) or (
        sunday_is_0 == 0 and matches(weekdays, 7, 0, WEEKDAYS)
    )
    # cron's oddity: two fields that are given are alternatives.
    if days.startswith("*") or weekdays.startswith("*"):
        return is_day and is_weekday
    return is_day or is_weekday


def reference(expression: str, after: datetime, count: int) -> list[datetime]:
    """Return the next runs by trying every minute of every day that is due."""
    minutes, hours, *_ = expression.split()
    found: list[datetime] = []
    for offset in range(DAYS_MAX + 1):
        day = after.date() + timedelta(days=offset)
        if not is_due_on(expression, day):
            continue
        for minute in range(24 * 60):
            at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(minutes=minute)
            if at > after and matches(hours, at.hour, 0, []) and matches(minutes, at.minute, 0, []):
                found.append(at)
                if len(found) == count:
                    return found
    return found


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, names: list[str]) -> str:
    """Draw a field: a list of stars, numbers, names and ranges, with steps."""

    def word(value: int) -> str:
        if names and value - low < len(names) and draw(st.booleans()):
            name = names[value - low]
            return draw(st.sampled_from([name, name.upper(), name.title()]))
        return str(value)

    def part() -> str:
        kind = draw(st.sampled_from(["*", "*/n", "n", "n", "a-b", "a-b/n"]))
        step = f"/{draw(st.integers(1, high))}" if kind.endswith("/n") else ""
        if kind.startswith("*"):
            return f"*{step}"
        first = draw(st.integers(low, high))
        if kind == "n":
            return word(first)
        last = draw(st.integers(first, high))
        return f"{word(first)}-{word(last)}{step}"

    return ",".join(part() for _ in range(draw(st.integers(1, 3))))


EXPRESSIONS = st.tuples(
    *(st.one_of(st.just("*"), fields(low, high, names)) for low, high, names in FIELDS)
).map(" ".join)
INSTANTS = st.one_of(
    st.integers(0, 40 * 366 * 86_400_000).map(lambda ms: EPOCH + timedelta(milliseconds=ms)),
    # The ends of minutes, months, years and a 29 February.
    st.sampled_from(
        [
            datetime(2027, 12, 31, 23, 59, tzinfo=UTC),
            datetime(2027, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2028, 2, 28, 23, 59, 30, tzinfo=UTC),
            datetime(2028, 2, 29, tzinfo=UTC),
            datetime(2030, 4, 30, 22, 0, tzinfo=UTC),
        ]
    ),
)


@pytest.fixture(scope="module")
def connection(migrated: str) -> Iterator[Connection]:
    with psycopg.connect(migrated, autocommit=True, options="-c timezone=UTC") as opened:
        yield opened


def next_runs(connection: Connection, timing: str, after: datetime, count: int) -> list[datetime]:
    row = connection.execute("select ops.next_runs(%s, %s, %s)", (timing, after, count)).fetchone()
    assert row is not None
    return row[0]


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(expression=EXPRESSIONS, after=INSTANTS)
def test_next_runs_are_those_of_the_reference(
    connection: Connection, expression: str, after: datetime
) -> None:
    found = next_runs(connection, expression, after, RUNS)
    assert found == reference(expression, after, RUNS), expression


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(step_s=st.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30]), after=INSTANTS)
def test_next_runs_of_seconds_are_the_marks_of_each_minute(
    connection: Connection, step_s: int, after: datetime
) -> None:
    found = next_runs(connection, f"every {step_s} s", after, RUNS)
    assert all(at.microsecond == 0 and at.second % step_s == 0 for at in found)
    assert after < found[0] <= after + timedelta(seconds=step_s)
    assert [b - a for a, b in pairwise(found)] == [timedelta(seconds=step_s)] * (RUNS - 1)


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        # Friday the 13th, or any Friday, or any 13th.
        ("0 0 13 * 5", ["2026-11-27", "2026-12-04", "2026-12-11", "2026-12-13"]),
        # A star with a step counts as not given: both must hold.
        ("0 0 */2 * 1", ["2026-11-23", "2026-12-07", "2026-12-21", "2027-01-11"]),
        ("0 0 29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]),
        ("0 0 29 2 */7", ["2032-02-29", "2060-02-29"]),
        ("0 0 31 4,6,9,11 *", []),
    ],
)
def test_next_runs_of_rare_days(connection: Connection, timing: str, expected: list[str]) -> None:
    after = datetime(2026, 11, 22, 12, tzinfo=UTC)
    found = next_runs(connection, timing, after, RUNS)
    assert [at.date().isoformat() for at in found] == expected
