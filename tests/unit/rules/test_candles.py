"""Candle patterns: bar for bar what TA-Lib finds, on recorded, made-up and even prices."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from shared.rules import FALSE, FUNCTIONS, TRUE, UNKNOWN
from shared.rules.describe import bars_needed
from shared.rules.entries import candles
from shared.rules.kernels import Floats, Rolling
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.tree import Call
from tests.unit.rules.talib_checks import (
    RECORDED,
    RECORDINGS,
    needs_recorded,
    recorded_columns,
)
from tests.unit.rules.windows import random_columns, verdicts_of, window_of

Oracle = Callable[..., NDArray[np.bool_]]

ORACLES: dict[str, Oracle] = {
    "doji": lambda *c: talib.CDLDOJI(*c) > 0,
    "hammer": lambda *c: talib.CDLHAMMER(*c) > 0,
    "shooting_star": lambda *c: talib.CDLSHOOTINGSTAR(*c) < 0,
    "bullish_engulfing": lambda *c: talib.CDLENGULFING(*c) > 0,
    "bearish_engulfing": lambda *c: talib.CDLENGULFING(*c) < 0,
    "bullish_harami": lambda *c: talib.CDLHARAMI(*c) > 0,
    "morning_star": lambda *c: talib.CDLMORNINGSTAR(*c) > 0,
    "evening_star": lambda *c: talib.CDLEVENINGSTAR(*c) < 0,
    "three_white_soldiers": lambda *c: talib.CDL3WHITESOLDIERS(*c) > 0,
    "three_black_crows": lambda *c: talib.CDL3BLACKCROWS(*c) < 0,
}
# TA-Lib's own: CDL…_Lookback().
LOOKBACKS = {
    "doji": 10,
    "hammer": 11,
    "shooting_star": 11,
    "bullish_engulfing": 2,
    "bearish_engulfing": 2,
    "bullish_harami": 11,
    "morning_star": 12,
    "evening_star": 12,
    "three_white_soldiers": 12,
    "three_black_crows": 13,
}


def found_at_every_bar(name: str, columns: Floats) -> Floats:
    """Return the pattern at every bar of float64[4, bars, s] from the first known on."""
    kernel = ALL_FUNCTIONS[f"_{name}"].kernel
    assert isinstance(kernel, Rolling)
    views = [
        np.moveaxis(np.lib.stride_tricks.sliding_window_view(c, kernel.bars(), axis=0), -1, 0)
        for c in columns
    ]
    found: Floats = kernel.compute(*views)
    return found


def assert_equals_talib(name: str, columns: Floats) -> int:
    """Compare at every bar of float64[4, bars, s]; return how often the pattern was there."""
    found = found_at_every_bar(name, columns)
    expected = np.array(
        [ORACLES[name](*np.ascontiguousarray(columns[:, :, s])) for s in range(columns.shape[2])]
    ).T[-len(found) :]
    np.testing.assert_array_equal(found, expected.astype(np.float64))
    return int(expected.sum())


def even_prices(seed: int, bars: int, symbols: int) -> Floats:
    """Return bars whose prices are few ticks apart, so that they often are exactly as long as
    the average: float64[4, bars, symbols]. Ten bars' ranges are less than the price."""
    random = np.random.default_rng(seed)
    shape = (bars, symbols)
    tick = 10.0 ** -random.integers(0, 7, symbols)
    wide = random.choice([2, 4, 12], symbols)
    close = random.integers(4000, 9000, symbols) + np.cumsum(
        random.integers(-wide, wide + 1, shape), axis=0
    )
    open_ = np.vstack([close[:1], close[:-1]]) + random.integers(-1, 2, shape)
    above = random.integers(0, 3 * wide, shape) * random.integers(0, 2, shape)
    below = random.integers(0, 3 * wide, shape) * random.integers(0, 2, shape)
    high, low = np.maximum(open_, close) + above, np.minimum(open_, close) - below
    found: Floats = np.round(np.stack([open_, high, low, close]) * tick, 8)
    return found


@needs_recorded
@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("name", list(ORACLES))
def test_pattern_recorded_klines_equals_talib_at_every_bar(name: str, recording: str) -> None:
    assert_equals_talib(name, recorded_columns(recording)[:4])


@needs_recorded
@pytest.mark.parametrize("name", list(ORACLES))
def test_pattern_recorded_minutes_equals_talib_at_every_bar(name: str) -> None:
    file = next((RECORDED / "klines_1m").glob("*.json.gz"))
    rows = json.loads(gzip.decompress(file.read_bytes()))["data"]
    columns = np.array([[row[key] for row in rows] for key in ("open", "high", "low", "close")])
    assert_equals_talib(name, columns[:, :, None])


@pytest.mark.parametrize("name", list(ORACLES))
def test_pattern_made_up_prices_equals_talib_at_every_bar(name: str) -> None:
    assert_equals_talib(name, random_columns(21, 2_000, 20)[:4])


@pytest.mark.parametrize("name", list(ORACLES))
def test_pattern_even_prices_equals_talib_at_every_bar(name: str) -> None:
    seen = assert_equals_talib(name, even_prices(22, 2_000, 40))
    assert seen >= 20


@pytest.mark.parametrize("name", list(ORACLES))
def test_pattern_is_known_exactly_after_talibs_lookback(name: str) -> None:
    needed = LOOKBACKS[name] + 1
    assert bars_needed(Call(name, ())) == needed
    for history in (needed - 1, needed, needed + 1):
        columns = random_columns(history, 60, 2)
        columns[:, : 60 - history] = np.nan
        verdicts = verdicts_of(name, window_of(columns))
        assert (verdicts.state(0) == UNKNOWN).all() == (history < needed)
        if history < needed:
            reason = f"warming up ({history} of {needed} bars)"
            assert verdicts.unknown_reason(0, 0) == reason


@pytest.mark.parametrize("name", list(ORACLES))
def test_pattern_as_a_rule_equals_talib_now_and_before(name: str) -> None:
    columns = np.concatenate([even_prices(5, 520, 80), np.ones((4, 520, 80))])
    window = window_of(columns)
    expected = np.array(
        [ORACLES[name](*np.ascontiguousarray(columns[:4, -500:, s])) for s in range(80)]
    )
    states = verdicts_of(name, window).state(0)
    np.testing.assert_array_equal(states, np.where(expected[:, -1], TRUE, FALSE))
    states = verdicts_of(f"{name}[9]", window).state(0)
    np.testing.assert_array_equal(states, np.where(expected[:, -10], TRUE, FALSE))
    counted = verdicts_of(f"count({name}, 100) >= 1", window).state(0)
    np.testing.assert_array_equal(counted, expected[:, -100:].any(axis=1))


def test_every_pattern_has_an_oracle_and_an_entry() -> None:
    assert {entry.name for entry in candles.ENTRIES} == set(ORACLES)
    assert set(ORACLES) <= set(FUNCTIONS)


EDGES = {
    "constant": np.full((8, 40, 2), 3.0),
    "zeros": np.zeros((8, 40, 2)),
    "nan": np.full((8, 40, 2), np.nan),
    "infinite": np.full((8, 40, 2), np.inf),
    "one bar": random_columns(1, 1, 2),
    "huge": random_columns(1, 40, 2) * 1e300,
    "tiny": random_columns(1, 40, 2) * 1e-300,
}


@pytest.mark.parametrize("edge", list(EDGES))
@pytest.mark.parametrize("name", list(ORACLES))
def test_edge_data_gives_a_state_or_unknown_with_a_reason(name: str, edge: str) -> None:
    verdicts = verdicts_of(name, window_of(EDGES[edge]))
    for symbol in range(2):
        unknown = verdicts.state(0)[symbol] == UNKNOWN
        assert unknown == (edge in ("nan", "infinite", "one bar"))
        assert (verdicts.unknown_reason(0, symbol) is not None) == unknown
