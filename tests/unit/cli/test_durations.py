"""Durations as they are typed and printed."""

from __future__ import annotations

import pytest

from cli.durations import duration, read_duration_s
from shared.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "length_s"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("1h30m", 5400)],
)
def test_duration_is_read(text: str, length_s: int) -> None:
    assert read_duration_s(text, "--for") == length_s


@pytest.mark.parametrize("text", ["", "0s", "10", "2 h", "-1h", "h", "1w", "1.5h", "1h30", "1hm"])
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
    ],
)
def test_length_is_printed_in_one_unit(length_s: float, text: str) -> None:
    assert duration(length_s) == text
