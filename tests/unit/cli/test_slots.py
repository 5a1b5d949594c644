"""The words that name a slot, and those that name none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

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
