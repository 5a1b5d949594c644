"""Verdicts: what a plan found at one close, by rule and symbol, with the values behind it.

Not here: computing (evaluate). Made by evaluate; read by the functions and the preview.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import describe
from shared.rules.explain import (
    FALSE,
    SIGNIFICANT_DIGITS,
    TRUE,
    UNKNOWN,
    Explainer,
    Explanation,
    as_written,
    is_value,
    parts_of,
    rounded,
    row_of,
)
from shared.rules.kernels import Floats
from shared.rules.market import views_at
from shared.rules.program import Plan
from shared.rules.reasons import SymbolHistory
from shared.rules.tree import Comparison, Node, Number

__all__ = ["FALSE", "SIGNIFICANT_DIGITS", "TRUE", "UNKNOWN", "Bits", "Verdicts"]

# Bits of conditions: [0] where true, [1] where false; uint64[2, conditions, symbols / 64].
Bits = NDArray[np.uint64]


class Verdicts(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The verdict of every rule for every symbol; rule and symbol indices as given to the plan
    and the window.

    `window`, `longer`: what was evaluated, `end` of the window's bars. `rows`: values of table 0,
    float64[rows, padded n].
    """

    plan: Plan
    window: Window
    longer: Mapping[Interval, Window]
    end: int
    rows: Floats
    bits: Bits

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of the window."""
        return self.window.symbols

    def state(self, rule_index: int) -> NDArray[np.int8]:
        """Return int8[n]: 1 true, 0 false, -1 unknown."""
        result: NDArray[np.int8] = self._states(slice(rule_index, rule_index + 1))[0]
        return result

    def states(self) -> NDArray[np.int8]:
        """Return int8[rules, n]: `state` of all rules at once."""
        return self._states(slice(None))

    def values(self, rule_index: int, symbol_index: int) -> dict[str, float]:
        """Return what the rule compared: canonical text of each side → its value at this close.

        A cross shows its sides at the bar before, too. Constants and unknown values are left out.
        """
        sides = self.plan.sides.get(rule_index)
        if sides is None:
            # Writing the texts costs thirty times more than reading the values: once a plan.
            sides = self.plan.sides[rule_index] = tuple(
                (describe.text_of(as_written(node, ago)), self._row(rule_index, node, ago))
                for node, ago in _sides(self.plan.rules[rule_index].tree, 0)
                if not isinstance(node, Number)
            )
        found = ((text, rounded(float(self.rows[row, symbol_index]))) for text, row in sides)
        return {text: value for text, value in found if value is not None}

    def numbers(self, rule_index: int, node: Node, ago: int) -> Floats:
        """Return the value of a part of a rule so many bars ago, float64[n], NaN where unknown.

        The part: a side of a comparison, or a condition that is a function of its own (as 1, 0).
        """
        result: Floats = self.rows[self._row(rule_index, node, ago), : len(self.symbols)]
        return result

    def unknown_reason(self, rule_index: int, symbol_index: int) -> str | None:
        """Return why the verdict is unknown, None if it is known.

        "missing" · "stale" · "warming up (n of m bars)" · "never true in n bars" ·
        "division by zero" · "outside the universe" · "not a finite number".
        """
        return self.tree(rule_index, symbol_index).reason

    def tree(self, rule_index: int, symbol_index: int) -> Explanation:
        """Return the verdict with those of its parts, down to every number that was looked at."""
        universe = int(self.plan.universe_of_rule[rule_index])
        chains = [table.chain for table in self.plan.tables]
        views = views_at(chains, self.window, self.end, self.longer)
        history = SymbolHistory(self.plan, views, self.symbols, universe, symbol_index)
        with np.errstate(all="ignore"):
            row = self.rows[:, symbol_index]
            tree = self.plan.rules[rule_index].tree
            return Explainer(self.plan, universe, row, history).explain(tree)

    def _row(self, rule_index: int, node: Node, ago: int) -> int:
        row = row_of(self.plan, int(self.plan.universe_of_rule[rule_index]), node, ago)
        assert row is not None, f"not a part of the rule: {node}"
        return row

    def _states(self, rules: slice) -> NDArray[np.int8]:
        conditions = self.plan.result_conditions[rules]
        negated = self.plan.result_negated[rules]
        true = self._unpack(self.bits[negated, conditions])
        false = self._unpack(self.bits[1 - negated, conditions])
        # In place: of many rules each of these arrays is large.
        true *= 2
        true += false
        true -= 1
        return true

    def _unpack(self, words: NDArray[np.uint64]) -> NDArray[np.int8]:
        bytes_ = np.ascontiguousarray(words).view(np.uint8)
        return np.unpackbits(bytes_, axis=1, count=len(self.symbols)).view(np.int8)


def _sides(node: Node, ago: int) -> Iterator[tuple[Node, int]]:
    """Yield both sides of every comparison in a condition, but for those inside functions."""
    if describe.is_condition(node):
        for part, earlier in parts_of(node, ago):
            if isinstance(node, Comparison):
                yield part, earlier
            elif not is_value(node):
                yield from _sides(part, earlier)
