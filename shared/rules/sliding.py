"""Rows of a table at many closes in one go, where series do not depend on where a window starts.

A column, a difference, the highest of 20 bars: what such a series is at a bar follows from a few
bars before it, so one series serves the windows of many closes. Averages that remember their whole
window are sums of the window itself and are shifted (shifts). Whatever does not fit, a symbol with
a gap in the window or an average of an average, is done window by window (closes). Every value is
equal to the one of a single close, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.rules import shifts, weights
from shared.rules.bars import Bars, Indices
from shared.rules.entry import Kind
from shared.rules.kernels import Elementwise, Floats, Rolling, Sequential, Weighted
from shared.rules.operations import OPERATIONS, known_only
from shared.rules.program import Averages, Rollings, Table
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.running import rolling, run_some
from shared.rules.series import Step
from shared.rules.tree import W_BARS
from shared.rules.windowed import Windowed


def can_slide(table: Table) -> bool:
    """Return whether one run of the table's steps serves many windows, to the last bit.

    Steps that begin anew in every window are apart (windowed); nothing but rows and each other may
    be made of them.
    """
    reaches = _reaches(table.steps)
    anew = [step for number, step in enumerate(table.steps) if number not in reaches]
    if not all(
        reaches.get(place, 0) <= W_BARS and _can_be_cut(table.steps, place)
        for step in anew
        for place in step.inputs
        if place in reaches
    ):
        return False
    # Known, maybe, where one of the two is not yet.
    if any(step.operation in ("and", "or") for step in anew):
        return False
    made_of = {averages.series for averages in table.averages}
    made_of |= {place for group in table.rollings for place in group.series}
    if not made_of <= reaches.keys():
        return False
    reads = (
        int(read.bars_ago.max()) + reaches.get(read.series, 1)
        for read in table.reads
        if len(read.rows)
    )
    rolled = (
        group.bars_ago + n - 1 + max(reaches[place] for place in group.series)
        for group in table.rollings
        for n in _bars(group)
    )
    if max([*reads, *rolled], default=0) > W_BARS:
        return False
    # Otherwise weights would be made for another history than the one there is.
    return shifts.is_exact() and all(
        reaches[averages.series] - 1 == averages.warm_up for averages in table.averages
    )


def _reaches(steps: Sequence[Step]) -> dict[int, int]:
    """Return place → of how many bars a step makes one, its own included.

    Without those that make one of all of a window.
    """
    found: dict[int, int] = {}
    for place, step in enumerate(steps):
        if all(used in found for used in step.inputs):
            reach = _reach(step, [found[used] for used in step.inputs])
            if reach is not None:
                found[place] = reach
    return found


def _can_be_cut(steps: Sequence[Step], place: int) -> bool:
    """Return whether a series can be cut to a window: before its reach it is surely unknown."""
    step = steps[place]
    function = ALL_FUNCTIONS.get(step.operation)
    reads_conditions = function is not None and any(
        parameter.kind is Kind.CONDITION for parameter in function.parameters
    )
    if step.operation in ("and", "or") or reads_conditions:
        return False
    return all(_can_be_cut(steps, used) for used in step.inputs)


def _reach(step: Step, inputs: Sequence[int]) -> int | None:
    """Return of how many bars a step makes one, its own included; None if of all of a window."""
    if step.operation in ("column", "clock", "number"):
        return 1
    if step.operation == "lag":
        return inputs[0] + int(step.numbers[0])
    if step.operation in OPERATIONS:
        return max(inputs)
    function = ALL_FUNCTIONS.get(step.operation)
    match function.kernel if function else None:
        case Elementwise():
            return max(inputs)
        case Rolling(bars=bars):
            return max(inputs) + bars(*step.numbers) - 1
        case Weighted(weights=own):
            return max(inputs) + len(own(*step.numbers)) - 1
        case Sequential(steps=steps) if steps is not None:
            return max(inputs) + steps
    return None


class Sliding:
    """One table over the bars of many closes. `bars`: not cut at gaps, at most W before the first
    close."""

    def __init__(self, table: Table, bars: Bars) -> None:
        self._table = table
        reaches = _reaches(table.steps)
        self._series = run_some(table.steps, reaches, bars)
        self._windowed = Windowed(table, self._series, reaches)
        self._operands: dict[int, Floats] = {}
        self._shifted = {
            averages.series: shifts.Shifted(averages.blocks, len(averages.rows))
            for averages in table.averages
        }
        self._symbols = bars.symbols
        self._unknown = self._count_unknown(bars)

    def odd(self, ends: Indices) -> NDArray[np.bool_]:
        """Return where a window has a gap, so that its values are not to be had here.

        Shape: ends int64[c], indices of bars -> bool[c, n].
        """
        result = np.zeros((len(ends), self._symbols), dtype=bool)
        for first, counts in self._unknown:
            stops = np.maximum(ends + 1, 0)
            starts = np.maximum(ends + 1 - W_BARS + first, 0)
            result |= counts[stops] > counts[starts]
        result[ends < W_BARS - 1] = True
        return result

    def _count_unknown(self, bars: Bars) -> list[tuple[int, NDArray[np.int32]]]:
        """Return, for what must be known from some bar of a window on, running counts of gaps."""
        needed: list[tuple[int, Floats]] = [
            (0, self._series[place])
            for place, step in enumerate(self._table.steps)
            if step.operation == "column"
        ]
        needed += [(a.warm_up, self._series[a.series]) for a in self._table.averages if a.warm_up]
        needed += [(0, self._series[a.series]) for a in self._table.averages if not a.warm_up]
        found = []
        for first, series in {(first, id(s)): (first, s) for first, s in needed}.values():
            counts = np.zeros((bars.length + 1, self._symbols), dtype=np.int32)
            np.cumsum(~np.isfinite(series[:, : self._symbols]), axis=0, out=counts[1:])
            if counts[-1].any():
                found.append((first, counts))
        return found

    def fill(self, ends: Indices, values: Floats) -> None:
        """Fill the rows that are computed from series, and the constants, for some closes.

        Shape: ends int64[c], rising, at least W - 1; values float64[rows, c, p].
        """
        values[self._table.constant_rows] = self._table.constants[:, None, None]
        self._windowed.fill(ends, values)
        for read in self._table.reads:
            if read.series not in self._series:
                continue
            for row, ago in zip(read.rows.tolist(), read.bars_ago.tolist(), strict=True):
                np.take(self._series[read.series], ends - ago, axis=0, out=values[row])
        for averages in self._table.averages:
            self._fill_averages(averages, ends, values)
        for group in self._table.rollings:
            for row, periods in zip(group.rows.tolist(), group.periods, strict=True):
                values[row] = known_only(self._rolled(group, periods, ends - group.bars_ago))

    def _fill_averages(self, averages: Averages, ends: Indices, values: Floats) -> None:
        source = self._series[averages.series]
        steps = self._operands.get(averages.series)
        if steps is None:
            steps = weights.operand(source, averages.is_plain)
            self._operands[averages.series] = steps
        sums = self._shifted[averages.series].sums(steps, ends)
        agos = np.array(averages.endings)[averages.ending]
        for place, (row, ago) in enumerate(zip(averages.rows.tolist(), agos.tolist(), strict=True)):
            made = sums[place]
            if not averages.is_plain:
                made = averages.totals[place] * source[ends - ago] - made
            values[row] = known_only(made)

    def _rolled(self, group: Rollings, periods: tuple[int | float, ...], ends: Indices) -> Floats:
        kernel = ALL_FUNCTIONS[group.function].kernel
        assert isinstance(kernel, Rolling)
        n = kernel.bars(*periods)
        first, last = int(ends[0]), int(ends[-1])
        sources = [self._series[place] for place in group.series]
        if last - first < 2 * len(ends):
            parts = [source[first - n + 1 : last + 1] for source in sources]
            every = rolling(kernel, parts, periods)[n - 1 :]
            result: Floats = every[ends - first]
            return result
        return np.array(
            [
                kernel.compute(*(source[end - n + 1 : end + 1] for source in sources), *periods)
                for end in ends.tolist()
            ]
        )


def _bars(group: Rollings) -> list[int]:
    kernel = ALL_FUNCTIONS[group.function].kernel
    assert isinstance(kernel, Rolling)
    return [kernel.bars(*periods) for periods in group.periods]
