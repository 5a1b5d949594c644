"""Series that begin anew in every window: at many closes, window by window.

An average that remembers its whole window, a stop that turns with the trend: where the window
starts, they do. What they are made from slides (sliding), so that a window of it is a view; they
themselves are carried out for each close. Not here: which tables can (sliding).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shared.rules.bars import Indices, bars_of
from shared.rules.kernels import Floats, Recursion
from shared.rules.program import Table
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.running import run_batch
from shared.rules.series import Step
from shared.rules.tree import W_BARS

# Steps that begin anew are made of others, never of the bars themselves.
_NO_BARS = bars_of(np.empty((0, 0)))


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

    def fill(self, ends: Indices, values: Floats) -> None:
        """Fill the rows at some closes. Shape: ends int64[c], at least W - 1; values [rows, c, p].

        Where a window has a gap the values are none of it.
        """
        for place, end in enumerate(ends.tolist() if self._reads else ()):
            made = self._made(end)
            for read in self._reads:
                series = made[read.series]
                there = read.bars_ago < len(series)
                values[read.rows[there], place] = series[-1 - read.bars_ago[there]]
                values[read.rows[~there], place] = np.nan

    def _made(self, end: int) -> Mapping[int, Floats]:
        """Return the series of the window that ends at a bar: its last bars, known or read."""
        steps = self._table.steps
        made: dict[int, Floats] = {}
        for batch in self._batches:
            several = [steps[place] for place in batch.places]
            bars = min(self._known_bars(step, made) for step in several)
            inputs = [
                [self._last(used, bars, end, made) for used in step.inputs] for step in several
            ]
            found = run_batch(several, inputs, batch.last, _NO_BARS)
            made.update(zip(batch.places, found, strict=True))
        return made

    def _known_bars(self, step: Step, made: Mapping[int, Floats]) -> int:
        """Return how many bars of the window can be known of what the step begins with."""
        begins = step.inputs
        function = ALL_FUNCTIONS.get(step.operation)
        if function is not None and isinstance(function.kernel, Recursion):
            begins = step.inputs[: function.kernel.shared]
        known = [W_BARS - self._reaches[used] + 1 for used in begins if used not in made]
        return min([*known, *(len(made[used]) for used in step.inputs if used in made)])

    def _last(self, place: int, bars: int, end: int, made: Mapping[int, Floats]) -> Floats:
        """Return the last bars of a series in the window."""
        if place in made:
            return made[place][-bars:]
        return self._free[place][end + 1 - bars : end + 1]
