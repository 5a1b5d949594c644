"""Merge rules into one plan: what to compute once for all of them, for all symbols.

Every distinct number is one row of a table (rows), every distinct condition one row of bits.
Crosses and other conditions written in terms of others dissolve here; a > b and b < a, `not a < b`
and `a >= b` become the same thing. Pure and deterministic. Not here: the layout (pack), any number
from the market (evaluate).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from shared.market.interval import Interval
from shared.rules.contexts import pushed_in
from shared.rules.kernels import Expansion
from shared.rules.pack import pack
from shared.rules.program import Plan
from shared.rules.recipes import (
    BitsRecipe,
    Conjunction,
    Constant,
    Equal,
    Less,
    Literal,
)
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.rows import Rows
from shared.rules.series import step_cost
from shared.rules.tables import Tables, Universe, is_across
from shared.rules.tree import (
    AllOf,
    AnyOf,
    Call,
    Comparison,
    Lag,
    Node,
    Not,
    OfInstrument,
    OnInterval,
    Rule,
)


def build_plan(rules: Sequence[Rule], universes: Sequence[Universe] | None = None) -> Plan:
    """Return the plan that evaluates these rules together.

    `universes`: of each rule, the symbols that its functions across instruments range over, or
    None for all of the window. Raises: ValueError if rules were read for different intervals.
    """
    builder = _Builder(_interval_of(rules))
    results, universe_of_rule = [], []
    for place, rule in enumerate(rules):
        universe = universes[place] if universes else None
        builder.tables.enter(universe if universe is None or is_across(rule.tree) else None)
        universe_of_rule.append(builder.tables.universe)
        results.append(builder.condition(rule.tree, 0))
    return pack(rules, universe_of_rule, results, builder.rows, builder.bits)


def rule_cost(tree: Node, cost_max: int, interval: Interval | None = None) -> int:
    """Return what a rule costs on its own, in rows of values; once over `cost_max`, any more.

    `interval`: the rule's own, needed if it reads longer ones. A series that must be known at every
    bar, as the source of another function, counts as many rows; the columns themselves count
    nothing, since everybody shares them.
    """
    builder = _Builder(interval, rows_max=cost_max)
    builder.condition(tree, 0)
    steps = builder.rows.series.all_steps()
    return builder.rows.rows_count + sum(step_cost(step) for step in steps)


def _interval_of(rules: Sequence[Rule]) -> Interval | None:
    found = {rule.interval for rule in rules if rule.interval is not None}
    if len(found) > 1:
        raise ValueError(f"expected rules for one interval, was {', '.join(sorted(found))}")
    return found.pop() if found else None


class _Builder:
    def __init__(self, interval: Interval | None, rows_max: int = sys.maxsize) -> None:
        self.tables = Tables(interval)
        self.rows = Rows(self.tables, rows_max)
        self.bits: dict[BitsRecipe, int] = {}
        self._conditions: dict[tuple[Node, int, int], Literal] = {}

    def condition(self, node: Node, ago: int) -> Literal:
        """Return the bits that hold a condition so many bars ago."""
        key = (node, ago, self.tables.universe_of(node))
        found = self._conditions.get(key)
        if found is None:
            found = self._condition(node, ago)
            self._conditions[key] = found
        return found

    def _condition(self, node: Node, ago: int) -> Literal:
        match node:
            case Comparison(operator=operator, left=left, right=right):
                sides = self.rows.value(left, ago), self.rows.value(right, ago)
                return self._comparison(operator, *sides)
            case Not(operand=operand):
                bit, negated = self.condition(operand, ago)
                return bit, not negated
            case Lag(operand=operand, bars=bars):
                return self.condition(operand, ago + bars)
            case AllOf(operands=operands):
                return self._all([self.condition(operand, ago) for operand in operands])
            case AnyOf(operands=operands):
                # a or b = not (not a and not b), in three-valued logic too.
                literals = [self.condition(operand, ago) for operand in operands]
                bit, negated = self._all([(b, not n) for b, n in literals])
                return bit, not negated
            case OnInterval() | OfInstrument():
                inside = pushed_in(node)
                if inside is not None:
                    return self.condition(inside, ago)
                return self._truth(node, ago)
            case Call(name=name):
                kernel = ALL_FUNCTIONS[name].kernel
                if isinstance(kernel, Expansion):
                    return self.condition(kernel.expand(*node.arguments), ago)
                return self._truth(node, ago)
        raise AssertionError(f"a number is not a condition: {node}")

    def _truth(self, node: Node, ago: int) -> Literal:
        """Return the bits of what has a value: 1 true, 0 false, NaN unknown."""
        return self._comparison(">", self.rows.value(node, ago), self.rows.row(Constant(0.0)))

    def _comparison(self, operator: str, left: int, right: int) -> Literal:
        match operator:
            case "<":
                return self._bit(Less(left, right)), False
            case ">":
                return self._bit(Less(right, left)), False
            case ">=":
                return self._bit(Less(left, right)), True
            case "<=":
                return self._bit(Less(right, left)), True
        return self._bit(Equal(min(left, right), max(left, right))), operator == "!="

    def _all(self, literals: list[Literal]) -> Literal:
        distinct = tuple(sorted(set(literals)))
        if len(distinct) == 1:
            return distinct[0]
        return self._bit(Conjunction(distinct)), False

    def _bit(self, recipe: BitsRecipe) -> int:
        return self.bits.setdefault(recipe, len(self.bits))
