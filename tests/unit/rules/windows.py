"""Windows of made-up bars for the tests of the rules."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.rules import Verdicts, build_plan, evaluate, parse_rule

MINUTE_MS = 60_000


def window_of(columns: NDArray[np.float64]) -> Window:
    """Return a window of float64[8, bars, n]."""
    _, bars, symbols = columns.shape
    return Window(
        venue="binance",
        interval=Interval.M1,
        symbols=tuple(f"S{index}USDT" for index in range(symbols)),
        open_times_ms=np.arange(bars, dtype=np.int64) * MINUTE_MS,
        columns=columns,
        frame_revision=1,
        feed=Feed.SIMULATED,
        complete=True,
    )


def random_columns(seed: int, bars: int, symbols: int) -> NDArray[np.float64]:
    """Return plausible bars: float64[8, bars, symbols]."""
    random = np.random.default_rng(seed)
    level = np.exp(random.uniform(-8, 8, symbols))
    close = level * np.exp(np.cumsum(random.normal(0, 0.01, (bars, symbols)), axis=0))
    open_ = np.vstack([close[:1], close[:-1]])
    high = np.maximum(open_, close) * (1 + random.random((bars, symbols)) * 0.005)
    low = np.minimum(open_, close) * (1 - random.random((bars, symbols)) * 0.005)
    volume = random.lognormal(3, 1, (bars, symbols))
    taken = volume * random.random((bars, symbols))
    trades = np.floor(volume * 10) + 1
    return np.stack([open_, high, low, close, volume, volume * close, trades, taken])


def uneven_columns(seed: int, bars: int, symbols: int) -> NDArray[np.float64]:
    """Return bars of which some symbols have few, gaps, none now, or a flat market."""
    columns = random_columns(seed, bars, symbols)
    random = np.random.default_rng(seed + 1)
    for symbol in range(symbols):
        match symbol % 7:
            case 1:  # listed a while ago
                columns[:, : bars - random.integers(1, min(60, bars)), symbol] = np.nan
            case 2:  # a gap
                columns[:, bars - random.integers(2, min(90, bars)), symbol] = np.nan
            case 3:  # listed recently enough to have nearly all
                columns[:, : random.integers(1, 12), symbol] = np.nan
            case 4:  # nothing trades
                columns[:4, :, symbol] = columns[0, 0, symbol]
                columns[4:, ::3, symbol] = 0.0
            case 5 if symbol % 2:  # the last bar is missing
                columns[:, -1, symbol] = np.nan
    return columns


def one_symbol(**series: NDArray[np.float64]) -> Window:
    """Return a window of one symbol; columns that are not given are 1."""
    bars = len(next(iter(series.values())))
    columns = np.ones((len(COLUMNS), bars, 1))
    for name, values in series.items():
        columns[COLUMNS.index(name), :, 0] = values
    return window_of(columns)


def verdicts_of(text: str, window: Window, bars_back: int = 0) -> Verdicts:
    """Return the verdicts of one rule."""
    return evaluate(build_plan([parse_rule(text)]), window, bars_back)


def value_of(expression: str, window: Window, symbol: int = 0) -> float:
    """Return the value of a numeric expression at the last close, NaN where unknown."""
    verdicts = verdicts_of(f"{expression} > 0", window)
    found: Mapping[str, float] = verdicts.values(0, symbol)
    return next(iter(found.values()), float("nan"))


def bits_equal(left: NDArray[np.float64], right: NDArray[np.float64]) -> bool:
    """Return whether two arrays hold the same values to the last bit; NaN equals NaN."""
    return left.shape == right.shape and np.array_equal(left, right, equal_nan=True)
