"""Merge rules into one plan: what to compute once for all of them, for all symbols.

Every distinct value "this node, so many bars ago" becomes one row of a table; every distinct
condition one row of bits. Lags, crosses and functions written in terms of others dissolve here;
a + b and b + a, a > b and b < a, `not a < b` and `a >= b` become the same thing. Pure and
deterministic. Not here: the layout (program), any number from the market (evaluate).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from shared.rules.kernels import Elementwise, Expansion, Sequential, Smoothed, Weighted
from shared.rules.pack import pack
from shared.rules.program import (
    Average,
    BitsRecipe,
    Conjunction,
    Constant,
    Element,
    Equal,
    Less,
    Literal,
    Plan,
    Read,
    Rolled,
    ValueRecipe,
)
from shared.rules.registry import ALL_FUNCTIONS, SERIES
from shared.rules.series import COMMUTATIVE, SeriesSteps, step_cost
from shared.rules.tree import (
    AllOf,
    AnyOf,
    Arithmetic,
    Call,
    Comparison,
    Lag,
    Negative,
    Node,
    Not,
    Number,
    Rule,
    Series,
)


def build_plan(rules: Sequence[Rule]) -> Plan:
    """Return the plan that evaluates these rules together; rule i is results[i]."""
    builder = _Builder()
    results = [builder.condition(rule.tree, 0) for rule in rules]
    return pack(
        rules,
        results,
        builder.series,
        builder.rows,
        builder.bits,
        builder.values,
        builder.conditions,
    )


def rule_cost(tree: Node, cost_max: int) -> int:
    """Return what a rule costs on its own, in rows of values; once over `cost_max`, any more.

    A series that must be known at every bar, as the source of another function, counts as many
    rows; the columns themselves count nothing, since everybody shares them.
    """
    builder = _Builder(rows_max=cost_max)
    builder.condition(tree, 0)
    return len(builder.rows) + sum(step_cost(step) for step in builder.series.steps)


class _Builder:
    def __init__(self, rows_max: int = sys.maxsize) -> None:
        self.rows_max = rows_max
        self.series = SeriesSteps()
        self.values: dict[tuple[Node, int], int] = {}
        self.conditions: dict[tuple[Node, int], Literal] = {}
        self.rows: dict[ValueRecipe, int] = {}
        self.bits: dict[BitsRecipe, int] = {}

    def value(self, node: Node, ago: int) -> int:
        """Return the row that holds a numeric node's value so many bars ago."""
        found = self.values.get((node, ago))
        if found is None:
            if len(self.rows) > self.rows_max:
                return 0  # over the limit anyway: waste no time on the rest
            found = self._value(node, ago)
            self.values[node, ago] = found
        return found

    def _value(self, node: Node, ago: int) -> int:
        match node:
            case Number(value=value):
                return self._row(Constant(value))
            case Series(name=name):
                expression = SERIES[name].expression
                if expression is not None:
                    return self.value(expression, ago)
                return self._row(Read(self.series.add(node), ago))
            case Lag(operand=operand, bars=bars):
                return self.value(operand, ago + bars)
            case Negative(operand=operand):
                return self._element("negative", (self.value(operand, ago),))
            case Arithmetic(operator=operator, left=left, right=right):
                return self._element(operator, (self.value(left, ago), self.value(right, ago)))
            case Call(name=name):
                kernel = ALL_FUNCTIONS[name].kernel
                if isinstance(kernel, Expansion):
                    return self.value(kernel.expand(*node.arguments), ago)
                if isinstance(kernel, Elementwise):
                    sources = tuple(self.value(source, ago) for source in node.sources)
                    return self._element(name, sources)
                if isinstance(kernel, Sequential):
                    return self._row(Read(self.series.add(node), ago))
                series = tuple(self.series.add(source) for source in node.sources)
                if isinstance(kernel, Weighted | Smoothed):
                    return self._row(Average(series[0], name, node.periods, ago))
                return self._row(Rolled(series, name, node.periods, ago))
        raise AssertionError(f"a condition has no number: {node}")

    def _element(self, operation: str, arguments: tuple[int, ...]) -> int:
        if operation in COMMUTATIVE:
            arguments = tuple(sorted(arguments))
        return self._row(Element(operation, arguments))

    def _row(self, recipe: ValueRecipe) -> int:
        return self.rows.setdefault(recipe, len(self.rows))

    def condition(self, node: Node, ago: int) -> Literal:
        """Return the bits that hold a condition so many bars ago."""
        found = self.conditions.get((node, ago))
        if found is None:
            found = self._condition(node, ago)
            self.conditions[node, ago] = found
        return found

    def _condition(self, node: Node, ago: int) -> Literal:
        match node:
            case Comparison(operator=operator, left=left, right=right):
                return self._comparison(operator, self.value(left, ago), self.value(right, ago))
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
            case Call(name=name):
                kernel = ALL_FUNCTIONS[name].kernel
                assert isinstance(kernel, Expansion)
                return self.condition(kernel.expand(*node.arguments), ago)
        raise AssertionError(f"a number is not a condition: {node}")

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
