"""Whether what a rule reads is followed at all. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from shared.errors import InvalidRule
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import Rule


def check_reads(rule: Rule, window: Window, longer: Mapping[Interval, Window]) -> None:
    """Raise InvalidRule if the rule reads an instrument or an interval of which there is nothing.

    It would be unknown for ever.
    """
    for symbol in rule.instruments:
        if symbol not in window.symbols:
            hint, suggestion = nearest_instrument(symbol, window)
            raise InvalidRule(
                f"expected an instrument that is followed, was {symbol}",
                hint=hint,
                suggestion=suggestion,
            )
    for interval in rule.intervals:
        if interval not in longer:
            raise InvalidRule(
                f"expected an interval that is collected, there are no {interval} klines",
                hint="add it to INTERVALS of the collector, or wait until its first kline closes",
            )


def nearest_instrument(symbol: str, window: Window) -> tuple[str, str]:
    """Return a hint, and the most similar instrument or nothing."""
    close = get_close_matches(symbol.upper(), window.symbols, n=1)
    if close:
        return f"did you mean {close[0]}?", close[0]
    return "the newest symbol list lacks it", ""
