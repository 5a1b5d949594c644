"""Averages and extremes against TA-Lib, within 1e-9 relative."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import talib

from shared.errors import InvalidRule
from shared.rules import parse_rule
from tests.unit.rules.talib_checks import (
    Case,
    Series,
    cases,
    check_after_gaps,
    check_lengths,
    check_recorded,
    needs_recorded,
    shifted,
)

CASES = [
    *cases("sma({})", lambda b, n: talib.SMA(b["close"], n), 1, 2, 20, 249, 250, 300),
    *cases("ema({})", lambda b, n: talib.EMA(b["close"], n), 1, 2, 9, 21, 200, 499),
    *cases("wma({})", lambda b, n: talib.WMA(b["close"], n), 1, 2, 10, 30, 300, 500),
    *cases("dema({})", lambda b, n: talib.DEMA(b["close"], n), 1, 2, 20, 100, 250),
    *cases("tema({})", lambda b, n: talib.TEMA(b["close"], n), 1, 2, 20, 100, 167),
    *cases("kama({})", lambda b, n: talib.KAMA(b["close"], n), 1, 2, 10, 100, 499),
    *cases("highest({})", lambda b, n: talib.MAX(b["high"], n), 2, 20, 500),
    *cases("lowest({})", lambda b, n: talib.MIN(b["low"], n), 2, 20, 500),
    Case("sma(volume, 20)", lambda b: talib.SMA(b["volume"], 20)),
    Case("ema(quote_volume, 20)", lambda b: talib.EMA(b["quote_volume"], 20)),
    Case("tema(volume, 5)", lambda b: talib.TEMA(b["volume"], 5), 1e-9),
    Case(
        "sma(hlc3, 10)",
        lambda b: talib.SMA(talib.TYPPRICE(b["high"], b["low"], b["close"]), 10),
    ),
    Case(
        "ema(ohlc4, 10)",
        lambda b: talib.EMA(talib.AVGPRICE(b["open"], b["high"], b["low"], b["close"]), 10),
    ),
    Case("dema(hl2, 10)", lambda b: talib.DEMA(talib.MEDPRICE(b["high"], b["low"]), 10)),
    Case("ema(ema(9), 21)", lambda b: talib.EMA(talib.EMA(b["close"], 9), 21)),
    Case("highest(ema(9), 20)", lambda b: talib.MAX(talib.EMA(b["close"], 9), 20)),
    Case("lowest(sma(volume, 5), 20)", lambda b: talib.MIN(talib.SMA(b["volume"], 5), 20)),
    Case("sma(wma(5), 20)", lambda b: talib.SMA(talib.WMA(b["close"], 5), 20)),
    Case("ema(dema(5), 20)", lambda b: talib.EMA(talib.DEMA(b["close"], 5), 20)),
    Case("wma(tema(5), 20)", lambda b: talib.WMA(talib.TEMA(b["close"], 5), 20)),
    Case("dema(kama(5), 20)", lambda b: talib.DEMA(talib.KAMA(b["close"], 5), 20)),
    Case("kama(sma(5), 20)", lambda b: talib.KAMA(talib.SMA(b["close"], 5), 20)),
    Case("sma(20)[3]", lambda b: shifted(talib.SMA(b["close"], 20), 3)),
    Case("ema(20)[3]", lambda b: shifted(talib.EMA(b["close"], 20), 3)),
    Case("tema(20)[3]", lambda b: shifted(talib.TEMA(b["close"], 20), 3)),
    Case("kama(20)[3]", lambda b: shifted(talib.KAMA(b["close"], 20), 3)),
    Case("sma(close[2], 20)", lambda b: talib.SMA(shifted(b["close"], 2), 20)),
]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])


@every_case
def test_average_history_of_some_length_equals_talib(case: Case) -> None:
    check_lengths(case)


@every_case
def test_average_after_a_gap_equals_talib_on_the_bars_since(case: Case) -> None:
    check_after_gaps(case)


@needs_recorded
@every_case
def test_average_of_recorded_klines_equals_talib(case: Case) -> None:
    check_recorded(case)


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("rsi", talib.RSI),
        ("cmo", talib.CMO),
        ("highest", talib.MAX),
        ("lowest", talib.MIN),
        ("stdev", talib.STDDEV),
        ("bb_upper", talib.BBANDS),
        ("linreg_slope", talib.LINEARREG_SLOPE),
        ("stochrsi", talib.STOCHRSI),
    ],
)
def test_period_of_one_is_refused_where_talib_refuses(
    name: str, oracle: Callable[[Series, int], Series]
) -> None:
    with pytest.raises(Exception, match="Bad Parameter"):
        oracle(np.arange(9.0), 1)
    with pytest.raises(InvalidRule, match=f"{name}: n: expected a whole number from 2"):
        parse_rule(f"{name}(1) > 0")


@pytest.mark.parametrize("name", ["cci", "mfi", "willr"])
def test_period_of_one_of_a_range_is_refused_as_by_talib(name: str) -> None:
    bars = [np.arange(1.0, 9.0)] * (4 if name == "mfi" else 3)
    with pytest.raises(Exception, match="Bad Parameter"):
        getattr(talib, name.upper())(*bars, 1)
    with pytest.raises(InvalidRule, match=f"{name}: n: expected a whole number from 2"):
        parse_rule(f"{name}(1) > 0")
