"""Random markets: one venue at one close, on several intervals, as a window and as plain bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from shared.market.frame import Feed
from shared.market.interval import DAY_MS, Interval
from shared.market.window import Window
from tests.unit.rules.reference_context import Bars
from tests.unit.rules.windows import random_columns

# A trader's interval and the longer ones its rules may name.
INTERVALS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("1h", ("4h", "1d")),
    ("15m", ("1h", "4h")),
    ("1m", ("5m", "15m")),
    ("4h", ("12h", "1d")),
    ("5m", ("15m", "1h", "1d")),
    ("3m", ("5m", "30m")),
    ("1d", ()),
)


@dataclass(frozen=True)
class Market:
    """`windows` and `bars` hold the same, by interval; one that is missing is in neither."""

    interval: str
    longer: tuple[str, ...]
    symbols: tuple[str, ...]
    windows: dict[str, Window]
    bars: dict[str, Bars]
    universes: tuple[tuple[str, ...] | None, ...]


def random_market(seed: int, bars: int, symbols: int) -> Market:
    """Return a market whose symbols have few bars, gaps, none now, a flat price, coarse ticks."""
    random = Random(seed)
    interval, longer = INTERVALS[seed % len(INTERVALS)]
    names = tuple(f"S{index}USDT" for index in range(symbols))
    step_ms = Interval(interval).duration_ms
    closed_at_ms = random.randint(19_000, 20_000) * DAY_MS
    closed_at_ms += step_ms * random.randint(0, DAY_MS // step_ms)
    windows = {interval: _window(interval, closed_at_ms, names, _columns(seed, bars, symbols))}
    for place, other in enumerate(dict.fromkeys((*longer, "1d"))):
        if other == interval or random.random() < 0.12:
            continue
        length = random.choice((3, 20, 40, 60, 90, 120))
        # Its symbols in another order, one of them unknown to it, one that is new.
        there = (*random.sample(names, symbols - 1), "NEWUSDT")
        duration_ms = Interval(other).duration_ms
        newest_ms = closed_at_ms - closed_at_ms % duration_ms
        # Stale, or with bars that close later.
        newest_ms += duration_ms * random.choice((-1, 0, 0, 0, 0, 0, 0, 1, 3))
        columns = _columns(seed, length, symbols, walk=place + 1)
        order = [names.index(name) if name in names else 0 for name in there]
        windows[other] = _window(other, newest_ms, there, columns[:, :, order])
    some = tuple(random.sample(names, max(symbols // 2, 2)))
    return Market(
        interval=interval,
        longer=longer,
        symbols=names,
        windows=windows,
        bars={name: _bars_of(window) for name, window in windows.items()},
        universes=(None, some, tuple(random.sample(names, 3))),
    )


def _columns(seed: int, bars: int, symbols: int, walk: int = 0) -> NDArray[np.float64]:
    """Return float64[8, bars, symbols]; the prices of all walks of a seed are of one size."""
    random = np.random.default_rng([seed, walk])
    size = np.exp(np.random.default_rng(seed).uniform(-1, 8, symbols))
    columns = random_columns(seed * 100 + walk, bars, symbols)
    columns[:4] *= size / columns[3, -1]
    for symbol in range(symbols):
        match symbol % 9:
            case 1:  # listed a while ago
                columns[:, : -random.integers(1, min(60, bars)), symbol] = np.nan
            case 2:  # a gap
                columns[:, -random.integers(2, min(90, bars)), symbol] = np.nan
            case 3:  # listed recently enough to have nearly all
                columns[:, : random.integers(1, min(12, bars)), symbol] = np.nan
            case 4:  # nothing trades
                columns[:4, :, symbol] = columns[0, 0, symbol]
                columns[4:, ::3, symbol] = 0.0
            case 5 if symbol % 2 and walk != 1:  # the last bar is missing
                columns[:, -1, symbol] = np.nan
            case 6:  # coarse ticks: bars are often equal, and sums of them exact
                tick = 2.0 ** np.floor(np.log2(size[symbol] / 100))
                columns[:4, :, symbol] = np.round(columns[:4, :, symbol] / tick) * tick
                columns[4, random.random(bars) < 0.2, symbol] = 0.0
            case 7:  # flat until recently
                until = -random.integers(1, min(20, bars))
                columns[:4, :until, symbol] = columns[0, until, symbol]
            case 8 if symbol % 2:  # several gaps
                columns[:, random.integers(0, bars, 3), symbol] = np.nan
    return columns


def _window(
    interval: str, closed_at_ms: int, symbols: tuple[str, ...], columns: NDArray[np.float64]
) -> Window:
    step_ms = Interval(interval).duration_ms
    bars = columns.shape[1]
    return Window(
        venue="binance",
        interval=Interval(interval),
        symbols=symbols,
        open_times_ms=closed_at_ms + step_ms * np.arange(-bars, 0, dtype=np.int64),
        columns=columns,
        frame_revision=1,
        feed=Feed.SIMULATED,
        complete=True,
    )


def _bars_of(window: Window) -> Bars:
    """Return a window as plain lists."""
    return Bars(
        window.open_times_ms.tolist(),
        {
            symbol: [
                None if any(value != value for value in bar) else tuple(bar)
                for bar in window.columns[:, :, place].T.tolist()
            ]
            for place, symbol in enumerate(window.symbols)
        },
    )
