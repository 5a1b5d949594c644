"""Volume: against TA-Lib where it has them, else against a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import fsum

import numpy as np
import pytest
import talib

from shared.errors import InvalidRule
from shared.rules import UNKNOWN, compiled, parse_rule
from shared.rules.entries import volume
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


def hlcv(bars: Bars) -> tuple[Series, Series, Series, Series]:
    return bars["high"], bars["low"], bars["close"], bars["volume"]


def plain_cmf(bars: Bars, n: int) -> Series:
    """Return the money flow of the last n bars, from the definition."""
    rows = list(zip(*(series.tolist()[-n:] for series in hlcv(bars)), strict=True))
    if len(rows) < n:
        return np.full(1, np.nan)
    flow = [((c - low) - (h - c)) / (h - low) * v if h > low else 0.0 for h, low, c, v in rows]
    return np.array([fsum(flow) / fsum(v for *_, v in rows)])


def adosc(bars: Bars, fast: int, slow: int) -> Series:
    return talib.ADOSC(*hlcv(bars), fast, slow)


def of(oracle: Callable[..., Series], *arguments: int) -> Oracle:
    return lambda bars: oracle(bars, *arguments)


# Values that pass through 0 are allowed so much.
CASES = [
    Case("obv()", lambda b: talib.OBV(b["close"], b["volume"]), 1e-9),
    Case("ad()", lambda b: talib.AD(*hlcv(b)), 1e-9),
    Case("change(obv(), 20)", lambda b: talib.MOM(talib.OBV(b["close"], b["volume"]), 20), 1e-9),
    Case("obv()[7]", lambda b: shifted(talib.OBV(b["close"], b["volume"]), 7), 1e-9),
    Case("sma(ad(), 5)", lambda b: talib.SMA(talib.AD(*hlcv(b)), 5), 1e-9),
    *(
        Case(f"adosc({fast}, {slow})", of(adosc, fast, slow), 1e-9)
        for fast, slow in ((3, 10), (10, 3), (2, 2), (12, 499))
    ),
    Case("adosc()", of(adosc, 3, 10), 1e-9),
    *(Case(f"cmf({n})", of(plain_cmf, n), 1e-12) for n in (1, 20, 500)),
    Case("cmf()", of(plain_cmf, 20), 1e-12),
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


@needs_recorded
@pytest.mark.parametrize("recording", RECORDINGS)
def test_obv_and_ad_recorded_klines_equal_talib_at_every_bar(recording: str) -> None:
    columns = recorded_columns(recording)
    high, low, close, traded = columns[1:5]
    with np.errstate(all="ignore"):
        flow = volume.money_flow_volume(high, low, close, traded)
        last = len(close)
        [found_obv], [found_ad] = compiled.balance(close, traded, last), compiled.sums(flow, last)
    for symbol in range(columns.shape[2]):
        h, low_, c, v = (np.ascontiguousarray(series[:, symbol]) for series in columns[1:5])
        for ours, expected in zip(
            (found_obv, found_ad), (talib.OBV(c, v), talib.AD(h, low_, c, v)), strict=True
        ):
            slack = 1e-12 * float(np.abs(expected).max())
            np.testing.assert_allclose(ours[:, symbol], expected, rtol=1e-9, atol=slack)


@pytest.mark.parametrize("name", ["balance", "sums", "oscillator"])
def test_whole_series_begins_anew_after_every_unknown_bar_of_its_symbol(name: str) -> None:
    _, _, _, close, traded, *_ = random_columns(8, 120, 4)
    unknown = [[], [0], [30, 31, 90], [119]]
    for symbol, bars in enumerate(unknown):
        traded[bars, symbol] = np.nan

    def made(bars: slice, symbols: list[int]) -> Series:
        prices, volumes = close[bars][:, symbols], traded[bars][:, symbols]
        match name:
            case "balance":
                found = compiled.balance(prices, volumes, len(prices))
            case "sums":
                found = compiled.sums(volumes, len(prices))
            case _:
                found = compiled.oscillator(volumes, [3], [10], len(prices))
        series: Series = found[0]
        return series

    found = made(slice(0, 120), [0, 1, 2, 3])
    for symbol, bars in enumerate(unknown):
        assert np.isnan(found[bars, symbol]).all()
        for before, end in pairwise([-1, *bars, 120]):
            if end > before + 1:
                alone = made(slice(before + 1, end), [symbol])
                assert bits_equal(alone, found[before + 1 : end, [symbol]])


def test_obv_first_bar_counts_in_full_and_an_unchanged_close_not_at_all() -> None:
    close = np.array([5.0, 6.0, 6.0, 4.0])
    traded = np.array([10.0, 20.0, 40.0, 80.0])
    window = one_symbol(close=close, volume=traded)
    assert [value_of(f"obv()[{ago}]", window) for ago in (3, 2, 1, 0)] == [10, 30, 30, -50]
    assert talib.OBV(close, traded).tolist() == [10, 30, 30, -50]


def test_ad_bar_without_a_range_adds_nothing_as_talib() -> None:
    high, low = np.array([2.0, 3.0, 3.0]), np.array([1.0, 3.0, 1.0])
    close, traded = np.array([2.0, 3.0, 1.5]), np.array([10.0, 20.0, 40.0])
    window = one_symbol(high=high, low=low, close=close, volume=traded)
    assert [value_of(f"ad()[{ago}]", window) for ago in (2, 1, 0)] == [10, 10, -10]
    assert talib.AD(high, low, close, traded).tolist() == [10, 10, -10]


def test_cmf_nothing_traded_is_unknown() -> None:
    traded = np.concatenate([np.full(30, 5.0), np.zeros(20)])
    verdicts = verdicts_of("cmf(20) > 0", one_symbol(volume=traded))
    assert verdicts.state(0)[0] == UNKNOWN
    assert verdicts.unknown_reason(0, 0) == "division by zero"


def test_cmf_bars_without_volume_change_nothing() -> None:
    traded = np.concatenate([np.zeros(15), random_columns(2, 10, 1)[4, :, 0], np.zeros(15)])
    columns = random_columns(1, 40, 1)[:4, :, 0]
    names = ("open", "high", "low", "close")
    bars = dict(zip(names, columns, strict=True))
    window = one_symbol(volume=traded, **bars)
    for ago in range(10):
        unchanged = verdicts_of(f"(cmf(20) == cmf(20)[1])[{ago}]", window).state(0)[0]
        assert unchanged == (ago >= 5)  # until then a bar with volume drops out


def test_adosc_period_of_one_is_refused_as_talib_does() -> None:
    with pytest.raises(InvalidRule, match="adosc: fast: expected a whole number from 2"):
        parse_rule("adosc(1, 10) > 0")


EDGES = {
    "constant": np.full((8, 60, 2), 3.0),
    "zeros": np.zeros((8, 60, 2)),
    "nan": np.full((8, 60, 2), np.nan),
    "infinite": np.full((8, 60, 2), np.inf),
    "one bar": random_columns(1, 1, 2),
    "huge": random_columns(1, 60, 2) * 1e300,
    "tiny": random_columns(1, 60, 2) * 1e-300,
}


@pytest.mark.parametrize("edge", list(EDGES))
@pytest.mark.parametrize("name", [entry.name for entry in volume.ENTRIES])
def test_edge_data_gives_a_finite_value_or_unknown_with_a_reason(name: str, edge: str) -> None:
    verdicts = verdicts_of(f"{name} > 0", window_of(EDGES[edge]))
    for symbol in range(2):
        unknown = verdicts.state(0)[symbol] == UNKNOWN
        assert (verdicts.unknown_reason(0, symbol) is not None) == unknown
        assert unknown == (not verdicts.values(0, symbol))
    if edge == "constant":
        assert not (verdicts.state(0) == UNKNOWN).any()
