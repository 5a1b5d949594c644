"""Volatility and statistics against TA-Lib, within 1e-9 relative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import talib

from tests.unit.rules.talib_checks import (
    RECORDED_BARS,
    RECORDINGS,
    Bars,
    Case,
    Series,
    cases,
    check_after_gaps,
    check_lengths,
    check_recorded,
    needs_recorded,
    recorded_columns,
    shifted,
)
from tests.unit.rules.windows import random_columns, value_of, window_of

# TA-Lib's number of the simple average, which its types do not export.
SIMPLE: Any = 0


def hlc(bars: Bars) -> tuple[Series, Series, Series]:
    return bars["high"], bars["low"], bars["close"]


def band(bars: Bars, line: int, n: int, k: float) -> Series:
    lines: tuple[Series, ...] = talib.BBANDS(bars["close"], n, k, k, SIMPLE)
    return lines[line]


CASES = [
    Case("tr()", lambda b: talib.TRANGE(*hlc(b))),
    Case("tr()[2]", lambda b: shifted(talib.TRANGE(*hlc(b)), 2)),
    Case("sma(tr(), 5)", lambda b: talib.SMA(talib.TRANGE(*hlc(b)), 5)),
    *cases("atr({})", lambda b, n: talib.ATR(*hlc(b), n), 1, 2, 14, 100),
    *cases("natr({})", lambda b, n: talib.NATR(*hlc(b), n), 2, 14, 100),
    Case("ema(atr(14), 5)", lambda b: talib.EMA(talib.ATR(*hlc(b), 14), 5)),
    *cases("stdev({})", lambda b, n: talib.STDDEV(b["close"], n), 2, 20, 300),
    Case("stdev(volume, 20)", lambda b: talib.STDDEV(b["volume"], 20)),
    Case("ema(stdev(20), 5)", lambda b: talib.EMA(talib.STDDEV(b["close"], 20), 5)),
    *cases("bb_upper({}, {})", lambda b, n, k: band(b, 0, n, k), (20, 2), (2, 0.5), (50, 2.5)),
    *cases("bb_lower({}, {})", lambda b, n, k: band(b, 2, n, k), (20, 2), (2, 0.5), (50, 2.5)),
    Case("bb_mid(20)", lambda b: band(b, 1, 20, 2.0)),
    Case("bb_upper()", lambda b: band(b, 0, 20, 2.0)),
    *cases(
        "linreg_slope({})",
        lambda b, n: talib.LINEARREG_SLOPE(b["close"], n),
        *(2, 14, 50, 500),
        slack=1e-13,
        of_price=True,
    ),
    Case(
        "sma(linreg_slope(14), 5)",
        lambda b: talib.SMA(talib.LINEARREG_SLOPE(b["close"], 14), 5),
        1e-13,
        True,
    ),
    Case("log(close)", lambda b: np.log(b["close"]), 1e-12),
    Case("sqrt(close)", lambda b: np.sqrt(b["close"])),
    Case("sma(log(close / close[1]), 5)", lambda b: talib.SMA(returns(b), 5), 1e-13),
]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])


def returns(bars: Bars) -> Series:
    result: Series = np.log(bars["close"] / shifted(bars["close"], 1))
    return result


@every_case
def test_volatility_history_of_some_length_equals_talib(case: Case) -> None:
    check_lengths(case)


@every_case
def test_volatility_after_a_gap_equals_talib_on_the_bars_since(case: Case) -> None:
    check_after_gaps(case)


@needs_recorded
@every_case
def test_volatility_of_recorded_klines_equals_talib(case: Case) -> None:
    check_recorded(case)


def test_natr_of_one_bar_is_in_percent_where_talib_forgets_to_divide() -> None:
    columns = random_columns(3, 30, 1)
    high, low, close = columns[1:4, :, 0]
    actual = value_of("natr(1)", window_of(columns))
    expected = 100.0 * talib.TRANGE(high, low, close)[-1] / close[-1]
    assert actual == pytest.approx(expected, rel=1e-9)
    assert talib.NATR(high, low, close, 1)[-1] == talib.TRANGE(high, low, close)[-1]


@pytest.mark.parametrize("n", [2, 3, 20, 300])
@pytest.mark.parametrize("history", [500, 300, 20, 3])
def test_correlation_of_closes_equals_talib(n: int, history: int) -> None:
    columns = random_columns(history, history, 4)
    window = window_of(columns)
    close = columns[3]
    for symbol in range(4):
        expected = talib.CORREL(close[:, symbol].copy(), close[:, 1].copy(), n)[-1]
        actual = value_of(f'correlation("S1USDT", {n})', window, symbol)
        assert actual == pytest.approx(expected, abs=1e-9, nan_ok=True)


@needs_recorded
@pytest.mark.parametrize("pattern", RECORDINGS)
def test_correlation_of_recorded_closes_equals_talib(pattern: str) -> None:
    columns = recorded_columns(pattern)
    close = columns[3]
    for n in (20, 100, RECORDED_BARS):
        for symbol in range(columns.shape[2]):
            expected = talib.CORREL(close[:, symbol].copy(), close[:, 2].copy(), n)[-1]
            actual = value_of(f'correlation("S2USDT", {n})', window_of(columns), symbol)
            assert actual == pytest.approx(expected, abs=1e-9)
