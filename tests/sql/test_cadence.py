"""When a cadence is due: Postgres and shared/market/cadence agree with a slow reference.

The reference knows nothing but the definition: it looks at every minute of a bar, and walks back
from close to close.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.market.cadence import BEFORE_BARS_MAX, parse_cadence
from shared.market.interval import MINUTE_MS, Interval

FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
NAMES = {
    (1, 12): ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    (0, 7): ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
YEAR_MINUTES = 366 * 24 * 60
START = datetime(2027, 6, 1, tzinfo=UTC)


def random_field(rng: random.Random, low: int, high: int, *, open_share: float) -> str:
    if rng.random() < open_share:
        return "*"

    def word(value: int) -> str:
        names = NAMES.get((low, high), ())
        if value - low >= len(names) or rng.random() < 0.5:
            return str(value)
        return rng.choice((str.lower, str.upper, str.title))(names[value - low])

    items = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        first = rng.randint(low, high)
        last = rng.randint(first, high)
        step = rng.choice(("", "", f"/{rng.randint(1, high)}"))
        items.append(rng.choice((word(first), f"{word(first)}-{word(last)}{step}", f"*{step}")))
    return ",".join(items)


def random_cadence(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return rng.choice(("close", f"every {rng.choice((2, 3, 7, 60, 499, 501, 1000))} closes"))
    shares = (0.2, 0.5, 0.6, 0.7, 0.6)
    fields = zip(FIELDS, shares, strict=True)
    return " ".join(random_field(rng, low, high, open_share=share) for (low, high), share in fields)


def listed(field: str, low: int, high: int) -> set[int]:
    for place, name in enumerate(NAMES.get((low, high), ()), low):
        field = field.lower().replace(name, str(place))
    numbers = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        numbers |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return numbers


def is_instant(expression: str, at: datetime) -> bool:
    fields = expression.split(" ")
    minutes, hours, days, months, weekdays = (
        listed(field, low, high) for field, (low, high) in zip(fields, FIELDS, strict=True)
    )
    by_day, by_weekday = at.day in days, bool({at.isoweekday() % 7, at.isoweekday()} & weekdays)
    either = fields[2][0] != "*" and fields[4][0] != "*"
    fits = by_day or by_weekday if either else by_day and by_weekday
    return at.minute in minutes and at.hour in hours and at.month in months and fits


def reference_is_due(cadence: str, interval: Interval, closed_at: datetime) -> bool:
    minutes = interval.duration_ms // MINUTE_MS
    if cadence == "close":
        return True
    if cadence.startswith("every"):
        number = int(closed_at.timestamp()) // (60 * minutes)
        return number % int(cadence.split()[1]) == 0
    return any(is_instant(cadence, closed_at - timedelta(minutes=back)) for back in range(minutes))


def reference_before_bars(cadence: str, interval: Interval, closed_at: datetime) -> int:
    length = timedelta(milliseconds=interval.duration_ms)
    for bars in range(1, BEFORE_BARS_MAX):
        if reference_is_due(cadence, interval, closed_at - bars * length):
            return bars
    return BEFORE_BARS_MAX


def random_case(rng: random.Random) -> tuple[str, Interval, datetime]:
    interval = rng.choice(list(Interval))
    at_ms = int(START.timestamp() + 60 * rng.randrange(YEAR_MINUTES)) * 1000
    closed_at = datetime.fromtimestamp(interval.floor_ms(at_ms) / 1000, UTC)
    return random_cadence(rng), interval, closed_at


def ask(dsn: str, query: str, items: object) -> list[object]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute(query.encode(), (json.dumps(items),))]


@pytest.mark.parametrize("seed", range(3))
def test_cadence_is_due_where_the_reference_says(migrated: str, seed: int) -> None:
    rng = random.Random(seed)
    cases: list[list[str]] = []
    due: list[bool] = []
    while len(cases) < 400:
        text, interval, closed_at = random_case(rng)
        try:
            cadence = parse_cadence(text)
        except ValueError:
            continue
        cases.append([text, str(interval), closed_at.isoformat()])
        expected = reference_is_due(text, interval, closed_at)
        due.append(expected)
        assert cadence.is_due(interval, int(closed_at.timestamp()) * 1000) is expected, cases[-1]
    query = (
        "select ops.is_due(item ->> 0, item ->> 1, (item ->> 2)::timestamptz)"
        " from jsonb_array_elements(%s::jsonb) with ordinality as t (item, n) order by n"
    )
    answers = ask(migrated, query, cases)
    assert [c for c, a, e in zip(cases, answers, due, strict=True) if a is not e] == []
    assert 50 < sum(due) < 350


def test_bars_before_are_those_to_the_previous_due_close(migrated: str) -> None:
    rng = random.Random(7)
    cases: list[list[str]] = []
    expected: list[int] = []
    while len(cases) < 60:
        text, _, _ = random_case(rng)
        interval = rng.choice((Interval.M1, Interval.M15, Interval.M30, Interval.H1))
        at_ms = int(START.timestamp() + 60 * rng.randrange(YEAR_MINUTES)) * 1000
        closed_at = datetime.fromtimestamp(interval.floor_ms(at_ms) / 1000, UTC)
        try:
            cadence = parse_cadence(text)
        except ValueError:
            continue
        bars = reference_before_bars(text, interval, closed_at)
        cases.append([text, str(interval), closed_at.isoformat()])
        expected.append(bars)
        assert cadence.before_bars(interval, int(closed_at.timestamp()) * 1000) == bars, cases[-1]
        assert bars <= cadence.before_bars_max(interval)
    query = (
        "select ops.before_bars(item ->> 0, item ->> 1, (item ->> 2)::timestamptz)"
        " from jsonb_array_elements(%s::jsonb) with ordinality as t (item, n) order by n"
    )
    answers = ask(migrated, query, cases)
    assert [(c, a, e) for c, a, e in zip(cases, answers, expected, strict=True) if a != e] == []


def test_due_closes_are_the_closes_that_are_due(migrated: str) -> None:
    rng = random.Random(11)
    with psycopg.connect(migrated) as connection:
        for _ in range(60):
            text, interval, closed_at = random_case(rng)
            after = closed_at + timedelta(seconds=rng.choice((0, 1, 59)))
            until = after + 40 * timedelta(milliseconds=interval.duration_ms)
            found = connection.execute(
                "select due_closes from ops.due_closes(%s, %s, %s, %s)",
                (text, str(interval), after, until),
            ).fetchall()
            each = connection.execute(
                "select due_closes from ops.due_closes('close', %s, %s, %s)",
                (str(interval), after, until),
            ).fetchall()
            try:
                cadence = parse_cadence(text)
            except ValueError:
                assert found == []
                continue
            assert len(each) == 40
            assert [row[0] for row in found] == [
                at for (at,) in each if cadence.is_due(interval, int(at.timestamp()) * 1000)
            ], (text, interval)


def test_both_refuse_the_same_texts(migrated: str) -> None:
    rng = random.Random(3)
    alphabet = "0123456789*/-, aJn"
    texts = ["every 1 closes", "every 2 closes", "every 1000 closes", "every 1001 closes", "close"]
    texts += ["0 0 30 2 *", "0 0 29 2 *", "0 0 31 2 1", "0 0 31 */2 *", "0 0 31 4,6,9,11 *"]
    for _ in range(2_000):
        letters = list(random_cadence(rng))
        if rng.random() < 0.7:
            letters[rng.randrange(len(letters))] = rng.choice(alphabet)
        texts.append("".join(letters))
    answers = ask(
        migrated,
        "select ops.is_cadence(text) from jsonb_array_elements_text(%s::jsonb)"
        " with ordinality as t (text, n) order by n",
        texts,
    )
    for text, answer in zip(texts, answers, strict=True):
        # Postgres takes the text as it is stored: without blanks that do not matter.
        try:
            accepted = parse_cadence(text).text == text
        except ValueError:
            accepted = False
        assert answer is accepted, text
    assert 500 < sum(map(bool, answers)) < 1_900
