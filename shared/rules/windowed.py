"""Series that begin anew in every window: at many closes, their windows side by side.

An average that remembers its whole window, a stop that turns with the trend: where the window
starts, they do. What they are made from slides (sliding); so the windows of some closes are laid
beside each other, as if they were more symbols, and run through the code of a single close. A loop
over bars costs little more for eight windows than for one. Not here: which tables can (sliding).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.rules.bars import Indices, bars_of
from shared.rules.kernels import Floats
from shared.rules.program import Table
from shared.rules.running import run_batch
from shared.rules.tree import W_BARS

# Columns that are run through together: more are no quicker, and each series of them is 4 MB.
_COLUMNS_AT_ONCE = 1024


class Windowed:
    """The steps of a table that begin anew in every window, and the rows that are bars of them.

    `free`: place → the series of a step that slides, over all bars; `reaches`: place → of how many
    bars it makes one: in a window it is unknown before.
    """

    def __init__(
        self, table: Table, free: Mapping[int, Floats], reaches: Mapping[int, int]
    ) -> None:
        self._table = table
        self._free = free
        self._reaches = reaches
        self._batches = [batch for batch in table.batches if batch.places[0] not in reaches]
        self._reads = [read for read in table.reads if read.series not in reaches]

    def fill(self, ends: Indices, odd: NDArray[np.bool_], values: Floats) -> None:
        """Fill the rows at some closes; `odd`: where there will be others, bool[c, n].

        Shape: ends int64[c], at least W - 1; values float64[rows, c, p].
        """
        at_once = max(1, _COLUMNS_AT_ONCE // values.shape[2])
        for start in range(0, len(ends) if self._reads else 0, at_once):
            some = slice(start, start + at_once)
            self._fill(ends[some], odd[some], values[:, some])

    def _fill(self, ends: Indices, odd: NDArray[np.bool_], values: Floats) -> None:
        steps = self._table.steps
        made: dict[int, Floats] = {}
        bars = bars_of(np.empty((W_BARS, len(ends) * values.shape[2])))
        for batch in self._batches:
            several = [steps[place] for place in batch.places]
            for place in {place for step in several for place in step.inputs} - made.keys():
                made[place] = self._beside(place, ends, odd)
            inputs = [[made[place] for place in step.inputs] for step in several]
            found = run_batch(several, inputs, batch.last, bars)
            made.update(zip(batch.places, found, strict=True))
            for place in batch.drops:
                if place not in self._kept_places():
                    made.pop(place, None)
        for read in self._reads:
            for row, ago in zip(read.rows.tolist(), read.bars_ago.tolist(), strict=True):
                values[row] = made[read.series][-1 - ago].reshape(len(ends), -1)

    def _kept_places(self) -> set[int]:
        return {read.series for read in self._reads}

    def _beside(self, place: int, ends: Indices, odd: NDArray[np.bool_]) -> Floats:
        """Return a sliding series in the windows of some closes, float64[W, c · p]."""
        series = self._free[place]
        windows = np.empty((W_BARS, len(ends), series.shape[1]))
        for number, end in enumerate(ends.tolist()):
            windows[:, number] = series[end - W_BARS + 1 : end + 1]
        # Known throughout, so that they cost no care.
        close, symbol = np.nonzero(odd)
        windows[:, close, symbol] = 1.0
        windows[: self._reaches[place] - 1] = np.nan
        return windows.reshape(W_BARS, -1)
