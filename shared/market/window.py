"""A window: the last bars of every symbol of one venue and interval, as a rule sees them.

Built from frames by shared/store/windows.py (live) or from files (backtest); evaluated by
shared/rules. It holds no state and knows no clock.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.market.feed import Feed
from shared.market.interval import Interval
from shared.market.kline import COLUMNS


class Window(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Columns of all symbols over contiguous bars, oldest first.

    `columns`: float64[8, bars, symbols] in the order of COLUMNS; NaN where a symbol has no bar.
    `open_times_ms`: int64[bars], spaced by the interval. `frame_revision`, `feed` and `complete`
    are those of the last frame. `edition`: windows of one edition agree on every bar they share (of
    None nothing is known).
    """

    venue: str
    interval: Interval
    symbols: tuple[str, ...]
    open_times_ms: NDArray[np.int64]
    columns: NDArray[np.float64]
    frame_revision: int
    feed: Feed
    complete: bool
    edition: object = None

    @property
    def bars(self) -> int:
        """Return the number of bars."""
        return len(self.open_times_ms)

    @property
    def closed_at_ms(self) -> int:
        """Return the instant at which its last bar closed."""
        return int(self.open_times_ms[-1]) + self.interval.duration_ms

    def has_bars_of(self, other: Window) -> bool:
        """Return whether bars of the same time are known to be equal in both."""
        return self.edition is not None and self.edition is other.edition

    def without_bars(self) -> Window:
        """Return what is known of the window but its numbers, which it does not keep in memory."""
        return msgspec.structs.replace(self, columns=np.empty((len(COLUMNS), 0, 0)))

    def instrument_index(self) -> dict[str, int]:
        """Return symbol → position in `symbols` and in the last axis of `columns`."""
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    def missing_instruments(self) -> list[str]:
        """Return the symbols that have no bar in the last frame, in universe order."""
        absent = np.isnan(self.columns[COLUMNS.index("close"), -1])
        return [self.symbols[index] for index in np.flatnonzero(absent)]


def reorder_columns(
    columns: NDArray[np.float64], symbols: Sequence[str], wanted: Sequence[str]
) -> NDArray[np.float64]:
    """Return float64[8, wanted], a bar of `symbols` in another order; NaN where one is unknown."""
    if symbols == wanted:
        return columns
    index = {symbol: i for i, symbol in enumerate(symbols)}
    pairs = [(i, index[symbol]) for i, symbol in enumerate(wanted) if symbol in index]
    result = np.full((len(COLUMNS), len(wanted)), np.nan)
    if pairs:
        here, there = np.array(pairs).T
        result[:, here] = columns[:, there]
    return result
