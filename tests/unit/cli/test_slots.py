"""The words that name a slot, and those that name none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.instants import read_instant, show_age, show_instant
from cli.slots import INTERVALS, SlotWanted, read_slot
from shared.errors import InvalidRequest
from shared.market.interval import Interval

NOW = datetime(2026, 11, 21, 17, 30, 12, 345_678, tzinfo=UTC)


def at(day: int, hour: int, minute: int) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["latest"], SlotWanted()),
        (["1m"], SlotWanted(interval="1m")),
        (["1m", "latest"], SlotWanted(interval="1m")),
        (["1m", "17:00"], SlotWanted(interval="1m", closed_at=at(21, 17, 0))),
        (["1m 17:00"], SlotWanted(interval="1m", closed_at=at(21, 17, 0))),
        (["23:45", "5m"], SlotWanted(interval="5m", closed_at=at(20, 23, 45))),
        (["7:05Z"], SlotWanted(closed_at=at(21, 7, 5))),
        (
            ["binance 1m 2026-11-21T17:00:00Z"],
            SlotWanted(venue="binance", interval="1m", closed_at=at(21, 17, 0)),
        ),
        (["1h", "2026-11-21T18:00+01:00"], SlotWanted(interval="1h", closed_at=at(21, 17, 0))),
        (["123"], SlotWanted(run_id=123)),
        (["run", "123"], SlotWanted(run_id=123)),
        (["#123"], SlotWanted(run_id=123)),
    ],
)
def test_slot_is_read_in_any_order(words: list[str], wanted: SlotWanted) -> None:
    assert read_slot(words, NOW) == wanted


@pytest.mark.parametrize(
    "words",
    [
        [],
        [""],
        ["1m", "5m"],
        ["17:00", "17:01"],
        ["1m", "123"],
        ["25:00"],
        ["Nonsense!"],
        ["1" * 19],
        ["a b"],
    ],
)
def test_words_that_name_no_slot_are_refused_with_examples(words: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="such as latest"):
        read_slot(words, NOW)


def test_intervals_are_those_of_the_market() -> None:
    assert tuple(str(interval) for interval in Interval) == INTERVALS


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


@pytest.mark.parametrize("text", ["10", "m", "10x", "yesterday", "9999d", "-5m", "17:00"])
def test_what_is_no_instant_is_refused_naming_the_option(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"after --since, was"):
        read_instant(text, "--since", NOW)


def test_instants_and_ages_are_shown_for_people() -> None:
    assert show_instant(NOW) == "2026-11-21T17:30:12.345Z"
    assert read_instant(show_instant(NOW), "--since", NOW) == NOW.replace(microsecond=345_000)
    ages = [show_age(s) for s in (0.4, 12, 89, 300, 5_399, 7_200, 200_000, -20)]
    assert ages == [
        "0 s ago",
        "12 s ago",
        "89 s ago",
        "5 min ago",
        "90 min ago",
        "2 h ago",
        "2 days ago",
        "in 20 s",
    ]
