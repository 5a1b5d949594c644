"""Which functions the reference has, of how many bars, and what it asks TA-Lib.

A *windowed* function gets the last bars of its sources, oldest first, and gives one value. A
*running* function gets all known bars in a row and gives as many values, None until it has one.
TA-Lib is asked where a definition is long and full of conventions of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import talib
from talib import abstract as _abstract

from tests.unit.rules import reference_functions as of
from tests.unit.rules.reference_functions import Run, Values

abstract: Any = _abstract


def by_talib(name: str, output: int = 0) -> Callable[..., Run]:
    """Return a running function that is TA-Lib's."""
    function: Any = getattr(talib, name)

    def run(*arguments: Any) -> Run:
        series = [np.array(a, dtype=np.float64) for a in arguments if isinstance(a, list)]
        result = function(*series, *(a for a in arguments if not isinstance(a, list)))
        values = (result[output] if isinstance(result, tuple) else result).tolist()
        return [None if value != value else value for value in values]

    return run


def candle(name: str, sign: int) -> Callable[..., list[bool | None]]:
    """Return a running condition: TA-Lib's pattern, of one sign, unknown within its lookback."""
    function: Any = getattr(talib, name)
    lookback: int = abstract.Function(name).lookback

    def run(*columns: Values) -> list[bool | None]:
        found = function(*(np.array(column, dtype=np.float64) for column in columns)).tolist()
        return [None if bar < lookback else sign * v > 0 for bar, v in enumerate(found)]

    return run


@dataclass(frozen=True)
class Definition:
    """`columns` are read besides the arguments; `bars(*literals)` until the first value."""

    columns: str
    bars: Callable[..., int]
    compute: Callable[..., Any]


def _last(n: int, *_: object) -> int:
    return n


def _after(n: int, *_: object) -> int:
    return n + 1


def _fixed(bars: int) -> Callable[..., int]:
    return lambda *_: bars


def _macd(fast: int, slow: int, signal: int) -> int:
    return max(fast, slow) + signal - 1


WINDOWED = {
    "sma": Definition("", _last, lambda values, n: of.mean(values)),
    "wma": Definition("", _last, of.weighted_mean),
    "vwma": Definition("volume", _last, of.volume_average),
    "highest": Definition("", _last, lambda values, n: max(values)),
    "lowest": Definition("", _last, lambda values, n: min(values)),
    "stdev": Definition("", _last, of.deviation),
    "linreg_slope": Definition("", _last, of.slope),
    "_correlation": Definition("", _last, of.correlation),
    "_fast_k": Definition("high low close", _last, of.fast_k),
    "tr": Definition("high low close", _fixed(2), of.tr),
    "cmf": Definition("high low close volume", _last, of.cmf),
    "cci": Definition("", _last, of.cci),
    "_money_share": Definition("", _last, of.money_share),
    "abs": Definition("", _fixed(1), lambda x: abs(x[0])),
    "log": Definition("", _fixed(1), lambda x: math.log(x[0])),
    "sqrt": Definition("", _fixed(1), lambda x: math.sqrt(x[0])),
    "max": Definition("", _fixed(1), lambda a, b: max(a[0], b[0])),
    "min": Definition("", _fixed(1), lambda a, b: min(a[0], b[0])),
}
# What is added up of many bars: two ways of adding differ in the last digit, except on a price
# that does not move.
SUMS = {"sma", "ema", "rma", "wma", "kama", "vwma", "_day_average", "stdev", "linreg_slope"}
SUMS |= {"cmf", "ad", "adosc", "macd", "macd_signal", "macd_hist", "_correlation", "atr"}
_HLC = "high low close"
RUNNING = {
    "ema": Definition("", _last, of.ema),
    "rma": Definition("", _last, of.rma),
    "rsi": Definition("", _after, of.rsi),
    "cmo": Definition("", _after, of.cmo),
    "stochrsi": Definition("", lambda n, k: n + k, of.stochrsi),
    "kama": Definition("", lambda n: n + 1 if n > 1 else 1, by_talib("KAMA")),
    "macd": Definition("", _macd, lambda *a: of.macd_lines(*a)[0]),
    "macd_signal": Definition("", _macd, lambda *a: of.macd_lines(*a)[1]),
    "macd_hist": Definition("", _macd, lambda *a: of.macd_lines(*a)[2]),
    "willr": Definition(_HLC, _last, by_talib("WILLR")),
    "ultosc": Definition(_HLC, lambda a, b, c: max(a, b, c) + 1, by_talib("ULTOSC")),
    "atr": Definition(_HLC, _after, of.atr),
    "adx": Definition(_HLC, lambda n: 2 * n, by_talib("ADX")),
    "plus_di": Definition(_HLC, _after, by_talib("PLUS_DI")),
    "minus_di": Definition(_HLC, _after, by_talib("MINUS_DI")),
    "aroon_down": Definition("high low", _after, by_talib("AROON", 0)),
    "aroon_up": Definition("high low", _after, by_talib("AROON", 1)),
    "psar": Definition("high low", _fixed(2), by_talib("SAR")),
    "supertrend": Definition(_HLC, _after, of.supertrend),
    "obv": Definition("close volume", _fixed(1), of.obv),
    "ad": Definition("high low close volume", _fixed(1), of.ad),
    "adosc": Definition(
        "high low close volume", lambda fast, slow: max(fast, slow), by_talib("ADOSC")
    ),
    "_day_average": Definition("_day volume", _fixed(1), of.day_average),
}
_CANDLES = {
    "doji": ("CDLDOJI", 1),
    "hammer": ("CDLHAMMER", 1),
    "shooting_star": ("CDLSHOOTINGSTAR", -1),
    "bullish_engulfing": ("CDLENGULFING", 1),
    "bearish_engulfing": ("CDLENGULFING", -1),
    "bullish_harami": ("CDLHARAMI", 1),
    "morning_star": ("CDLMORNINGSTAR", 1),
    "evening_star": ("CDLEVENINGSTAR", -1),
    "three_white_soldiers": ("CDL3WHITESOLDIERS", 1),
    "three_black_crows": ("CDL3BLACKCROWS", -1),
}
CANDLES = set(_CANDLES)
RUNNING |= {
    name: Definition(
        "open high low close",
        _fixed(abstract.Function(pattern).lookback + 1),
        candle(pattern, sign),
    )
    for name, (pattern, sign) in _CANDLES.items()
}
