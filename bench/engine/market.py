"""Seeded random bars: what ours and every peer compute on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.market.window import Window

# Steps of a bar, as a share of the price: from a calm instrument to a wild one.
STEP_LEAST, STEP_MOST = 0.002, 0.02
# 2026-01-01 00:00 UTC.
OPENED_MS = 1_767_225_600_000


def draw_columns(bars: int, symbols: int, seed: int = 11) -> NDArray[np.float64]:
    """Return float64[8, bars, symbols] in the order of a kline's columns, nothing missing."""
    source = np.random.default_rng(seed)
    step = source.uniform(STEP_LEAST, STEP_MOST, symbols)
    level = np.exp(source.uniform(-8, 8, symbols))
    close = level * np.exp(np.cumsum(step * source.standard_normal((bars, symbols)), axis=0))
    open_ = np.vstack([close[:1], close[:-1]])
    high = np.maximum(open_, close) * (1 + step * source.random((bars, symbols)))
    low = np.minimum(open_, close) * (1 - step * source.random((bars, symbols)))
    volume = source.lognormal(3, 0.8, (bars, symbols))
    taken = volume * source.random((bars, symbols))
    trades = np.floor(volume * 10) + 1
    return np.stack([open_, high, low, close, volume, volume * close, trades, taken])


def window_of(columns: NDArray[np.float64]) -> Window:
    """Return the window of these columns, on 1m."""
    _, bars, symbols = columns.shape
    return Window(
        venue="binance",
        interval=Interval.M1,
        symbols=tuple(f"S{number:04}USDT" for number in range(symbols)),
        open_times_ms=OPENED_MS + 60_000 * np.arange(bars, dtype=np.int64),
        columns=np.ascontiguousarray(columns),
        frame_revision=1,
        feed=Feed.SIMULATED,
        complete=True,
    )
