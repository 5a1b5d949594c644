"""Numbers and times as they are printed."""

from __future__ import annotations

import pytest

from cli.format import instant, number, percent, price, rate, sparkline


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (70.0, "70"),
        (12345.678, "12,345.7"),
        (-0.000123456789, "-0.000123457"),
        (0.1, "0.1"),
        (12_416_060.0, "12,416,060"),
        (1e-9, "1e-09"),
        (1.5e20, "1.5e+20"),
        (999_999.9, "1,000,000"),
        (None, "?"),
    ],
)
def test_number_has_six_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(109835.2, "109835.2"), (1e-8, "0.00000001"), (483.0, "483"), (None, "?")],
)
def test_price_is_the_venues_own_decimal(value: float | None, text: str) -> None:
    assert price(value) == text


def test_percent_rate_and_instant() -> None:
    assert percent(0.01234) == "1.23 %"
    assert percent(0.0, sign=True) == "+0.00 %"
    assert percent(None) == "–"
    assert (rate(240.4), rate(0.4123)) == ("240", "0.41")
    assert instant(1_759_363_200_000) == "2025-10-02 00:00 UTC"


def test_sparkline_scales_to_the_largest() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▁▄█"
    assert sparkline([0, 0]) == "  "
    assert sparkline([]) == ""
