"""Why a value is unknown, for one symbol; computed anew on demand, as few ever ask.

Not here: the values that a plan has anyway (verdicts), how a verdict is made of them (explain).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.rules import describe
from shared.rules.contexts import columns_of, instruments_of
from shared.rules.kernels import (
    CrossSection,
    Elementwise,
    Expansion,
    Floats,
    Recursion,
    Rolling,
    Sequential,
    Weighted,
)
from shared.rules.market import MISSING, View
from shared.rules.program import Plan
from shared.rules.registry import ALL_FUNCTIONS, SERIES
from shared.rules.running import Longer, run_steps
from shared.rules.series import SeriesSteps
from shared.rules.symbols import symbols_of
from shared.rules.tables import Tables, is_across
from shared.rules.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    Call,
    Comparison,
    Lag,
    Node,
    Not,
    OfInstrument,
    OnInterval,
    Series,
)
from shared.rules.weights import padded_symbols

DIVISION_BY_ZERO = "division by zero"
NOT_FINITE = "not a finite number"
OUTSIDE = "outside the universe"
WARMING_UP = "warming up"

# Sums of squares of numbers below this are finite.
_ORDINARY = 1e100


class SymbolHistory:
    """The bars of one symbol, and of those that a rule reads besides, on every interval.

    `views` and `universe` (its number) are those of the plan; `symbols` those of the window.
    """

    def __init__(
        self,
        plan: Plan,
        views: tuple[View, ...],
        symbols: tuple[str, ...],
        universe: int,
        symbol: int,
    ) -> None:
        self._views = views
        self._symbols = symbols
        self._symbol = symbol
        self._tables = Tables(views[0].interval)
        self._tables.chains = [table.chain for table in plan.tables]
        self._tables.universes = list(plan.universes)
        self._tables.universe = universe
        self._series: dict[tuple[Node, int, int], Floats] = {}

    def why_unknown(self, node: Node, ago: int) -> str:
        """Return the reason for which a node is unknown so many bars ago."""
        return self._why(node, ago, 0, self._symbol)

    def value(self, node: Node, ago: int) -> float:
        """Return a node's value so many bars ago, NaN if unknown; of a condition, its truth."""
        return self._at(node, ago, 0, self._symbol)

    def _why(self, node: Node, ago: int, table: int, symbol: int) -> str:
        problem = self._views[table].problem
        if problem is not None:
            return problem
        match node:
            case Lag(operand=operand, bars=bars):
                return self._why(operand, ago + bars, table, symbol)
            case Comparison() | AllOf() | AnyOf() | Not():
                return self._first_unknown(describe.children(node), ago, table, symbol)
            case Call(name=name) if describe.is_condition(node):
                kernel = ALL_FUNCTIONS[name].kernel
                if isinstance(kernel, Expansion):
                    return self._why(kernel.expand(*node.arguments), ago, table, symbol)
        known = self._known_bars(node, table, symbol)
        needed = describe.bars_needed(node) + ago
        if known == 0:
            return MISSING
        if known < needed:
            return f"{WARMING_UP} ({known} of {needed} bars)"
        return self._why_inside(node, ago, table, symbol, known)

    def _why_inside(self, node: Node, ago: int, table: int, symbol: int, known: int) -> str:
        """Return the reason when there is history enough."""
        match node:
            case OnInterval(operand=operand, interval=interval):
                longer = self._tables.longer(table, interval)
                if longer == table:
                    return self._why(operand, ago, table, symbol)
                inside = self._views[table].bars_of_longer(self._views[longer], [ago])[0]
                return self._why(operand, int(inside), longer, symbol)
            case OfInstrument(instrument=instrument, operand=operand):
                if instrument not in self._symbols:
                    return MISSING
                return self._why(operand, ago, table, self._symbols.index(instrument))
            case Series(name=name):
                expression = SERIES[name].expression
                if expression is not None:
                    return self._why(expression, ago, table, symbol)
                return NOT_FINITE
            case Arithmetic(operator="/", right=right):
                if self._at(right, ago, table, symbol) == 0.0 and self._is_known(
                    node.left, ago, table, symbol
                ):
                    return DIVISION_BY_ZERO
            case Call(name="bars_since"):
                return self._why_never(node.sources[0], ago, table, symbol, known)
            case Call():
                return self._why_call(node, ago, table, symbol)
        return self._first_unknown(describe.children(node), ago, table, symbol)

    def _why_call(self, call: Call, ago: int, table: int, symbol: int) -> str:
        kernel = ALL_FUNCTIONS[call.name].kernel
        length = self._views[table].bars.columns.shape[1]
        match kernel:
            case Expansion(expand=expand):
                return self._why(expand(*call.arguments), ago, table, symbol)
            case Elementwise() | CrossSection():
                reach = 1
            case Rolling() | Weighted():
                reach = ALL_FUNCTIONS[call.name].warm_up_bars(call.periods)
            case _:
                reach = length
        # The last unknown bar is where its history restarted.
        for bars_ago in range(ago, min(ago + reach, length)):
            for source in call.sources:
                if not self._is_known(source, bars_ago, table, symbol):
                    return self._why(source, bars_ago, table, symbol)
        if isinstance(kernel, CrossSection) and not self._is_member(symbol):
            return OUTSIDE
        # A sum of what is known is known; what these may lack besides is a value to divide by.
        divides = isinstance(kernel, Rolling | Sequential | Recursion | CrossSection)
        values = (self._at(source, ago, table, symbol) for source in call.sources)
        if divides and all(abs(value) < _ORDINARY for value in values):
            return DIVISION_BY_ZERO
        return NOT_FINITE

    def _why_never(self, condition: Node, ago: int, table: int, symbol: int, known: int) -> str:
        length = self._views[table].bars.columns.shape[1]
        for bars_ago in range(ago, length):
            if not self._is_known(condition, bars_ago, table, symbol):
                reason = self._why(condition, bars_ago, table, symbol)
                if reason.startswith(WARMING_UP):
                    break
                return reason
        return f"never true in {known} bars"

    def _first_unknown(self, parts: tuple[Node, ...], ago: int, table: int, symbol: int) -> str:
        for part in parts:
            if not self._is_known(part, ago, table, symbol):
                return self._why(part, ago, table, symbol)
        return NOT_FINITE

    def _known_bars(self, node: Node, table: int, symbol: int) -> int:
        """Return how long the history of every column is that the node uses in its context."""
        bars = self._views[table].bars
        used = sorted(columns_of(node, self._views[table].interval))
        length = int(bars.columns.shape[1])
        if not used:
            return length
        place = symbol if bars.places is None else int(bars.places[symbol])
        if place < 0:
            return 0
        finite = np.isfinite(bars.columns[used, :, place])
        known: NDArray[np.bool_] = np.logical_and.reduce(finite, axis=0)
        return length if known.all() else int(known[::-1].argmin())

    def _is_member(self, symbol: int) -> bool:
        universe = self._tables.universes[self._tables.universe]
        return universe is None or self._symbols[symbol] in universe

    def _is_known(self, node: Node, ago: int, table: int, symbol: int) -> bool:
        return bool(np.isfinite(self._at(node, ago, table, symbol)))

    def _at(self, node: Node, ago: int, table: int, symbol: int) -> float:
        if self._views[table].problem is not None:
            return np.nan
        series = self._of(node, table, symbol)
        return float(series[len(series) - 1 - ago]) if ago < len(series) else np.nan

    def _of(self, node: Node, table: int, symbol: int) -> Floats:
        """Return the node at every bar, float64[W]; of a condition, its truth."""
        key = (node, table, symbol)
        if key not in self._series:
            steps = SeriesSteps(self._tables)
            place = steps.add(node, table)
            # Alone, unless what the others are matters.
            chosen = [symbol]
            if is_across(node):
                chosen += [other for other in range(len(self._symbols)) if other != symbol]
            else:
                named = instruments_of(node)
                chosen += [i for i, s in enumerate(self._symbols) if s in named and i != symbol]
            self._series[key] = self._run(steps, table, chosen)[place][:, 0]
        return self._series[key]

    def _run(self, steps: SeriesSteps, table: int, chosen: list[int]) -> list[Floats]:
        symbols = symbols_of(
            [self._symbols[place] for place in chosen],
            padded_symbols(len(chosen)),
            self._tables.universes,
        )
        own = steps.steps(table)
        view = self._views[table]
        longer = {}
        for other in {int(step.numbers[0]) for step in own if step.operation == "held"}:
            there = self._views[other]
            series = None if there.problem else self._run(steps, other, chosen)
            longer[other] = Longer(series, view.held_places(there))
        return run_steps(own, view.bars.only(chosen), symbols, longer)
