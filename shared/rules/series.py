"""Series that must be known at every bar: which steps make them, and running the steps.

Used by the plan for the sources of functions over bars, and by explain for one symbol. Not here:
values at single bars, which are most of the work (plan, evaluate).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules import describe, weights
from shared.rules.kernels import (
    Elementwise,
    Expansion,
    Floats,
    Kernel,
    Rolling,
    Sequential,
    Smoothed,
    Weighted,
    smooth,
)
from shared.rules.registry import ALL_FUNCTIONS, SERIES
from shared.rules.tree import W_BARS, Arithmetic, Call, Lag, Negative, Node, Number, Series

ARITHMETIC: dict[str, np.ufunc] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}
COMMUTATIVE = ("+", "*", "max", "min")


class Step(msgspec.Struct, frozen=True):
    """One series: an operation on earlier steps.

    `operation`: "column" (index in `numbers`), "number" (value in `numbers`), "negative", "lag"
    (bars in `numbers`), an arithmetic operator, or a function (its periods in `numbers`).
    """

    operation: str
    inputs: tuple[int, ...]
    numbers: tuple[float, ...]


class SeriesSteps:
    """Collects steps, each distinct one once, in an order in which they can be run."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        # Bars at the window's start at which a step is never known, however long the history.
        self.warm_ups: list[int] = []
        self._of_node: dict[Node, int] = {}
        self._of_step: dict[Step, int] = {}

    def add(self, node: Node) -> int:
        """Return the place of the step that makes the node's series."""
        found = self._of_node.get(node)
        if found is None:
            found = self._place(node)
            self._of_node[node] = found
        return found

    def _place(self, node: Node) -> int:
        match node:
            case Number(value=value):
                return self._step(node, "number", (), (value,))
            case Series(name=name):
                entry = SERIES[name]
                if entry.expression is not None:
                    return self.add(entry.expression)
                assert entry.column is not None
                return self._step(node, "column", (), (entry.column,))
            case Negative(operand=operand):
                return self._step(node, "negative", (self.add(operand),), ())
            case Lag(operand=operand, bars=bars):
                return self._step(node, "lag", (self.add(operand),), (bars,))
            case Arithmetic(operator=operator, left=left, right=right):
                return self._step(node, operator, (self.add(left), self.add(right)), ())
            case Call(name=name):
                kernel = ALL_FUNCTIONS[name].kernel
                if isinstance(kernel, Expansion):
                    return self.add(kernel.expand(*node.arguments))
                inputs = tuple(self.add(source) for source in node.sources)
                return self._step(node, name, inputs, node.periods)
        raise AssertionError(f"a condition has no numeric series: {node}")

    def _step(
        self, node: Node, operation: str, inputs: tuple[int, ...], numbers: tuple[float, ...]
    ) -> int:
        if operation in COMMUTATIVE:
            inputs = tuple(sorted(inputs))
        step = Step(operation, inputs, numbers)
        place = self._of_step.setdefault(step, len(self.steps))
        if place == len(self.steps):
            self.steps.append(step)
            self.warm_ups.append(max(describe.bars_needed(node) - 1, 0))
        return place


def step_cost(step: Step) -> int:
    """Return what a step takes, in rows of values: measured as below for 500 symbols, over 0.1 ms.

    An element-wise step or a recursion takes about 2 ms, sums and extremes at every bar 10 ms.
    """
    if step.operation in ("column", "number"):
        return 0
    function = ALL_FUNCTIONS.get(step.operation)
    is_slow = function is not None and isinstance(function.kernel, Weighted | Rolling)
    return 100 if is_slow else 20


def run_steps(steps: Sequence[Step], columns: NDArray[np.float64]) -> list[Floats]:
    """Return the series of every step, float64[W, s] each, NaN where unknown, else finite.

    Shape: columns float64[8, bars, s]; the last W bars count. s is padded to a multiple of 64.
    """
    made: list[Floats] = []
    for step in steps:
        inputs = [made[place] for place in step.inputs]
        made.append(_run(step, inputs, columns))
    return made


def _run(step: Step, inputs: list[Floats], columns: NDArray[np.float64]) -> Floats:
    match step.operation:
        case "column":
            return history(columns[int(step.numbers[0])])
        case "number":
            return np.full((W_BARS, weights.padded_symbols(columns.shape[2])), step.numbers[0])
        case "negative":
            return -inputs[0]
        case "lag":
            bars = int(step.numbers[0])
            result = np.full_like(inputs[0], np.nan)
            result[bars:] = inputs[0][:-bars]
            return result
        case operator if operator in ARITHMETIC:
            return known_only(ARITHMETIC[operator](*inputs))
    periods = tuple(int(number) for number in step.numbers)
    return known_only(_call(ALL_FUNCTIONS[step.operation].kernel, inputs, periods))


def _call(kernel: Kernel, inputs: list[Floats], periods: tuple[int, ...]) -> Floats:
    match kernel:
        case Elementwise(compute=compute):
            return compute(*inputs)
        case Sequential(compute=compute):
            return compute(*inputs, *periods)
        case Smoothed(alpha=alpha):
            ago = range(W_BARS)[::-1]
            return smooth(inputs[0], [alpha(periods[0])], [periods[0]], ago)[:, 0]
        case Weighted():
            return _weighted(kernel, inputs[0], periods)
        case Rolling(compute=compute):
            bars = kernel.bars(*periods)
            result = np.full_like(inputs[0], np.nan)
            for bar in range(bars - 1, W_BARS):
                parts = [source[bar + 1 - bars : bar + 1] for source in inputs]
                result[bar] = compute(*parts, *periods)
            return result
    raise AssertionError(f"expanded before: {kernel}")


def _weighted(kernel: Weighted, source: Floats, periods: tuple[int, ...]) -> Floats:
    own = kernel.weights(*periods)
    ends = range(len(own) - 1, W_BARS)
    rows = [weights.difference_row(own, W_BARS - 1 - end) for end in ends]
    sums = weights.product(weights.pack_rows(rows), weights.differences(source))
    result = np.full_like(source, np.nan)
    result[ends.start :] = kernel.total * source[ends.start :] - sums[: len(rows)]
    result[known_runs(source, range(W_BARS)[::-1]) < len(own)] = np.nan
    return result


def history(column: Floats) -> Floats:
    """Return the last W bars of a column of the window, each symbol from after its last gap on.

    Shape: float64[bars, n] -> float64[W, p], p = n padded to a multiple of 64; NaN = unknown. The
    padding is 1 throughout: known, so that it takes no time as a short history.
    """
    bars = min(len(column), W_BARS)
    result = np.empty((W_BARS, weights.padded_symbols(column.shape[1])))
    result[: W_BARS - bars, : column.shape[1]] = np.nan
    result[:, column.shape[1] :] = 1.0
    part = result[W_BARS - bars :, : column.shape[1]]
    part[:] = column[len(column) - bars :]
    unknown = ~np.isfinite(part)
    if unknown.any():
        places = np.arange(bars, dtype=np.int16)[:, None]
        last_unknown = np.where(unknown, places, np.int16(-1)).max(axis=0)
        part[places <= last_unknown] = np.nan
    return result


def known_only(values: Floats) -> Floats:
    """Return the same array with whatever is not finite made NaN, in place."""
    np.copyto(values, np.nan, where=~np.isfinite(values))
    return values


def known_runs(source: Floats, bars_ago: Sequence[int], warm_up: int = 0) -> NDArray[np.int64]:
    """Return how many known bars in a row end at each of the bars asked for.

    Shape: float64[W, s] -> int64[len(bars_ago), s]. `warm_up`: bars at the start that are unknown.
    """
    bars = len(source)
    ends = bars - 1 - np.asarray(bars_ago, dtype=np.int64)[:, None]
    if np.isfinite(source[warm_up:]).all():
        return np.broadcast_to(ends + 1 - warm_up, (len(bars_ago), source.shape[1]))
    places = np.arange(bars, dtype=np.int16)[:, None]
    unknown = np.where(np.isfinite(source), np.int16(-1), places)
    if len(bars_ago) > 8:
        last = np.maximum.accumulate(unknown, axis=0)[[bars - 1 - ago for ago in bars_ago]]
    else:
        last = np.array([unknown[: bars - ago].max(axis=0) for ago in bars_ago])
    return ends - last
