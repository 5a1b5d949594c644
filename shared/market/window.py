"""A window: the last bars of every symbol of one venue and interval, as a rule sees them.

Built from frames by shared/store/frames.py (live) or from files (backtest); evaluated by
shared/rules. It holds no state and knows no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.market.frame import Feed, Frame
from shared.market.interval import Interval
from shared.market.kline import COLUMNS


class Window(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Columns of all symbols over contiguous bars, oldest first.

    `columns`: float64[8, bars, symbols] in the order of COLUMNS; NaN where a symbol has no bar.
    `open_times_ms`: int64[bars], spaced by the interval. `frame_revision`, `feed` and `complete`
    are those of the last frame.
    """

    venue: str
    interval: Interval
    symbols: tuple[str, ...]
    open_times_ms: NDArray[np.int64]
    columns: NDArray[np.float64]
    frame_revision: int
    feed: Feed
    complete: bool

    @property
    def bars(self) -> int:
        """Return the number of bars."""
        return len(self.open_times_ms)

    @property
    def closed_at_ms(self) -> int:
        """Return the instant at which its last bar closed."""
        return int(self.open_times_ms[-1]) + self.interval.duration_ms

    def has_bars_of(self, other: Window) -> bool:
        """Return whether bars of the same time are the same memory in both, hence equal.

        Of windows of one cache, which never writes a bar again that it has handed out.
        """
        if self.columns.base is None or self.columns.base is not other.columns.base:
            return False
        if self.columns.strides != other.columns.strides or self.symbols != other.symbols:
            return False
        later_ms = int(self.open_times_ms[0]) - int(other.open_times_ms[0])
        later_bars, rest_ms = divmod(later_ms, self.interval.duration_ms)
        later_bytes = self.columns.ctypes.data - other.columns.ctypes.data
        return not rest_ms and later_bytes == later_bars * self.columns.strides[1]

    def instrument_index(self) -> dict[str, int]:
        """Return symbol → position in `symbols` and in the last axis of `columns`."""
        return {symbol: index for index, symbol in enumerate(self.symbols)}

    def missing_instruments(self) -> list[str]:
        """Return the symbols that have no bar in the last frame, in universe order."""
        absent = np.isnan(self.columns[COLUMNS.index("close"), -1])
        return [self.symbols[index] for index in np.flatnonzero(absent)]


def assemble_window(
    frames: Sequence[Frame | None],
    symbol_lists: Mapping[str, Sequence[str]],
    *,
    last_open_time_ms: int,
) -> Window:
    """Return the window that `frames` (oldest first, one an interval, None = missing) make up.

    The last frame must be there: it names the symbols. Bars of a frame with another symbol list
    are put in the last frame's order; a symbol that older frame does not know is NaN there.
    Raises: ValueError if the last frame is missing or a frame stands at a wrong time.
    """
    last = frames[-1]
    if last is None or last.open_time_ms != last_open_time_ms:
        raise ValueError(f"expected the frame of {last_open_time_ms}, was missing")
    symbols = tuple(symbol_lists[last.symbol_list_id])
    bars = len(frames)
    step_ms = last.interval.duration_ms
    open_times_ms = last_open_time_ms - step_ms * np.arange(bars - 1, -1, -1, dtype=np.int64)
    columns = np.full((len(COLUMNS), bars, len(symbols)), np.nan)
    for bar, frame in enumerate(frames):
        if frame is None:
            continue
        if frame.open_time_ms != open_times_ms[bar]:
            raise ValueError(
                f"expected the frame of {open_times_ms[bar]}, was {frame.open_time_ms}"
            )
        if frame.symbol_list_id == last.symbol_list_id:
            columns[:, bar] = frame.columns
            continue
        older = {symbol: i for i, symbol in enumerate(symbol_lists[frame.symbol_list_id])}
        pairs = [(i, older[symbol]) for i, symbol in enumerate(symbols) if symbol in older]
        if pairs:
            here, there = np.array(pairs).T
            columns[:, bar, here] = frame.columns[:, there]
    return Window(
        venue=last.venue,
        interval=last.interval,
        symbols=symbols,
        open_times_ms=open_times_ms,
        columns=columns,
        frame_revision=last.revision,
        feed=last.feed,
        complete=last.complete,
    )
