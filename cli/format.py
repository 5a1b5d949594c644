"""Numbers and times as people read them in a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import floor, log10

_BARS = "▁▂▃▄▅▆▇█"
# Digits that count: six tell values apart in a table, a comparison may need more.
DIGITS, DIGITS_EXACT = 6, 9


def number(value: float | None, digits: int = DIGITS) -> str:
    """Return a value with that many digits that count: 12,345.7 · 0.000123457 · 1.23457e-09."""
    if value is None:
        return "?"
    if abs(value) >= 1e15 or 0 < abs(value) < 1e-6:
        return f"{value:.{digits}g}"
    exponent = floor(log10(abs(value))) if value else 0
    decimals = max(digits - 1 - exponent, 0)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def price(value: float | None) -> str:
    """Return a price with all its decimals, as the venue writes it."""
    if value is None:
        return "?"
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")


def percent(fraction: float | None, *, sign: bool = False) -> str:
    """Return a fraction in percent: 1.23 %, +0.05 %."""
    if fraction is None:
        return "–"
    return f"{fraction * 100:{'+' if sign else ''}.2f} %"


def rate(value: float) -> str:
    """Return how many a day, with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def instant(at_ms: int) -> str:
    """Return an instant to the minute."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def sparkline(counts: Sequence[int]) -> str:
    """Return one character a count, the largest the highest; a blank for none."""
    most = max(counts, default=0)
    return "".join(
        " " if count == 0 else _BARS[(count * len(_BARS) - 1) // most] for count in counts
    )
