"""What TA-Lib has not, against plain loops; and every one of these functions on odd data."""

from __future__ import annotations

from collections.abc import Callable
from math import fsum, isqrt, sqrt

import msgspec
import numpy as np
import pytest
import talib

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import FUNCTIONS, build_plan, evaluate, parse_rule
from shared.rules.describe import text_of
from shared.rules.entries import (
    arithmetic,
    averages,
    momentum,
    oscillators,
    statistics,
    volatility,
)
from tests.unit.rules.talib_checks import (
    Bars,
    Case,
    Series,
    cases,
    check_after_gaps,
    check_lengths,
    check_recorded,
    needs_recorded,
)
from tests.unit.rules.test_registry import call_of
from tests.unit.rules.windows import one_symbol, random_columns, value_of, verdicts_of, window_of

HOUR_MS = 3_600_000
FAMILIES = (averages, momentum, oscillators, volatility, statistics, arithmetic)
UNKNOWN_VALUE = np.full(1, np.nan)
NAMES = [entry.name for family in FAMILIES for entry in family.ENTRIES]


def text_on_window(name: str, n: int) -> str:
    """Return a call of the function that names a symbol of the windows here."""
    return text_of(call_of(name, n)).replace("BTCUSDT", "S0USDT")


def last(values: Series, n: int) -> list[float]:
    """Return the last n, or nothing if there are fewer."""
    found: list[float] = values[-n:].tolist() if len(values) >= n else []
    return found


def plain_wma(values: list[float]) -> float:
    return fsum((i + 1) * x for i, x in enumerate(values)) / fsum(range(1, len(values) + 1))


def plain_hma(close: Series, n: int) -> Series:
    if len(close) < n + isqrt(n) - 1:
        return UNKNOWN_VALUE
    inner = []
    for end in range(len(close) - isqrt(n) + 1, len(close) + 1):
        values = close[:end].tolist()
        inner.append(2 * plain_wma(values[-max(n // 2, 1) :]) - plain_wma(values[-n:]))
    return np.array([plain_wma(inner)])


def plain_vwma(values: Series, volume: Series, n: int) -> Series:
    x, v = last(values, n), last(volume, n)
    products = fsum(a * b for a, b in zip(x, v, strict=True))
    return np.array([products / fsum(v)]) if x else UNKNOWN_VALUE


def plain_moments(values: Series, n: int) -> tuple[float, float]:
    """Return mean and population deviation of the last n."""
    x = last(values, n)
    if not x:
        return np.nan, np.nan
    mean = fsum(x) / n
    return mean, sqrt(fsum((a - mean) ** 2 for a in x) / n)


def plain_ema(values: list[float], n: int) -> list[float]:
    """Return the average from the n-th value on."""
    if len(values) < n:
        return []
    result = [fsum(values[:n]) / n]
    for x in values[n:]:
        result.append(result[-1] + 2 / (n + 1) * (x - result[-1]))
    return result


def plain_tsi(close: Series, slow: int, fast: int) -> Series:
    changes = np.diff(close).tolist()
    up = plain_ema(plain_ema(changes, slow), fast)
    size = plain_ema(plain_ema([abs(x) for x in changes], slow), fast)
    return np.array([100 * up[-1] / size[-1]]) if up and size[-1] else UNKNOWN_VALUE


def plain_keltner(bars: Bars, n: int, k: float) -> Series:
    middle = plain_ema(bars["close"].tolist(), n)
    atr = talib.ATR(bars["high"], bars["low"], bars["close"], 10)[-1]
    return np.array([middle[-1] + k * atr]) if middle else UNKNOWN_VALUE


def plain_band_place(close: Series, n: int, k: float) -> Series:
    mean, deviation = plain_moments(close, n)
    lower, upper = mean - k * deviation, mean + k * deviation
    return np.array([(close[-1] - lower) / (upper - lower)])


def plain_band_width(close: Series, n: int, k: float) -> Series:
    mean, deviation = plain_moments(close, n)
    return np.array([((mean + k * deviation) - (mean - k * deviation)) / mean])


def plain_zscore(close: Series, n: int) -> Series:
    mean, deviation = plain_moments(close, n)
    return np.array([(close[-1] - mean) / deviation])


def plain_extreme(values: Series, n: int, extreme: Callable[[list[float]], float]) -> Series:
    return np.array([extreme(last(values, n))]) if len(values) >= n else UNKNOWN_VALUE


def typical(bars: Bars) -> Series:
    return (bars["high"] + bars["low"] + bars["close"]) / 3


CASES = [
    *cases("hma({})", lambda b, n: plain_hma(b["close"], n), 1, 2, 9, 20, 100, 479),
    *cases("vwma({})", lambda b, n: plain_vwma(b["close"], b["volume"], n), 1, 20, 500),
    *cases("vwap({})", lambda b, n: plain_vwma(typical(b), b["volume"], n), 1, 20, 300),
    *cases("vwap(close, {})", lambda b, n: plain_vwma(b["close"], b["volume"], n), 20),
    *cases(
        "tsi({}, {})",
        lambda b, slow, fast: plain_tsi(b["close"], slow, fast),
        *((25, 13), (13, 25), (1, 1), (300, 150)),
        slack=1e-10,
    ),
    Case("tsi()", lambda b: plain_tsi(b["close"], 25, 13), 1e-10),
    *cases("keltner_upper({}, {})", plain_keltner, (20, 2), (5, 1.5)),
    Case("keltner_lower(20, 2)", lambda b: plain_keltner(b, 20, -2)),
    *cases("donchian_high({})", lambda b, n: plain_extreme(b["high"], n, max), 1, 20),
    *cases("donchian_low({})", lambda b, n: plain_extreme(b["low"], n, min), 1, 20),
    *cases("zscore({})", lambda b, n: plain_zscore(b["close"], n), 3, 20, 300, slack=1e-10),
    *cases(
        "bb_pct({}, {})",
        lambda b, n, k: plain_band_place(b["close"], n, k),
        *((20, 2), (50, 1.5)),
        slack=1e-10,
    ),
    Case("bb_width(20, 2)", lambda b: plain_band_width(b["close"], 20, 2)),
]
every_case = pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])


@every_case
def test_function_history_of_some_length_equals_a_plain_loop(case: Case) -> None:
    check_lengths(case)


@every_case
def test_function_after_a_gap_equals_a_plain_loop_on_the_bars_since(case: Case) -> None:
    check_after_gaps(case)


@needs_recorded
@every_case
def test_function_of_recorded_klines_equals_a_plain_loop(case: Case) -> None:
    check_recorded(case)


def test_bb_width_and_pct_are_made_of_the_bands() -> None:
    window = window_of(random_columns(4, 100, 1))
    upper, lower = value_of("bb_upper()", window), value_of("bb_lower()", window)
    middle, close = value_of("bb_mid()", window), value_of("close", window)
    assert value_of("bb_width()", window) == pytest.approx((upper - lower) / middle, rel=1e-9)
    place = (close - lower) / (upper - lower)
    assert value_of("bb_pct()", window) == pytest.approx(place, rel=1e-9)


def hourly(columns: Series, first_hour: int) -> Window:
    """Return a window of 1h bars that begins at that hour of a day."""
    return msgspec.structs.replace(
        window_of(columns),
        interval=Interval.H1,
        open_times_ms=(first_hour + np.arange(columns.shape[1], dtype=np.int64)) * HOUR_MS,
    )


@pytest.mark.parametrize("first_hour", [0, 5, 23])
@pytest.mark.parametrize("bars", [1, 2, 20, 49, 500])
def test_vwap_of_the_day_begins_at_midnight_utc(first_hour: int, bars: int) -> None:
    columns = random_columns(bars, bars, 3)
    window = hourly(columns, first_hour)
    today = min((first_hour + bars - 1) % 24 + 1, bars)
    for symbol in range(3):
        mean_price = columns[1:4, -today:, symbol].mean(axis=0)
        expected = np.average(mean_price, weights=columns[4, -today:, symbol])
        assert value_of("vwap()", window, symbol) == pytest.approx(expected, rel=1e-9)
        before = value_of("vwap()[1]", window, symbol)
        assert np.isnan(before) == (bars == 1)


def test_vwap_of_the_day_after_a_gap_begins_behind_it() -> None:
    columns = random_columns(8, 40, 2)
    columns[:, 33, 1] = np.nan  # the day began at bar 24
    window = hourly(columns, 0)
    expected = np.average(columns[1:4, 34:, 1].mean(axis=0), weights=columns[4, 34:, 1])
    assert value_of("vwap()", window, 1) == pytest.approx(expected, rel=1e-9)


def test_vwap_without_volume_is_unknown() -> None:
    columns = random_columns(8, 40, 1)
    columns[4:] = 0.0
    for text in ("vwap()", "vwap(5)", "vwma(5)"):
        assert np.isnan(value_of(text, hourly(columns, 0)))
    reason = verdicts_of("vwma(5) > 0", hourly(columns, 0)).unknown_reason(0, 0)
    assert reason == "division by zero"


def test_roots_and_logarithms_are_unknown_where_there_are_none() -> None:
    window = one_symbol(close=np.array([0.0, -1.0, 4.0]))
    assert value_of("sqrt(close)[2]", window) == 0.0
    assert np.isnan(value_of("sqrt(close)[1]", window))
    assert value_of("sqrt(close)", window) == 2.0
    assert np.isnan(value_of("log(close)[2]", window))
    assert np.isnan(value_of("log(close)[1]", window))


# On a market that does not move. What is not listed is a ratio of nothing: unknown.
AVERAGES = ("sma", "ema", "rma", "wma", "hma", "dema", "tema", "kama", "vwma")
LEVELS = "highest lowest bb_upper bb_mid bb_lower keltner_upper keltner_lower vwap abs max min"
MOVES = "change roc mom macd macd_signal macd_hist rsi stoch_k stoch_d stochrsi cci mfi willr cmo"
FLAT_AT_7 = {
    **dict.fromkeys([*AVERAGES, *LEVELS.split(), "donchian_high", "donchian_low"], 7.0),
    **dict.fromkeys([*MOVES.split(), "ultosc", "tr", "atr", "natr", "stdev", "bb_width"], 0.0),
    "linreg_slope": 0.0,
    "log": float(np.log(7.0)),
    "sqrt": sqrt(7.0),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bars", [500, 90])
def test_flat_market_gives_exactly_what_is_due(name: str, bars: int) -> None:
    window = one_symbol(**{name: np.full(bars, 7.0) for name in ("open", "high", "low", "close")})
    actual = value_of(text_on_window(name, 5), window)
    if name in FLAT_AT_7:
        assert actual == float(f"{FLAT_AT_7[name]:.12g}")
    else:
        assert np.isnan(actual), "division by zero"


@pytest.mark.parametrize("price", [0.1, 1e-8, 123_456.7])
def test_flat_price_equals_its_averages_exactly(price: float) -> None:
    window = one_symbol(**{name: np.full(500, price) for name in ("open", "high", "low", "close")})
    for name in AVERAGES:
        for n in (1, 3, 20, 100):
            assert verdicts_of(f"close == {name}({n})", window).state(0)[0] == 1, (name, n)


def edge_markets() -> dict[str, Series]:
    """Return what a venue should never send, and what markets do now and then."""
    usual = random_columns(6, 500, 4)
    zeros, huge, tiny, jumps = (usual.copy() for _ in range(4))
    zeros[:, 250:] = 0.0
    huge[:4] = huge[:4] / huge[:4].max() * 1e308
    tiny[:4] = tiny[:4] / tiny[:4].max() * 1e-300
    jumps[:4, ::2] *= 1e9
    holes = usual.copy()
    holes[:, 100, 0] = np.nan
    holes[3, -1, 1] = np.inf
    holes[4, 480, 2] = -np.inf
    holes[:, :, 3] = np.nan
    negative = -usual
    return {
        "zeros": zeros,
        "huge": huge,
        "tiny": tiny,
        "jumps": jumps,
        "holes": holes,
        "negative": negative,
        "nothing": np.full((8, 500, 4), np.nan),
        "empty": np.empty((8, 0, 4)),
    }


@pytest.mark.parametrize("market", list(edge_markets()))
def test_edge_data_gives_numbers_or_unknown_without_a_warning(market: str) -> None:
    window = window_of(edge_markets()[market])
    rules = [
        parse_rule(text if entry.gives == "condition" else f"{text} > 0")
        for name in NAMES
        for n in (3, 20)
        for entry, text in [(FUNCTIONS[name], text_on_window(name, n))]
    ]
    # As the source of another function, too: at every bar.
    rules += [
        parse_rule(f"sma({text_on_window(name, 4)}, 3) > 0")
        for name in NAMES
        if name != "correlation"
    ]
    verdicts = evaluate(build_plan(rules), window)
    for place, rule in enumerate(rules):
        for symbol in range(4):
            for value in verdicts.values(place, symbol).values():
                assert np.isfinite(value) or np.isnan(value), rule.text
