"""Values against TA-Lib, within 1e-9 relative, on full, short and broken histories."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from shared.market.window import Window
from tests.unit.rules.windows import random_columns, value_of, window_of

Series = NDArray[np.float64]
Oracle = Callable[[dict[str, Series]], Series]

CASES: list[tuple[str, Oracle]] = [
    *((f"sma({n})", lambda b, n=n: talib.SMA(b["close"], n)) for n in (1, 2, 20, 249, 250, 300)),
    *((f"ema({n})", lambda b, n=n: talib.EMA(b["close"], n)) for n in (1, 2, 9, 21, 200, 499)),
    *((f"rsi({n})", lambda b, n=n: talib.RSI(b["close"], n)) for n in (2, 7, 14, 100)),
    *((f"highest({n})", lambda b, n=n: talib.MAX(b["high"], n)) for n in (2, 20, 500)),
    *((f"lowest({n})", lambda b, n=n: talib.MIN(b["low"], n)) for n in (2, 20, 500)),
    *((f"change({n})", lambda b, n=n: talib.MOM(b["close"], n)) for n in (1, 24)),
    *((f"roc({n})", lambda b, n=n: talib.ROC(b["close"], n)) for n in (1, 24)),
    ("sma(volume, 20)", lambda b: talib.SMA(b["volume"], 20)),
    ("ema(quote_volume, 20)", lambda b: talib.EMA(b["quote_volume"], 20)),
    ("rsi(hl2, 14)", lambda b: talib.RSI(talib.MEDPRICE(b["high"], b["low"]), 14)),
    (
        "sma(hlc3, 10)",
        lambda b: talib.SMA(talib.TYPPRICE(b["high"], b["low"], b["close"]), 10),
    ),
    (
        "ema(ohlc4, 10)",
        lambda b: talib.EMA(talib.AVGPRICE(b["open"], b["high"], b["low"], b["close"]), 10),
    ),
    ("ema(ema(9), 21)", lambda b: talib.EMA(talib.EMA(b["close"], 9), 21)),
    ("sma(rsi(14), 9)", lambda b: talib.SMA(talib.RSI(b["close"], 14), 9)),
    ("ema(rsi(14), 9)", lambda b: talib.EMA(talib.RSI(b["close"], 14), 9)),
    ("rsi(sma(5), 14)", lambda b: talib.RSI(talib.SMA(b["close"], 5), 14)),
    ("highest(ema(9), 20)", lambda b: talib.MAX(talib.EMA(b["close"], 9), 20)),
    ("lowest(sma(volume, 5), 20)", lambda b: talib.MIN(talib.SMA(b["volume"], 5), 20)),
    ("sma(20)[3]", lambda b: shifted(talib.SMA(b["close"], 20), 3)),
    ("ema(20)[3]", lambda b: shifted(talib.EMA(b["close"], 20), 3)),
    ("rsi(14)[1]", lambda b: shifted(talib.RSI(b["close"], 14), 1)),
    ("sma(close[2], 20)", lambda b: talib.SMA(shifted(b["close"], 2), 20)),
]
NAMES = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume")


def shifted(values: Series, bars: int) -> Series:
    """Return the values that many bars later."""
    return np.concatenate([np.full(bars, np.nan), values[:-bars]])


def last_of(oracle: Oracle, columns: Series) -> float:
    """Return the oracle's last value on float64[8, bars] of one symbol; NaN if there is none."""
    bars = {name: np.ascontiguousarray(columns[i]) for i, name in enumerate(NAMES)}
    return float(oracle(bars)[-1])


@pytest.mark.parametrize(("expression", "oracle"), CASES, ids=[text for text, _ in CASES])
@pytest.mark.parametrize("history", [500, 503, 499, 250, 41, 25, 15, 14, 3])
def test_value_history_of_some_length_equals_talib(
    expression: str, oracle: Oracle, history: int
) -> None:
    columns = random_columns(history, history, 3)
    window = window_of(columns)
    for symbol in range(3):
        expected = last_of(oracle, columns[:, -500:, symbol])
        actual = value_of(expression, window, symbol)
        assert actual == pytest.approx(expected, rel=1e-9, abs=0, nan_ok=True)


def gapped_window() -> tuple[Window, list[int]]:
    """Return a window whose symbols each lack one bar, and where their history restarts."""
    columns = random_columns(5, 501, 4)
    restarts = [30, 250, 470, 497]
    for symbol, bar in enumerate(restarts):
        columns[:, bar - 1, symbol] = np.nan
    return window_of(columns), restarts


@pytest.mark.parametrize(("expression", "oracle"), CASES, ids=[text for text, _ in CASES])
def test_value_after_a_gap_equals_talib_on_the_bars_since(expression: str, oracle: Oracle) -> None:
    window, restarts = gapped_window()
    for symbol, bar in enumerate(restarts):
        expected = last_of(oracle, window.columns[:, bar:, symbol])
        actual = value_of(expression, window, symbol)
        assert actual == pytest.approx(expected, rel=1e-9, abs=0, nan_ok=True)


def test_rsi_flat_market_is_zero_as_talib() -> None:
    columns = np.ones((8, 60, 1))
    assert value_of("rsi(14)", window_of(columns)) == 0.0
    assert talib.RSI(np.ones(60), 14)[-1] == 0.0


@pytest.mark.parametrize(
    ("name", "oracle"),
    [("rsi", talib.RSI), ("highest", talib.MAX), ("lowest", talib.MIN)],
)
def test_period_of_one_is_refused_where_talib_refuses(
    name: str, oracle: Callable[[Series, int], Series]
) -> None:
    from shared.errors import InvalidRule
    from shared.rules import parse_rule

    with pytest.raises(Exception, match="Bad Parameter"):
        oracle(np.arange(9.0), 1)
    with pytest.raises(InvalidRule, match=f"{name}: n: expected a whole number from 2"):
        parse_rule(f"{name}(1) > 0")
