"""What a rule can name, for the reference: series, signatures, and definitions in simpler words.

Written from the issue and the definitions agreed for the language, not from the registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isqrt

# A column of the kline or a reading of its time is ""; the others are made of them.
SERIES = {
    **dict.fromkeys(
        ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume"), ""
    ),
    "hour": "",
    "_day": "",
    "weekday": "",
    "hl2": "(high + low) / 2",
    "hlc3": "(high + low + close) / 3",
    "ohlc4": "(open + high + low + close) / 4",
}
# Parameters that take an expression; the others take what is written out.
EXPRESSIONS = {"source", "x", "a", "b", "lo", "hi", "condition"}

_SIGNATURES = """
sma(source=close, n) ema(source=close, n) wma(source=close, n) rma(source=close, n)
hma(source=close, n) dema(source=close, n) tema(source=close, n) kama(source=close, n)
vwma(source=close, n) vwap(source=hlc3, n=0)
rsi(source=close, n) stoch_k(n=14, smooth=3) stoch_d(n=14, smooth=3, d=3)
stochrsi(source=close, n=14, k=14) macd(source=close, fast=12, slow=26, signal=9)
macd_signal(source=close, fast=12, slow=26, signal=9)
macd_hist(source=close, fast=12, slow=26, signal=9) cci(source=hlc3, n) mfi(source=hlc3, n)
willr(n) roc(source=close, n)
mom(source=close, n) cmo(source=close, n) ultosc(short=7, middle=14, long=28)
tsi(source=close, slow=25, fast=13)
atr(n) natr(n) tr() bb_upper(source=close, n=20, k=2) bb_mid(source=close, n=20)
bb_lower(source=close, n=20, k=2) bb_width(source=close, n=20, k=2) bb_pct(source=close, n=20, k=2)
keltner_upper(n=20, k=2) keltner_lower(n=20, k=2) donchian_high(n=20) donchian_low(n=20)
stdev(source=close, n) zscore(source=close, n)
adx(n) plus_di(n) minus_di(n) aroon_up(n) aroon_down(n) psar(step=0.02, max=0.2)
supertrend(n, k) ichimoku_conversion(n=9) ichimoku_base(n=26) ichimoku_span_a() ichimoku_span_b()
obv() ad() adosc(fast=3, slow=10) cmf(n)
highest(source=high, n) lowest(source=low, n) change(source=close, n=1)
linreg_slope(source=close, n) correlation(instrument, n)
crosses_above(a, b) crosses_below(a, b) rising(x, n) falling(x, n) between(x, lo, hi)
bars_since(condition) count(condition, n) any(condition, n) all(condition, n)
doji() hammer() shooting_star() bullish_engulfing() bearish_engulfing() bullish_harami()
morning_star() evening_star() three_white_soldiers() three_black_crows()
pivot() pivot_r1() pivot_r2() pivot_r3() pivot_s1() pivot_s2() pivot_s3()
rank(x) percentile(x) zscore_across(x) share(condition)
abs(x) max(a, b) min(a, b) log(x) sqrt(x)
"""
# Parts of the definitions below; a rule cannot name them.
_PARTS = "_fast_k(n) _correlation(a, b, n) _day_average(x) _money_share(a, b, x, n)"


def _signature(parameters: str) -> dict[str, str | int | float | None]:
    """Return parameter → default: the name of a series, a number, or None if it has none."""
    read: dict[str, str | int | float | None] = {}
    for word in parameters.split(", ") if parameters else ():
        name, _, default = word.partition("=")
        if not default:
            read[name] = None
        elif default in SERIES:
            read[name] = default
        else:
            read[name] = float(default) if "." in default else int(default)
    return read


SIGNATURES = {
    name: _signature(parameters)
    for name, parameters in re.findall(r"(\w+)\((.*?)\)", f"{_SIGNATURES}{_PARTS}", re.S)
}


def _same(text: str) -> Callable[..., str]:
    return lambda *literals: text


def _hma(n: int) -> str:
    return f"wma(2 * wma(source, {max(n // 2, 1)}) - wma(source, {n}), {isqrt(n)})"


def _vwap(n: int) -> str:
    return "vwma(source, n)" if n else "_day_average(source)"


def _tsi(slow: int, fast: int) -> str:
    step = "change(source, 1)"
    up, total = (f"ema(ema({x}, {slow}), {fast})" for x in (step, f"abs({step})"))
    return f"100 * {up} / {total}"


def _lags(text: str, n: int) -> list[str]:
    return [f"({text})[{ago}]" for ago in range(n)]


def _steps(operator: str) -> Callable[[int], str]:
    return lambda n: " and ".join(_lags(f"x {operator} x[1]", n))


_MIDDLE = "(highest({0}) + lowest({0})) / 2".format
_MONEY = "((close - low) - (high - close)) / (high - low)"
_DAY = "(high(tf='1d') + low(tf='1d') + close(tf='1d')) / 3"

# Function → its definition, given its written-out numbers. Its parameters stand for themselves.
EXPANSIONS: dict[str, Callable[..., str]] = {
    "hma": _hma,
    "dema": _same("2 * ema(source, n) - ema(ema(source, n), n)"),
    "tema": _same(
        "3 * ema(source, n) - 3 * ema(ema(source, n), n) + ema(ema(ema(source, n), n), n)"
    ),
    "vwap": _vwap,
    "stoch_k": _same("sma(_fast_k(n), smooth)"),
    "stoch_d": _same("sma(stoch_k(n, smooth), d)"),
    "mfi": _same("_money_share(source, source[1], volume, n)"),
    "roc": _same("100 * (source / source[n] - 1)"),
    "change": _same("source - source[n]"),
    "mom": _same("source - source[n]"),
    "tsi": _tsi,
    "natr": _same("100 * atr(n) / close"),
    "bb_upper": _same("sma(source, n) + k * stdev(source, n)"),
    "bb_mid": _same("sma(source, n)"),
    "bb_lower": _same("sma(source, n) - k * stdev(source, n)"),
    "bb_width": _same("2 * k * stdev(source, n) / sma(source, n)"),
    "bb_pct": _same(
        "(source - bb_lower(source, n, k)) / (bb_upper(source, n, k) - bb_lower(source, n, k))"
    ),
    "keltner_upper": _same("ema(n) + k * atr(10)"),
    "keltner_lower": _same("ema(n) - k * atr(10)"),
    "donchian_high": _same("highest(n)"),
    "donchian_low": _same("lowest(n)"),
    "zscore": _same("(source - sma(source, n)) / stdev(source, n)"),
    "ichimoku_conversion": _MIDDLE,
    "ichimoku_base": _MIDDLE,
    "ichimoku_span_a": _same("((ichimoku_conversion(9) + ichimoku_base(26)) / 2)[26]"),
    "ichimoku_span_b": _same(f"({_MIDDLE(52)})[26]"),
    "correlation": _same("_correlation(close, of(instrument, close), n)"),
    "crosses_above": _same("a[1] <= b[1] and a > b"),
    "crosses_below": _same("a[1] >= b[1] and a < b"),
    "any": lambda n: " or ".join(_lags("condition", n)),
    "all": lambda n: " and ".join(_lags("condition", n)),
    "rising": _steps(">"),
    "falling": _steps("<"),
    "between": _same("x >= lo and x <= hi"),
    "pivot": _same(_DAY),
    "pivot_r1": _same("2 * pivot - low(tf='1d')"),
    "pivot_s1": _same("2 * pivot - high(tf='1d')"),
    "pivot_r2": _same("pivot + (high(tf='1d') - low(tf='1d'))"),
    "pivot_s2": _same("pivot - (high(tf='1d') - low(tf='1d'))"),
    "pivot_r3": _same("high(tf='1d') + 2 * (pivot - low(tf='1d'))"),
    "pivot_s3": _same("low(tf='1d') - 2 * (high(tf='1d') - pivot)"),
}
