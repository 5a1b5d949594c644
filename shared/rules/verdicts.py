"""Verdicts: what a plan found at one close, by rule and symbol, with the values behind it.

Not here: computing (evaluate). Made by evaluate; read by the functions and the preview.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules import describe
from shared.rules.explain import Explanation, SymbolHistory
from shared.rules.kernels import Expansion, Floats
from shared.rules.program import Plan
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.tree import Call, Comparison, Lag, Node, Number

TRUE, FALSE, UNKNOWN = 1, 0, -1

# Bits of conditions: [0] where true, [1] where false; uint64[2, conditions, symbols / 64].
Bits = NDArray[np.uint64]

# Processors differ in the last bits of a float64 sum (design D6); twelve digits agree everywhere.
SIGNIFICANT_DIGITS = 12


class Verdicts(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The verdict of every rule for every symbol; rule and symbol indices as given to the plan
    and the window.

    `columns`: the bars that counted, float64[8, ≤ W, n]. `rows`: values, float64[rows, padded n].
    """

    plan: Plan
    symbols: tuple[str, ...]
    columns: NDArray[np.float64]
    rows: Floats
    bits: Bits

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
                (describe.text_of(_as_written(node, ago)), self.plan.values[node, ago])
                for node, ago in _sides(self.plan.rules[rule_index].tree, 0)
                if not isinstance(node, Number)
            )
        found = ((text, self._number(row, symbol_index)) for text, row in sides)
        return {text: value for text, value in found if value is not None}

    def unknown_reason(self, rule_index: int, symbol_index: int) -> str | None:
        """Return why the verdict is unknown, None if it is known.

        "missing" · "warming up (n of m bars)" · "division by zero" · "not a finite number".
        """
        return self.tree(rule_index, symbol_index).reason

    def tree(self, rule_index: int, symbol_index: int) -> Explanation:
        """Return the verdict with those of its parts, down to every number that was looked at."""
        history = SymbolHistory(self.columns[:, :, symbol_index : symbol_index + 1])
        with np.errstate(all="ignore"):
            tree = self.plan.rules[rule_index].tree
            return self._explain(tree, 0, symbol_index, history)

    def _states(self, rules: slice) -> NDArray[np.int8]:
        conditions = self.plan.result_conditions[rules]
        negated = self.plan.result_negated[rules]
        true = self._unpack(self.bits[negated, conditions])
        false = self._unpack(self.bits[1 - negated, conditions])
        result: NDArray[np.int8] = 2 * true + false - np.int8(1)
        return result

    def _unpack(self, words: NDArray[np.uint64]) -> NDArray[np.int8]:
        bytes_ = np.ascontiguousarray(words).view(np.uint8)
        return np.unpackbits(bytes_, axis=1, count=len(self.symbols)).view(np.int8)

    def _state(self, node: Node, ago: int, symbol: int) -> int:
        condition, negated = self.plan.conditions[node, ago]
        byte, bit = divmod(symbol, 8)
        both = self.bits[:, condition].view(np.uint8)[:, byte]
        true, false = (int(byte_) >> (7 - bit) & 1 for byte_ in both)
        if negated:
            true, false = false, true
        return TRUE if true else FALSE if false else UNKNOWN

    def _value(self, node: Node, ago: int, symbol: int) -> float | None:
        return self._number(self.plan.values[node, ago], symbol)

    def _number(self, row: int, symbol: int) -> float | None:
        value = float(self.rows[row, symbol])
        return None if np.isnan(value) else float(f"{value:.{SIGNIFICANT_DIGITS}g}")

    def _explain(self, node: Node, ago: int, symbol: int, history: SymbolHistory) -> Explanation:
        if not describe.is_condition(node):
            value = self._value(node, ago, symbol)
            reason = history.why_unknown(node, ago) if value is None else None
            text = describe.text_of(_as_written(node, ago))
            return Explanation(text=text, value=value, reason=reason)
        parts = tuple(
            self._explain(child, earlier, symbol, history) for child, earlier in _parts(node, ago)
        )
        state = self._state(node, ago, symbol)
        reason = None
        if state == UNKNOWN:
            reason = next(part.reason for part in parts if part.reason is not None)
        text = describe.text_of(_as_written(node, ago))
        return Explanation(text=text, state=state, reason=reason, parts=parts)


def _parts(node: Node, ago: int) -> list[tuple[Node, int]]:
    """Return what a condition is made of, each with how many bars ago it counts."""
    if isinstance(node, Lag):
        return [(node.operand, ago + node.bars)]
    if isinstance(node, Call):
        kernel = ALL_FUNCTIONS[node.name].kernel
        assert isinstance(kernel, Expansion)
        return [(kernel.expand(*node.arguments), ago)]
    return [(child, ago) for child in describe.children(node)]


def _sides(node: Node, ago: int) -> Iterator[tuple[Node, int]]:
    """Yield both sides of every comparison in a condition."""
    for part, earlier in _parts(node, ago):
        if isinstance(node, Comparison):
            yield part, earlier
        else:
            yield from _sides(part, earlier)


def _as_written(node: Node, ago: int) -> Node:
    """Return the node with its lag, as a user would write it."""
    if isinstance(node, Lag):
        return _as_written(node.operand, ago + node.bars)
    return Lag(node, ago) if ago and not isinstance(node, Number) else node
