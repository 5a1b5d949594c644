"""Explanations: a verdict taken apart, down to every number that was looked at, for one symbol.

Not here: why a value is unknown (reasons), the verdicts themselves (verdicts).
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable

import msgspec
import numpy as np

from shared.rules import describe
from shared.rules.contexts import pushed_in, within
from shared.rules.entry import Kind
from shared.rules.kernels import Expansion, Floats
from shared.rules.program import Plan
from shared.rules.reasons import SymbolHistory
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.tables import is_across
from shared.rules.tree import (
    AllOf,
    AnyOf,
    Call,
    Comparison,
    Lag,
    Node,
    Not,
    Number,
    OfInstrument,
    OnInterval,
)

TRUE, FALSE, UNKNOWN = 1, 0, -1

# Processors differ in the last bits of a float64 sum (design D6); twelve digits agree everywhere.
SIGNIFICANT_DIGITS = 12

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
    "==": operators.eq,
    "!=": operators.ne,
}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a verdict. A condition has a `state` (1, 0, -1) and parts, a number a `value`.

    `value` is None, and `reason` is not, where it is unknown. `distance`: of a comparison, left
    minus right at this close. A function of conditions has those as parts, as they are now.
    """

    text: str
    state: int | None = None
    value: float | None = None
    reason: str | None = None
    distance: float | None = None
    parts: tuple[Explanation, ...] = ()


def rounded(value: float) -> float | None:
    """Return a value to the digits that are the same everywhere; None if it is unknown."""
    if not np.isfinite(value):
        return None
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def row_of(plan: Plan, universe: int, node: Node, ago: int) -> int | None:
    """Return the row of a node so many bars ago, None if it has none of its own."""
    return plan.values.get((node, ago, universe if universe and is_across(node) else 0))


def as_written(node: Node, ago: int) -> Node:
    """Return the node with its lag, as a user would write it."""
    if isinstance(node, Lag):
        return as_written(node.operand, ago + node.bars)
    return Lag(node, ago) if ago and not isinstance(node, Number) else node


def parts_of(node: Node, ago: int) -> list[tuple[Node, int]]:
    """Return what a condition is made of, each with how many bars ago it counts.

    Of a function that is not written in terms of others, the conditions it is a function of.
    """
    match node:
        case Lag(operand=operand, bars=bars):
            return [(operand, ago + bars)]
        case OnInterval() | OfInstrument():
            inside = pushed_in(node)
            if inside is not None:
                return [(inside, ago)]
            return [(within(node, part), ago) for part, _ in parts_of(node.operand, 0)]
        case Call(name=name):
            kernel = ALL_FUNCTIONS[name].kernel
            if isinstance(kernel, Expansion):
                return [(kernel.expand(*node.arguments), ago)]
            return _conditions_in(node, ago)
    return [(child, ago) for child in describe.children(node)]


def _conditions_in(node: Node, ago: int) -> list[tuple[Node, int]]:
    match node:
        case Lag(operand=operand, bars=bars):
            return _conditions_in(operand, ago + bars)
        case OnInterval(operand=operand) | OfInstrument(operand=operand):
            # How many bars ago inside does not matter: it is the newest that is shown.
            return [(within(node, part), ago) for part, _ in _conditions_in(operand, 0)]
        case Call(name=name):
            if any(p.kind is Kind.CONDITION for p in ALL_FUNCTIONS[name].parameters):
                sources = (s for s in node.sources if describe.is_condition(s))
                return [(source, ago) for source in sources]
    return []


class Explainer:
    """Explains one rule's verdict for one symbol; `row` is table 0's values of that symbol."""

    def __init__(self, plan: Plan, universe: int, row: Floats, history: SymbolHistory) -> None:
        self._plan = plan
        self._universe = universe
        self._row = row
        self._history = history

    def explain(self, node: Node, ago: int = 0) -> Explanation:
        """Return the explanation of a node so many bars ago."""
        text = describe.text_of(as_written(node, ago))
        if not describe.is_condition(node):
            value = rounded(self._value(node, ago))
            reason = self._history.why_unknown(node, ago) if value is None else None
            parts = tuple(self.explain(*part) for part in _conditions_in(node, ago))
            return Explanation(text=text, value=value, reason=reason, parts=parts)
        parts = tuple(self.explain(*part) for part in parts_of(node, ago))
        distance = None
        if isinstance(node, Comparison):
            left, right = self._value(node.left, ago), self._value(node.right, ago)
            distance = rounded(left - right)
        state = self._state(node, ago, [part.state for part in parts])
        reason = None
        if state == UNKNOWN:
            if not is_value(node):
                reason = next((part.reason for part in parts if part.reason is not None), None)
            reason = reason or self._history.why_unknown(node, ago)
        if isinstance(node, Call) and node.name.startswith("_"):
            text = ""  # a part that no rule can name: see below
        return Explanation(
            text=text, state=state, reason=reason, distance=distance, parts=_named(parts)
        )

    def _state(self, node: Node, ago: int, parts: list[int | None]) -> int:
        match node:
            case Comparison(operator=operator, left=left, right=right):
                a, b = self._value(left, ago), self._value(right, ago)
                if np.isnan(a) or np.isnan(b):
                    return UNKNOWN
                return int(_COMPARE[operator](a, b))
            case Not():
                return UNKNOWN if parts[0] == UNKNOWN else 1 - int(parts[0] or 0)
            case AllOf():
                return FALSE if FALSE in parts else UNKNOWN if UNKNOWN in parts else TRUE
            case AnyOf():
                return TRUE if TRUE in parts else UNKNOWN if UNKNOWN in parts else FALSE
        if is_value(node):
            value = self._value(node, ago)
            return UNKNOWN if np.isnan(value) else int(value > 0.0)
        return int(parts[0] or 0)

    def _value(self, node: Node, ago: int) -> float:
        if isinstance(node, Number):
            return node.value
        row = row_of(self._plan, self._universe, node, ago)
        return self._history.value(node, ago) if row is None else float(self._row[row])


def _named(parts: tuple[Explanation, ...]) -> tuple[Explanation, ...]:
    """Return the parts that have a name, in place of those without it what they are made of."""
    return tuple(shown for part in parts for shown in ((part,) if part.text else part.parts))


def is_value(node: Node) -> bool:
    """Return whether a condition is a value of its own: a function that is true or false."""
    match node:
        case Call(name=name):
            return not isinstance(ALL_FUNCTIONS[name].kernel, Expansion)
        case OnInterval() | OfInstrument():
            return pushed_in(node) is None
    return False
