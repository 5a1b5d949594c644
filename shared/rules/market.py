"""Which bars count at a close: those of the rules' own interval, and of each longer one it reads.

Pure arithmetic on open times; all intervals are aligned with the epoch. Not here: what is computed
from the bars (running, evaluate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules.bars import Bars, Indices
from shared.rules.tables import Chain
from shared.rules.tree import W_BARS

MISSING = "missing"
STALE = "stale"


class View(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The bars of one table up to one close.

    `closed_at_ms`: when its newest bar closes. `problem`: why nothing on it is known, if so.
    """

    bars: Bars
    interval: Interval
    closed_at_ms: int
    problem: str | None = None

    def bars_of_longer(self, longer: View, bars_ago: Indices | Sequence[int]) -> Indices:
        """Return how many bars of a longer interval ago the one counts that is newest here, so
        many own bars ago.
        """
        own_ms, longer_ms = self.interval.duration_ms, longer.interval.duration_ms
        closes_ms = self.closed_at_ms - own_ms * np.asarray(bars_ago, dtype=np.int64)
        result: Indices = (longer.closed_at_ms - closes_ms // longer_ms * longer_ms) // longer_ms
        return result

    def held_places(self, longer: View) -> Indices:
        """Return which bar of a longer interval's series each bar holds, -1 for none; int64[W]."""
        bars_ago = self.bars_of_longer(longer, range(self.bars.length)[::-1])
        return np.maximum(longer.bars.length - 1 - bars_ago, -1)


def views_at(
    chains: Sequence[Chain], window: Window, end: int, longer: Mapping[Interval, Window]
) -> tuple[View, ...]:
    """Return the view of each table at the close of bar `end` - 1 of the window.

    Symbols of a longer interval's window are matched by name to those of the window.
    """
    interval = window.interval
    columns = window.columns[:, max(end - W_BARS, 0) : end]
    # Of a window without bars nothing but the order of times is known.
    closed_at_ms = int(window.open_times_ms[end - 1]) + interval.duration_ms if end else 0
    own = View(
        bars=Bars(columns=columns, open_times_ms=open_times(closed_at_ms, interval)),
        interval=interval,
        closed_at_ms=closed_at_ms,
        problem=None if end else MISSING,
    )
    return tuple(
        _longer_view(chain, window.symbols, own, longer.get(chain[-1]) if end else None)
        if chain
        else own
        for chain in chains
    )


def _longer_view(chain: Chain, symbols: tuple[str, ...], own: View, window: Window | None) -> View:
    closed_at_ms = own.closed_at_ms
    for interval in chain:
        closed_at_ms = interval.floor_ms(closed_at_ms)
    interval = chain[-1]
    columns = np.empty((own.bars.columns.shape[0], 0, len(symbols)))
    places, problem = None, None
    if window is None:
        problem = MISSING
    else:
        end = bar_after(window, closed_at_ms)
        if end is None:
            problem = STALE
        else:
            columns = window.columns[:, max(end - W_BARS, 0) : end]
            places = places_of(symbols, window)
    times = open_times(closed_at_ms, interval)
    bars = Bars(columns=columns, open_times_ms=times, places=places)
    return View(bars=bars, interval=interval, closed_at_ms=closed_at_ms, problem=problem)


def places_of(symbols: tuple[str, ...], window: Window) -> Indices | None:
    """Return where in a window each symbol is, -1 = nowhere; None if just in this order."""
    if window.symbols == symbols:
        return None
    index = window.instrument_index()
    return np.array([index.get(symbol, -1) for symbol in symbols], dtype=np.int64)


def bar_after(window: Window, closed_at_ms: int) -> int | None:
    """Return the index after that of the bar that closes at an instant, None without it."""
    if not window.bars:
        return None
    step_ms = window.interval.duration_ms
    index, rest = divmod(closed_at_ms - int(window.open_times_ms[0]), step_ms)
    return index if rest == 0 and 1 <= index <= window.bars else None


def open_times(closed_at_ms: int, interval: Interval) -> NDArray[np.int64]:
    """Return the open times of the W bars up to a close, int64[W]."""
    ago = np.arange(W_BARS, 0, -1, dtype=np.int64)
    return closed_at_ms - interval.duration_ms * ago
