"""Oscillators and momentum against TA-Lib, within 1e-9 relative."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import talib

from tests.unit.rules.talib_checks import (
    Bars,
    Case,
    Series,
    cases,
    check_after_gaps,
    check_lengths,
    check_recorded,
    needs_recorded,
    shifted,
)

# TA-Lib's number of the simple average, which its types do not export.
SIMPLE: Any = 0
# Of values of the order of 1 to 100 that pass through 0.
PERCENT = 1e-10
# Differences of averages of prices, in units of the price.
PRICE = 1e-13


def stoch(bars: Bars, n: int, smooth: int, d: int) -> tuple[Series, Series]:
    high, low, close = bars["high"], bars["low"], bars["close"]
    both: tuple[Series, Series] = talib.STOCH(high, low, close, n, smooth, SIMPLE, d, SIMPLE)
    return both


def macd(bars: Bars, fast: int, slow: int, signal: int, line: int) -> Series:
    lines: tuple[Series, ...] = talib.MACD(bars["close"], fast, slow, signal)
    return lines[line]


def hlc(bars: Bars) -> tuple[Series, Series, Series]:
    return bars["high"], bars["low"], bars["close"]


CASES = [
    *cases("rsi({})", lambda b, n: talib.RSI(b["close"], n), 2, 7, 14, 100),
    Case("rsi(hl2, 14)", lambda b: talib.RSI(talib.MEDPRICE(b["high"], b["low"]), 14)),
    Case("rsi(14)[1]", lambda b: shifted(talib.RSI(b["close"], 14), 1)),
    Case("rsi(sma(5), 14)", lambda b: talib.RSI(talib.SMA(b["close"], 5), 14)),
    *cases(
        "stoch_k({}, {})",
        lambda b, n, smooth: stoch(b, n, smooth, 1)[0],
        *((14, 3), (5, 1), (1, 1), (100, 50), (21, 14)),
        slack=PERCENT,
    ),
    *cases(
        "stoch_d({}, {}, {})",
        lambda b, n, smooth, d: stoch(b, n, smooth, d)[1],
        *((14, 3, 3), (5, 1, 1), (5, 3, 9), (100, 50, 7)),
        slack=PERCENT,
    ),
    Case("stoch_k()", lambda b: stoch(b, 14, 3, 1)[0], PERCENT),
    Case("stoch_d()", lambda b: stoch(b, 14, 3, 3)[1], PERCENT),
    *cases(
        "stochrsi({}, {})",
        lambda b, n, k: talib.STOCHRSI(b["close"], n, k, 1)[0],
        *((14, 14), (2, 2), (14, 20), (9, 200)),
        slack=1e-7,
    ),
    *(
        case
        for line, name in enumerate(("macd", "macd_signal", "macd_hist"))
        for case in cases(
            f"{name}({{}}, {{}}, {{}})",
            partial(macd, line=line),
            *((12, 26, 9), (5, 35, 5), (2, 3, 1), (26, 12, 9), (10, 10, 4), (3, 300, 150)),
            slack=PRICE,
            of_price=True,
        )
    ),
    Case("macd()", lambda b: macd(b, 12, 26, 9, 0), PRICE, True),
    Case("macd_signal()[3]", lambda b: shifted(macd(b, 12, 26, 9, 1), 3), PRICE, True),
    Case("macd_hist(volume, 3, 9, 4)", lambda b: talib.MACD(b["volume"], 3, 9, 4)[2], 1e-9),
    Case("ema(macd(), 5)", lambda b: talib.EMA(macd(b, 12, 26, 9, 0), 5), PRICE, True),
    *cases("cci({})", lambda b, n: talib.CCI(*hlc(b), n), 2, 14, 20, 300, slack=PERCENT),
    *cases("mfi({})", lambda b, n: talib.MFI(*hlc(b), b["volume"], n), 2, 14, 300, slack=PERCENT),
    *cases("willr({})", lambda b, n: talib.WILLR(*hlc(b), n), 2, 14, 300, slack=PERCENT),
    *cases("change({})", lambda b, n: talib.MOM(b["close"], n), 1, 24),
    *cases("mom({})", lambda b, n: talib.MOM(b["close"], n), 1, 10),
    *cases("roc({})", lambda b, n: talib.ROC(b["close"], n), 1, 24, slack=1e-11),
    *cases("cmo({})", lambda b, n: talib.CMO(b["close"], n), 2, 14, 100, slack=PERCENT),
    *cases(
        "ultosc({}, {}, {})",
        lambda b, *periods: talib.ULTOSC(*hlc(b), *periods),
        *((7, 14, 28), (28, 7, 14), (1, 2, 3), (5, 5, 300)),
    ),
    Case("ultosc()", lambda b: talib.ULTOSC(*hlc(b))),
    # At every bar, where it is the source of another function.
    Case("sma(rsi(14), 9)", lambda b: talib.SMA(talib.RSI(b["close"], 14), 9)),
    Case("ema(rsi(14), 9)", lambda b: talib.EMA(talib.RSI(b["close"], 14), 9)),
    Case("sma(stoch_k(14, 3), 3)", lambda b: stoch(b, 14, 3, 3)[1], PERCENT),
    Case("sma(stochrsi(), 3)", lambda b: talib.STOCHRSI(b["close"], 14, 14, 3)[1], 1e-7),
    Case("ema(mfi(14), 9)", lambda b: talib.EMA(talib.MFI(*hlc(b), b["volume"], 14), 9)),
    Case("sma(cci(20), 5)", lambda b: talib.SMA(talib.CCI(*hlc(b), 20), 5), PERCENT),
    Case("highest(ultosc(), 5)", lambda b: talib.MAX(talib.ULTOSC(*hlc(b)), 5)),
    Case("lowest(willr(14), 5)", lambda b: talib.MIN(talib.WILLR(*hlc(b), 14), 5), PERCENT),
]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])


@every_case
def test_oscillator_history_of_some_length_equals_talib(case: Case) -> None:
    check_lengths(case)


@every_case
def test_oscillator_after_a_gap_equals_talib_on_the_bars_since(case: Case) -> None:
    check_after_gaps(case)


@needs_recorded
@every_case
def test_oscillator_of_recorded_klines_equals_talib(case: Case) -> None:
    check_recorded(case)
