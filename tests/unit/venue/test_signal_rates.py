"""Common rules find something on the simulated market every hour, and not all the time."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from local.venue.market import SimulatedMarket
from local.venue.market_protocol import CLOSE, HIGH, VOLUME
from shared.market.interval import MINUTE_MS

NOW_MS = 1_795_230_000_000
HOURS = 8


@pytest.fixture(scope="module")
def columns() -> NDArray[np.float64]:
    """float64[9, symbols, minutes]"""
    market = SimulatedMarket(1, 500, anchor_ms=NOW_MS)
    times = range(NOW_MS - HOURS * 60 * MINUTE_MS, NOW_MS, MINUTE_MS)
    return np.stack([market.minute(at).columns[:, :500] for at in times], axis=2).astype(float)


def enters_per_hour(condition: NDArray[np.bool_]) -> float:
    settled = condition[:, 60:]
    return float((settled[:, 1:] & ~settled[:, :-1]).sum() / (HOURS - 1))


def test_rsi_below_30_is_entered_some_dozens_of_times_an_hour(
    columns: NDArray[np.float64],
) -> None:
    rsi = np.array([talib.RSI(close, 14) for close in columns[CLOSE]])
    assert 20 < enters_per_hour(rsi < 30) < 400


def test_ema_cross_happens_about_once_an_hour_and_symbol(columns: NDArray[np.float64]) -> None:
    fast = np.array([talib.EMA(close, 9) for close in columns[CLOSE]])
    slow = np.array([talib.EMA(close, 21) for close in columns[CLOSE]])
    assert 200 < enters_per_hour(fast > slow) < 900


def test_breakout_with_volume_is_rare(columns: NDArray[np.float64]) -> None:
    highest = np.array([talib.MAX(high, 20) for high in columns[HIGH]])
    breaks = np.zeros(highest.shape, dtype=np.bool_)
    breaks[:, 1:] = columns[CLOSE][:, 1:] > highest[:, :-1]
    usual = np.array([talib.SMA(volume, 20) for volume in columns[VOLUME]])
    assert 1 < enters_per_hour(breaks & (columns[VOLUME] > 2 * usual)) < 60


def test_symbols_move_together_but_not_as_one(columns: NDArray[np.float64]) -> None:
    returns = np.diff(np.log(columns[CLOSE][:100, ::15]), axis=1)
    correlations = np.corrcoef(returns)[np.triu_indices(100, 1)]
    assert 0.15 < np.median(correlations) < 0.8
