"""Why a value is unknown, for one symbol; computed anew on demand, as few ever ask.

Not here: the values themselves (verdicts).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules import describe
from shared.rules.kernels import Elementwise, Expansion, Floats
from shared.rules.registry import ALL_FUNCTIONS, SERIES
from shared.rules.series import SeriesSteps, run_steps
from shared.rules.tree import W_BARS, Arithmetic, Call, Lag, Negative, Node, Series

MISSING = "missing"
DIVISION_BY_ZERO = "division by zero"
NOT_FINITE = "not a finite number"


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a verdict. A condition has a `state` (1, 0, -1) and parts, a number a `value`.

    `value` is None, and `reason` is not, where it is unknown.
    """

    text: str
    state: int | None = None
    value: float | None = None
    reason: str | None = None
    parts: tuple[Explanation, ...] = ()


class SymbolHistory:
    """The bars of one symbol: float64[8, ≤ W, 1]."""

    def __init__(self, columns: NDArray[np.float64]) -> None:
        self._columns = columns
        self._series: dict[Node, Floats] = {}

    def why_unknown(self, node: Node, ago: int) -> str:
        """Return the reason for which a numeric node is unknown so many bars ago."""
        known_bars = self._known_bars(node)
        if known_bars == 0:
            return MISSING
        needed = describe.bars_needed(node) + ago
        if known_bars < needed:
            return f"warming up ({known_bars} of {needed} bars)"
        return self._why_inside(node, ago)

    def _why_inside(self, node: Node, ago: int) -> str:
        """Return the reason when there is history enough."""
        match node:
            case Lag(operand=operand, bars=bars):
                return self.why_unknown(operand, ago + bars)
            case Negative(operand=operand):
                return self.why_unknown(operand, ago)
            case Arithmetic(operator=operator, left=left, right=right):
                for side in (left, right):
                    if not self._is_known(side, ago):
                        return self.why_unknown(side, ago)
                if operator == "/" and self._at(right, ago) == 0.0:
                    return DIVISION_BY_ZERO
            case Series(name=name):
                expression = SERIES[name].expression
                if expression is not None:
                    return self._why_inside(expression, ago)
            case Call():
                return self._why_call(node, ago)
        return NOT_FINITE

    def _why_call(self, call: Call, ago: int) -> str:
        kernel = ALL_FUNCTIONS[call.name].kernel
        if isinstance(kernel, Expansion):
            return self._why_inside(kernel.expand(*call.arguments), ago)
        for source in call.sources:
            if isinstance(kernel, Elementwise):
                if not self._is_known(source, ago):
                    return self.why_unknown(source, ago)
                continue
            # The last unknown bar is where its history restarted.
            oldest = W_BARS - describe.bars_needed(source)
            for bars_ago in range(ago, oldest + 1):
                if not self._is_known(source, bars_ago):
                    return self.why_unknown(source, bars_ago)
        return NOT_FINITE

    def _known_bars(self, node: Node) -> int:
        """Return how long the history of every column that the node uses is."""
        used = sorted(describe.columns_of(node))
        known: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(self._columns[used, :, 0]))
        return len(known) if known.all() else int(known[::-1].argmin())

    def _is_known(self, node: Node, ago: int) -> bool:
        return bool(np.isfinite(self._at(node, ago)))

    def _at(self, node: Node, ago: int) -> float:
        return float(self._of(node)[W_BARS - 1 - ago])

    def _of(self, node: Node) -> Floats:
        """Return the node at every bar, float64[W]."""
        if node not in self._series:
            steps = SeriesSteps()
            place = steps.add(node)
            self._series[node] = run_steps(steps.steps, self._columns)[place][:, 0]
        return self._series[node]
