"""Trend and the lines that follow it: against TA-Lib where it has them, else plain loops."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import talib

from shared.errors import InvalidRule
from shared.rules import UNKNOWN, compiled, parse_rule
from shared.rules import bars as rule_bars
from shared.rules.entries import lines, trend
from shared.rules.kernels import Floats
from shared.rules.running import run_steps
from shared.rules.series import SeriesSteps
from shared.rules.tables import Tables
from shared.rules.tree import Call
from tests.unit.rules.talib_checks import (
    RECORDINGS,
    Bars,
    Case,
    Oracle,
    Series,
    check_after_gaps,
    check_lengths,
    check_recorded,
    needs_recorded,
    recorded_columns,
    shifted,
)
from tests.unit.rules.windows import (
    bits_equal,
    one_symbol,
    random_columns,
    value_of,
    verdicts_of,
    window_of,
)


def hlc(bars: Bars) -> tuple[Series, Series, Series]:
    return bars["high"], bars["low"], bars["close"]


def plain_supertrend(bars: Bars, n: int, k: float) -> Series:
    """Return the band in force at every bar, from the definition."""
    high, low, close = (series.tolist() for series in hlc(bars))
    atr = talib.ATR(*hlc(bars), n) if n > 1 else talib.TRANGE(*hlc(bars))
    found = [float("nan")] * len(close)
    upper = lower = 0.0
    rises = True
    for i in range(n, len(close)):
        middle = (high[i] + low[i]) / 2
        upper_now, lower_now = middle + k * atr[i], middle - k * atr[i]
        if i == n:
            upper, lower = upper_now, lower_now
        else:
            if upper_now < upper or close[i - 1] > upper:
                upper = upper_now
            if lower_now > lower or close[i - 1] < lower:
                lower = lower_now
            rises = close[i] >= lower if rises else close[i] > upper
        found[i] = lower if rises else upper
    return np.array(found)


def plain_middle(bars: Bars, n: int) -> Series:
    """Return the middle of the range of n bars, at every bar."""
    found = np.full(len(bars["high"]), np.nan)
    for end in range(n, len(found) + 1):
        found[end - 1] = (bars["high"][end - n : end].max() + bars["low"][end - n : end].min()) / 2
    return found


def plain_span(values: Series) -> Series:
    return shifted(values, 26) if len(values) > 26 else np.full(len(values), np.nan)


def of_hlc(oracle: Callable[..., Series], *arguments: float) -> Oracle:
    """Return an oracle that reads high, low and close."""
    return lambda bars: oracle(*hlc(bars), *arguments)


def of_bars(oracle: Callable[..., Series], *arguments: float) -> Oracle:
    return lambda bars: oracle(bars, *arguments)


def aroon(bars: Bars, n: int, place: int) -> Series:
    found: Series = talib.AROON(bars["high"], bars["low"], n)[place]
    return found


def sar(bars: Bars, step: float, most: float) -> Series:
    return talib.SAR(bars["high"], bars["low"], step, most)


PSARS = ((0.02, 0.2), (0.05, 0.1), (0.3, 0.2), (0.001, 0.01), (2.0, 3.0))
SUPERTRENDS = ((10, 3.0), (7, 1.5), (1, 0.5), (100, 0.1), (3, 5.0))
CASES = [
    *(Case(f"adx({n})", of_hlc(talib.ADX, n)) for n in (2, 3, 14, 100, 250)),
    *(Case(f"plus_di({n})", of_hlc(talib.PLUS_DI, n)) for n in (1, 2, 14, 499)),
    *(Case(f"minus_di({n})", of_hlc(talib.MINUS_DI, n)) for n in (1, 2, 14, 499)),
    *(Case(f"aroon_up({n})", of_bars(aroon, n, 1)) for n in (2, 14, 25, 499)),
    *(Case(f"aroon_down({n})", of_bars(aroon, n, 0)) for n in (2, 14, 25, 499)),
    *(Case(f"psar({step}, {most})", of_bars(sar, step, most)) for step, most in PSARS),
    Case("adx()", of_hlc(talib.ADX, 14)),
    Case("plus_di()", of_hlc(talib.PLUS_DI, 14)),
    Case("minus_di()", of_hlc(talib.MINUS_DI, 14)),
    Case("aroon_up()", of_bars(aroon, 14, 1)),
    Case("aroon_down()", of_bars(aroon, 14, 0)),
    Case("psar()", of_bars(sar, 0.02, 0.2)),
    Case("adx(14)[3]", lambda b: shifted(talib.ADX(*hlc(b), 14), 3)),
    Case("ema(adx(14), 9)", lambda b: talib.EMA(talib.ADX(*hlc(b), 14), 9)),
    *(Case(f"supertrend({n}, {k})", of_bars(plain_supertrend, n, k)) for n, k in SUPERTRENDS),
    Case("supertrend()", of_bars(plain_supertrend, 10, 3)),
    Case("ichimoku_conversion()", of_bars(plain_middle, 9)),
    Case("ichimoku_base()", of_bars(plain_middle, 26)),
    Case("ichimoku_base(1)", of_bars(plain_middle, 1)),
    Case(
        "ichimoku_span_a",
        lambda b: plain_span((plain_middle(b, 9) + plain_middle(b, 26)) / 2),
    ),
    Case("ichimoku_span_b", lambda b: plain_span(plain_middle(b, 52))),
]
IDS = [case.text for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_value_history_of_some_length_equals_the_oracle(case: Case) -> None:
    check_lengths(case)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_value_after_a_gap_equals_the_oracle_on_the_bars_since(case: Case) -> None:
    check_after_gaps(case)


@needs_recorded
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_value_recorded_klines_equals_the_oracle(case: Case) -> None:
    check_recorded(case)


def whole_series(name: str, columns: Floats) -> Floats:
    """Return a function at every bar of float64[8, bars, s]."""
    _, high, low, close = columns[:4]
    with np.errstate(all="ignore"):
        match name:
            case "adx" | "plus_di":
                steps = SeriesSteps(Tables())
                place = steps.add(Call(name, (14,)))
                bars = rule_bars.Bars(
                    columns=columns, open_times_ms=np.arange(columns.shape[1]), cut=False
                )
                return run_steps(steps.steps(0), bars)[place][:, : columns.shape[2]]
            case "psar":
                line: Floats
                [line] = compiled.parabolic(high, low, [0.02], [0.2], len(high))
                return line
        atr = np.abs(close) * 0.01
        [line] = compiled.supertrend((high + low) / 2, close, [atr], [1.5], len(close))
        return line


def oracle_series(name: str, bars: Bars) -> Series:
    match name:
        case "adx":
            return talib.ADX(*hlc(bars), 14)
        case "plus_di":
            return talib.PLUS_DI(*hlc(bars), 14)
    return talib.SAR(bars["high"], bars["low"], 0.02, 0.2)


@needs_recorded
@pytest.mark.parametrize("name", ["adx", "plus_di", "psar"])
@pytest.mark.parametrize("recording", RECORDINGS)
def test_whole_series_recorded_klines_equals_talib_at_every_bar(name: str, recording: str) -> None:
    columns = recorded_columns(recording)
    found = whole_series(name, columns)
    for symbol in range(columns.shape[2]):
        _, high, low, close = np.ascontiguousarray(columns[:4, :, symbol])
        expected = oracle_series(name, {"high": high, "low": low, "close": close})
        np.testing.assert_allclose(found[:, symbol], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["adx", "plus_di", "psar", "supertrend"])
def test_whole_series_begins_anew_after_every_unknown_bar_of_its_symbol(name: str) -> None:
    columns = random_columns(8, 200, 6)
    unknown = [[], [0], [60], [0, 1, 2, 90, 91], [199], [20, 22, 25, 140]]
    for symbol, bars in enumerate(unknown):
        columns[1:4, bars, symbol] = np.nan
        columns[1, bars[:1], symbol] = np.inf
    found = whole_series(name, columns)
    for symbol, bars in enumerate(unknown):
        assert bits_equal(whole_series(name, columns[..., [symbol]])[:, 0], found[:, symbol])
        if name == "psar":  # it does not read the close
            bars = bars[:1]
        assert np.isnan(found[bars, symbol]).all()
        for before, end in pairwise([-1, *bars, 200]):
            if end > before + 1:
                alone = whole_series(name, columns[:, before + 1 : end, [symbol]])
                assert bits_equal(alone, found[before + 1 : end, [symbol]])


DIRECTIONAL = {"adx": talib.ADX, "plus_di": talib.PLUS_DI, "minus_di": talib.MINUS_DI}


def quiet(seed: int, move_bars: int, quiet_bars: int) -> Bars:
    """Return a market that moves and then stands still."""
    columns = random_columns(seed, move_bars + quiet_bars, 1)[:4, :, 0] * 1e-4
    columns[:, move_bars:] = columns[3, move_bars - 1]
    return dict(zip(("open", "high", "low", "close"), columns, strict=True))


@pytest.mark.parametrize("n", [2, 5, 14])
def test_directional_market_that_stands_still_equals_talib(n: int) -> None:
    # What is left of the movement fades, and its parts with it.
    bars = quiet(3, 100, 400)
    window = one_symbol(**bars)
    for name, oracle in (
        ("adx", talib.ADX),
        ("plus_di", talib.PLUS_DI),
        ("minus_di", talib.MINUS_DI),
    ):
        expected = oracle(*hlc(bars), n)[-1]
        assert value_of(f"{name}({n})", window) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_directional_flat_market_is_zero_as_talib() -> None:
    flat = np.ones(60)
    for name, oracle in (
        ("adx", talib.ADX),
        ("plus_di", talib.PLUS_DI),
        ("minus_di", talib.MINUS_DI),
    ):
        assert value_of(f"{name}(14)", one_symbol(high=flat)) == 0.0
        assert oracle(flat, flat, flat, 14)[-1] == 0.0


def test_aroon_equal_highs_the_latest_counts() -> None:
    high = np.array([1.0, 5.0, 2.0, 5.0, 3.0, 4.0])
    assert value_of("aroon_up(5)", one_symbol(high=high)) == 60.0
    assert talib.AROON(high, high, 5)[1][-1] == 60.0


def test_psar_flat_market_is_the_price_as_talib() -> None:
    flat = np.full(40, 7.0)
    assert value_of("psar()", one_symbol(high=flat, low=flat)) == 7.0
    assert talib.SAR(flat, flat)[-1] == 7.0


def test_supertrend_close_below_the_band_turns_it_and_a_close_on_it_does_not() -> None:
    close = np.array([10.0, 10.0, 10.0, 9.0, 8.0, 7.5])
    window = one_symbol(high=close + 0.5, low=close - 0.5, close=close)
    lower, upper = plain_supertrend(
        {"high": close + 0.5, "low": close - 0.5, "close": close}, 1, 1
    )[[2, 5]]
    assert (value_of("supertrend(1, 1)[3]", window), value_of("supertrend(1, 1)", window)) == (
        lower,
        upper,
    )
    assert lower < 10.0 and upper > 7.5
    on_it = one_symbol(
        high=np.array([11.0, 11.0, 9.0]),
        low=np.array([9.0, 9.0, 8.0]),
        close=np.array([10.0, 10.0, 8.0]),
    )
    assert value_of("supertrend(1, 1)", on_it) == 8.0


def test_ichimoku_span_is_that_of_26_bars_before() -> None:
    window = window_of(random_columns(4, 120, 2))
    for symbol in range(2):
        both = [
            value_of(f"ichimoku_{line}[26]", window, symbol) for line in ("conversion()", "base()")
        ]
        assert value_of("ichimoku_span_a()", window, symbol) == pytest.approx(sum(both) / 2)


@pytest.mark.parametrize(
    ("name", "least"), [("adx", 2), ("aroon_up", 2), ("aroon_down", 2), ("plus_di", 1)]
)
def test_period_of_one_is_refused_where_talib_refuses(name: str, least: int) -> None:
    if least == 1:
        parse_rule(f"{name}(1) > 0")
        return
    with pytest.raises(InvalidRule, match=f"{name}: n: expected a whole number from {least}"):
        parse_rule(f"{name}(1) > 0")


EDGES = {
    "constant": np.full((8, 120, 2), 3.0),
    "zeros": np.zeros((8, 120, 2)),
    "nan": np.full((8, 120, 2), np.nan),
    "infinite": np.full((8, 120, 2), np.inf),
    "one bar": random_columns(1, 1, 2),
    "huge": random_columns(1, 120, 2) * 1e300,
    "tiny": random_columns(1, 120, 2) * 1e-300,
}


@pytest.mark.parametrize("edge", list(EDGES))
@pytest.mark.parametrize("name", [e.name for m in (trend, lines) for e in m.ENTRIES])
def test_edge_data_gives_a_finite_value_or_unknown_with_a_reason(name: str, edge: str) -> None:
    verdicts = verdicts_of(f"{name}() > 0", window_of(EDGES[edge]))
    for symbol in range(2):
        unknown = verdicts.state(0)[symbol] == UNKNOWN
        assert (verdicts.unknown_reason(0, symbol) is not None) == unknown
        assert unknown == (not verdicts.values(0, symbol))
    if edge in ("constant", "zeros"):
        assert not (verdicts.state(0) == UNKNOWN).any()
