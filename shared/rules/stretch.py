"""One table of a plan over a stretch of closes: the rows made from series, at any of its closes.

Where series do not depend on where a window starts, all closes share one run of the steps
(sliding); windows with a gap, and tables of which that is not true, are computed one by one, side
by side. Not here: rows made of other rows, and the tables together (closes).
"""

from __future__ import annotations

import numpy as np

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules.bars import Bars, Indices
from shared.rules.filling import fill_base
from shared.rules.kernels import Floats
from shared.rules.market import bar_after, open_times, places_of
from shared.rules.program import Table
from shared.rules.sliding import Sliding, can_slide
from shared.rules.tree import W_BARS

# Up to so many symbols of one close that need their own windows are computed together with those of
# other closes; more are worth a run of their own.
_SYMBOLS_APART_MAX = 32
# Windows of one symbol that are computed side by side, as if they were symbols.
_WINDOWS_AT_ONCE = 512


class Stretch:
    """A table on the bars of `window`, from a first to a last close; None if there are none.

    `symbols`: what the values are of, in order.
    """

    def __init__(
        self,
        table: Table,
        interval: Interval,
        window: Window | None,
        symbols: tuple[str, ...],
        closes_ms: tuple[int, int],
    ) -> None:
        self.table = table
        self.interval = interval
        self._window = window
        self._count = len(symbols)
        self._places = None if window is None else places_of(symbols, window)
        self._first = 0
        self._sliding: Sliding | None = None
        if window is not None and window.bars and can_slide(table):
            self._slide(window, closes_ms)

    def _slide(self, window: Window, closes_ms: tuple[int, int]) -> None:
        stops = [
            (at - int(window.open_times_ms[0])) // self.interval.duration_ms for at in closes_ms
        ]
        first = min(max(stops[0] - W_BARS, 0), window.bars)
        stop = min(max(stops[1], first), window.bars)
        if stop - first < W_BARS:
            return
        bars = Bars(
            columns=window.columns[:, first:stop],
            open_times_ms=window.open_times_ms[first:stop],
            places=self._places,
            cut=False,
        )
        self._first, self._sliding = first, Sliding(self.table, bars)

    def ends(self, closed_at_ms: Indices) -> Indices:
        """Return which bar closes at each instant, -1 if it is not there."""
        if self._window is None:
            return np.full(len(closed_at_ms), -1)
        found = (bar_after(self._window, at) for at in closed_at_ms.tolist())
        return np.array([-1 if after is None else after - 1 for after in found], dtype=np.int64)

    def fill(self, ends: Indices, values: Floats) -> None:
        """Fill the rows that are made from series, and the constants, at the closes of some bars.

        Shape: ends int64[c], rising; values float64[rows, c, padded].
        """
        odd = np.ones((len(ends), self._count), dtype=bool)
        if self._sliding is not None:
            there = ends - self._first
            odd = self._sliding.odd(there)
            whole = there >= W_BARS - 1
            if whole.all():
                self._sliding.fill(there, values)
            elif whole.any():
                some = np.empty((len(values), int(whole.sum()), values.shape[2]))
                self._sliding.fill(there[whole], some)
                values[:, whole] = some
        values[:, :, self._count :] = 1.0
        many = np.count_nonzero(odd, axis=1) > _SYMBOLS_APART_MAX
        if any(step.operation == "clock" for step in self.table.steps):
            many = odd.any(axis=1)
        for place in np.flatnonzero(many).tolist():
            self._fill_close(int(ends[place]), np.flatnonzero(odd[place]), values[:, place])
        close, symbol = np.nonzero(odd & ~many[:, None])
        for start in range(0, len(close), _WINDOWS_AT_ONCE):
            which = slice(start, start + _WINDOWS_AT_ONCE)
            self._fill_windows(ends, close[which], symbol[which], values)

    def _fill_close(self, end: int, symbols: Indices, values: Floats) -> None:
        """Fill the rows of some symbols at one close, as `evaluate` does: float64[rows, padded]."""
        window = self._window
        assert window is not None
        bars = Bars(
            columns=window.columns[:, max(end + 1 - W_BARS, 0) : end + 1],
            open_times_ms=open_times(
                int(window.open_times_ms[end]) + self.interval.duration_ms, self.interval
            ),
            places=self._places,
        )
        if len(symbols) < self._count:
            bars = bars.only(symbols)
        base, rows = self._rows(bars)
        values[base[:, None], symbols] = rows[:, : len(symbols)]

    def _fill_windows(self, ends: Indices, close: Indices, symbol: Indices, values: Floats) -> None:
        """Fill the rows of some windows of one symbol each: close[k], symbol[k]."""
        window = self._window
        assert window is not None
        width = window.columns.shape[2]
        place = symbol if self._places is None else self._places[symbol]
        at = ends[close] - (W_BARS - 1) + np.arange(W_BARS)[:, None]
        absent = (at < 0) | (place < 0)
        flat_places = np.maximum(at, 0) * width + np.maximum(place, 0)
        columns = np.full((len(window.columns), W_BARS, len(close)), np.nan)
        for column in {int(s.numbers[0]) for s in self.table.steps if s.operation == "column"}:
            if width:
                np.take(window.columns[column].reshape(-1), flat_places, out=columns[column])
            columns[column, absent] = np.nan
        times = np.zeros(W_BARS, dtype=np.int64)  # nothing here reads the clock
        base, rows = self._rows(Bars(columns=columns, open_times_ms=times))
        values[base[:, None], close, symbol] = rows[:, : len(close)]

    def _rows(self, bars: Bars) -> tuple[Indices, Floats]:
        """Return which rows are made from series, and their values, float64[such rows, padded]."""
        rows = np.empty((self.table.rows_count, bars.width))
        fill_base(self.table, bars, rows)
        base = self.table.base_rows
        return base, rows[base]
