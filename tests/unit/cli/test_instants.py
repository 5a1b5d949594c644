"""Times and durations as they are typed and shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.instants import ago, duration, read_date, read_duration_s, read_instant, show_instant
from shared.errors import InvalidRequest

NOW = datetime(2026, 11, 21, 17, 30, 12, 345_678, tzinfo=UTC)


def at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "length_s"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("1w", 604_800), ("1h30m", 5400)],
)
def test_duration_is_read(text: str, length_s: int) -> None:
    assert read_duration_s(text, "--for") == length_s


@pytest.mark.parametrize("text", ["", "0s", "10", "2 h", "-1h", "h", "1.5h", "1h30", "1hm"])
def test_what_is_no_duration_is_refused_naming_the_option(text: str) -> None:
    with pytest.raises(InvalidRequest, match="after --for") as refused:
        read_duration_s(text, "--for")
    assert refused.value.field == "for"


@pytest.mark.parametrize(
    ("length_s", "text"),
    [
        (0.4, "0 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_800, "2 d"),
        (-3, "0 s"),
    ],
)
def test_length_is_printed_in_one_unit(length_s: float, text: str) -> None:
    assert duration(length_s) == text


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("10m", at(21, 17, 20).replace(second=12, microsecond=345_678)),
        ("1h30m", at(21, 16, 0).replace(second=12, microsecond=345_678)),
        ("1d", at(20, 17, 30).replace(second=12, microsecond=345_678)),
        ("2026-11-21T17:00:00Z", at(21, 17, 0)),
        ("2026-11-21T17:00", at(21, 17, 0)),
        ("2026-11-21", at(21, 0, 0)),
        ("2026-11-21T19:00:00+02:00", at(21, 17, 0)),
    ],
)
def test_instant_is_read_as_ago_or_as_a_time(text: str, instant: datetime) -> None:
    assert read_instant(text, "--since", NOW) == instant


def test_date_is_no_age() -> None:
    assert read_date("2026-11-21", "--at") == at(21, 0, 0)
    with pytest.raises(InvalidRequest, match=r"a date such as .* after --at, was '10m'"):
        read_date("10m", "--at")


@pytest.mark.parametrize("text", ["10", "m", "10x", "yesterday", "9999d", "-5m", "17:00"])
def test_what_is_no_instant_is_refused_naming_the_option(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"after --since, was"):
        read_instant(text, "--since", NOW)


def test_instants_and_ages_are_shown_for_people() -> None:
    assert show_instant(NOW) == "2026-11-21T17:30:12.345Z"
    assert read_instant(show_instant(NOW), "--since", NOW) == NOW.replace(microsecond=345_000)
    ages = [ago(s) for s in (0.4, 12, 89, 300, 5_399, 7_200, 200_000, -20)]
    assert ages == [
        "0 s ago",
        "12 s ago",
        "89 s ago",
        "5 min ago",
        "89 min ago",
        "2 h ago",
        "2 d ago",
        "in 20 s",
    ]
