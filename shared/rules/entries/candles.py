"""Candle patterns, as TA-Lib defines them: what the last bars look like beside those before.

A body is long, a shadow short, a close near, beside the average of some bars *before* the one in
question: 10 bars' bodies or ranges, 5 bars' ranges. TA-Lib keeps running totals for these. Sums of
the bars themselves are the same numbers to the last bit, as differences of like prices add up
without rounding; unless ten bars' ranges add up to more than the price, when TA-Lib's totals carry
what they were rounded by along, and a body *exactly* as long as the average may count either way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared.rules.entries.words import CLOSE, HIGH, LOW, OPEN, TA_LIB, numbers, part
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Expansion, Floats, Rolling
from shared.rules.tree import Call, Node

Truth = NDArray[np.bool_]

# TA-Lib's default settings: of how many bars an average is, and what part of it counts.
_BODY_BARS, _RANGE_BARS, _NEAR_BARS = 10, 10, 5
_DOJI, _VERY_SHORT, _NEAR, _FAR = 0.1, 0.1, 0.2, 0.6
# How far into the first body the third one of a star must close.
_PENETRATION = 0.3


class _Candles:
    """The last bars, float64[bars, …]; every method takes how many bars ago."""

    def __init__(self, opens: Floats, highs: Floats, lows: Floats, closes: Floats) -> None:
        self._opens, self._highs, self._lows, self._closes = opens, highs, lows, closes

    def open(self, ago: int) -> Floats:
        found: Floats = self._opens[-1 - ago]
        return found

    def high(self, ago: int) -> Floats:
        found: Floats = self._highs[-1 - ago]
        return found

    def low(self, ago: int) -> Floats:
        found: Floats = self._lows[-1 - ago]
        return found

    def close(self, ago: int) -> Floats:
        found: Floats = self._closes[-1 - ago]
        return found

    def white(self, ago: int) -> Truth:
        return self.close(ago) >= self.open(ago)

    def black(self, ago: int) -> Truth:
        return self.close(ago) < self.open(ago)

    def top(self, ago: int) -> Floats:
        return np.maximum(self.open(ago), self.close(ago))

    def bottom(self, ago: int) -> Floats:
        return np.minimum(self.open(ago), self.close(ago))

    def body(self, ago: int) -> Floats:
        return np.abs(self.close(ago) - self.open(ago))

    def upper_shadow(self, ago: int) -> Floats:
        return self.high(ago) - self.top(ago)

    def lower_shadow(self, ago: int) -> Floats:
        return self.bottom(ago) - self.low(ago)

    def usual_body(self, ago: int) -> Floats:
        return _mean(self.body, ago, _BODY_BARS)

    def usual_range(self, ago: int, bars: int) -> Floats:
        return _mean(self._range, ago, bars)

    def very_short(self, ago: int) -> Floats:
        return _VERY_SHORT * self.usual_range(ago, _RANGE_BARS)

    def near(self, ago: int) -> Floats:
        return _NEAR * self.usual_range(ago, _NEAR_BARS)

    def far(self, ago: int) -> Floats:
        return _FAR * self.usual_range(ago, _NEAR_BARS)

    def _range(self, ago: int) -> Floats:
        return self.high(ago) - self.low(ago)


def _mean(measure: Callable[[int], Floats], ago: int, bars: int) -> Floats:
    """Return the average of a measure over so many bars before the one `ago`, oldest first."""
    total = measure(ago + bars)
    for before in range(ago + bars - 1, ago, -1):
        total = total + measure(before)
    return total / bars


def _doji(c: _Candles) -> Truth:
    return c.body(0) <= _DOJI * c.usual_range(0, _RANGE_BARS)


def _hammer(c: _Candles) -> Truth:
    return (
        (c.body(0) < c.usual_body(0))
        & (c.lower_shadow(0) > c.body(0))
        & (c.upper_shadow(0) < c.very_short(0))
        & (c.bottom(0) <= c.low(1) + c.near(1))
    )


def _shooting_star(c: _Candles) -> Truth:
    return (
        (c.body(0) < c.usual_body(0))
        & (c.upper_shadow(0) > c.body(0))
        & (c.lower_shadow(0) < c.very_short(0))
        & (c.bottom(0) > c.top(1))
    )


def _engulfing(c: _Candles) -> Truth:
    """Return whether the body holds the one before, with one end beyond it at least."""
    within = (c.top(0) >= c.top(1)) & (c.bottom(0) <= c.bottom(1))
    return within & ((c.top(0) > c.top(1)) | (c.bottom(0) < c.bottom(1)))


def _bullish_engulfing(c: _Candles) -> Truth:
    return c.white(0) & c.black(1) & _engulfing(c)


def _bearish_engulfing(c: _Candles) -> Truth:
    return c.black(0) & c.white(1) & _engulfing(c)


def _bullish_harami(c: _Candles) -> Truth:
    return (
        c.black(1)
        & (c.body(1) > c.usual_body(1))
        & (c.body(0) <= c.usual_body(0))
        & (c.top(0) <= c.top(1))
        & (c.bottom(0) >= c.bottom(1))
    )


def _star(c: _Candles) -> Truth:
    return (
        (c.body(2) > c.usual_body(2))
        & (c.body(1) <= c.usual_body(1))
        & (c.body(0) > c.usual_body(0))
    )


def _morning_star(c: _Candles) -> Truth:
    return (
        _star(c)
        & c.black(2)
        & (c.top(1) < c.bottom(2))
        & c.white(0)
        & (c.close(0) > c.close(2) + c.body(2) * _PENETRATION)
    )


def _evening_star(c: _Candles) -> Truth:
    return (
        _star(c)
        & c.white(2)
        & (c.bottom(1) > c.top(2))
        & c.black(0)
        & (c.close(0) < c.close(2) - c.body(2) * _PENETRATION)
    )


def _three_white_soldiers(c: _Candles) -> Truth:
    result = c.body(0) > c.usual_body(0)
    for ago in range(3):
        result &= c.white(ago) & (c.upper_shadow(ago) < c.very_short(ago))
    for ago in range(2):
        before = ago + 1
        result &= (
            (c.close(ago) > c.close(before))
            & (c.open(ago) > c.open(before))
            & (c.open(ago) <= c.close(before) + c.near(before))
            & (c.body(ago) > c.body(before) - c.far(before))
        )
    return result


def _three_black_crows(c: _Candles) -> Truth:
    result = c.white(3) & (c.high(3) > c.close(2))
    for ago in range(3):
        result &= c.black(ago) & (c.lower_shadow(ago) < c.very_short(ago))
    for ago in range(2):
        before = ago + 1
        result &= (
            (c.close(ago) < c.close(before))
            & (c.open(ago) < c.open(before))
            & (c.open(ago) > c.close(before))
        )
    return result


def _pattern(
    name: str, ta_lib: str, bars: int, found: Callable[[_Candles], Truth], text: str, example: str
) -> tuple[Function, Function]:
    """Return a pattern's entry and its part. `bars`: all it looks at, averages included."""

    def compute(opens: Floats, highs: Floats, lows: Floats, closes: Floats) -> Floats:
        columns = (opens, highs, lows, closes)
        total = sum(np.add.reduce(column, axis=0) for column in columns)
        return np.where(np.isnan(total), np.nan, found(_Candles(*columns)))

    def expand() -> Node:
        return Call(f"_{name}", (OPEN, HIGH, LOW, CLOSE))

    def looks_at() -> int:
        return bars

    entry = Function(
        name=name,
        parameters=(),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition=text,
        source=f"{TA_LIB} {ta_lib}",
        example=example,
        kernel=Expansion(expand, looks_at),
    )
    columns = numbers("open", "high", "low", "close")
    inner = part(f"_{name}", Rolling(compute, looks_at), columns, f"see {name}", Kind.CONDITION)
    return entry, inner


_PATTERNS = (
    _pattern(
        "doji",
        "CDLDOJI",
        11,
        _doji,
        "opens and closes at nearly the same price",
        "doji and rsi(14) > 50",
    ),
    _pattern(
        "hammer",
        "CDLHAMMER",
        12,
        _hammer,
        "small body near the low before, long lower shadow, hardly an upper one",
        "hammer and close < sma(50)",
    ),
    _pattern(
        "shooting_star",
        "CDLSHOOTINGSTAR",
        12,
        _shooting_star,
        "small body above the one before, long upper shadow, hardly a lower one",
        "shooting_star or bearish_engulfing",
    ),
    _pattern(
        "bullish_engulfing",
        "CDLENGULFING above 0",
        3,
        _bullish_engulfing,
        "white body that holds the black one before",
        "bullish_engulfing and volume > sma(volume, 20)",
    ),
    _pattern(
        "bearish_engulfing",
        "CDLENGULFING below 0",
        3,
        _bearish_engulfing,
        "black body that holds the white one before",
        "bearish_engulfing and rsi(14) > 60",
    ),
    _pattern(
        "bullish_harami",
        "CDLHARAMI above 0",
        12,
        _bullish_harami,
        "short body within the long black one before",
        "bullish_harami and rsi(14) < 40",
    ),
    _pattern(
        "morning_star",
        "CDLMORNINGSTAR, penetration 0.3",
        13,
        _morning_star,
        "long black body, short one below it, white one that closes well within the first",
        "morning_star or hammer",
    ),
    _pattern(
        "evening_star",
        "CDLEVENINGSTAR, penetration 0.3",
        13,
        _evening_star,
        "long white body, short one above it, black one that closes well within the first",
        "evening_star",
    ),
    _pattern(
        "three_white_soldiers",
        "CDL3WHITESOLDIERS",
        13,
        _three_white_soldiers,
        "three white bodies that each open in or near the one before and close higher,"
        " with hardly an upper shadow",
        "three_white_soldiers",
    ),
    _pattern(
        "three_black_crows",
        "CDL3BLACKCROWS",
        14,
        _three_black_crows,
        "after a white body three black ones that each open in the one before and close lower,"
        " with hardly a lower shadow",
        "three_black_crows",
    ),
)
ENTRIES = tuple(entry for entry, _ in _PATTERNS)
PARTS = tuple(inner for _, inner in _PATTERNS)
