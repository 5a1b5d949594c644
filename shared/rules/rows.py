"""From numbers to rows: what makes the value "this node, so many bars ago", each distinct one once.

Lags and functions written in terms of others dissolve here; a + b and b + a become one row. Not
here: conditions (plan), the series that rows read (series), the layout (pack).
"""

from __future__ import annotations

import sys

from shared.rules.kernels import (
    CrossSection,
    Elementwise,
    Expansion,
    Linear,
    Recursion,
    Sequential,
    Smoothed,
    Weighted,
)
from shared.rules.operations import COMMUTATIVE
from shared.rules.recipes import (
    Across,
    Average,
    Constant,
    Element,
    Held,
    Never,
    Picked,
    Read,
    Rolled,
    ValueRecipe,
)
from shared.rules.registry import ALL_FUNCTIONS, SERIES
from shared.rules.series import SeriesSteps
from shared.rules.tables import Tables
from shared.rules.tree import (
    W_BARS,
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
    OfInstrument,
    OnInterval,
    Series,
)


class Rows:
    """Numbers the rows of every table, in order of making; `values` remembers nodes of table 0."""

    def __init__(self, tables: Tables, rows_max: int = sys.maxsize) -> None:
        self.tables = tables
        self.series = SeriesSteps(tables)
        self.rows_max = rows_max
        self.rows_count = 0
        self.recipes: list[dict[ValueRecipe, int]] = [{}]
        self.values: list[dict[tuple[Node, int, int], int]] = [{}]

    def value(self, node: Node, ago: int, table: int = 0) -> int:
        """Return the row that holds a node's value so many bars ago; of a condition, its truth."""
        while len(self.recipes) <= table:
            self.recipes.append({})
            self.values.append({})
        key = (node, ago, self.tables.universe_of(node))
        found = self.values[table].get(key)
        if found is None:
            if self.rows_count > self.rows_max:
                return 0  # over the limit anyway: waste no time on the rest
            found = self._value(node, ago, table)
            self.values[table][key] = found
        return found

    def _value(self, node: Node, ago: int, table: int) -> int:
        match node:
            case Number(value=value):
                return self.row(Constant(value), table)
            case Series(name=name):
                expression = SERIES[name].expression
                if expression is not None:
                    return self.value(expression, ago, table)
                return self._read(node, ago, table)
            case Lag(operand=operand, bars=bars):
                return self.value(operand, ago + bars, table)
            case Negative(operand=operand):
                return self._element("negative", (operand,), ago, table)
            case Not(operand=operand):
                return self._element("not", (operand,), ago, table)
            case Arithmetic(operator=operator) | Comparison(operator=operator):
                return self._element(operator, (node.left, node.right), ago, table)
            case AllOf(operands=operands):
                return self._element("and", operands, ago, table)
            case AnyOf(operands=operands):
                return self._element("or", operands, ago, table)
            case OnInterval(operand=operand, interval=interval):
                longer = self.tables.longer(table, interval)
                if longer == table:
                    return self.value(operand, ago, table)
                return self._held(operand, ago, table, longer)
            case OfInstrument(instrument=instrument, operand=operand):
                return self.row(Picked(instrument, self.value(operand, ago, table)), table)
            case Call():
                return self._call(node, ago, table)

    def _call(self, call: Call, ago: int, table: int) -> int:
        match ALL_FUNCTIONS[call.name].kernel:
            case Expansion(expand=expand):
                return self.value(expand(*call.arguments), ago, table)
            case Elementwise():
                return self._element(call.name, call.sources, ago, table, call.periods)
            case CrossSection():
                source = self.value(call.sources[0], ago, table)
                return self.row(Across(call.name, self.tables.universe, source), table)
            case Sequential() | Recursion():
                return self._read(call, ago, table)
            case Weighted() | Smoothed() | Linear():
                place = self.series.add(call.sources[0], table)
                needed = ALL_FUNCTIONS[call.name].warm_up_bars(call.periods)
                if self.series.warm_up(table, place) + needed + ago > W_BARS:
                    return self.row(Never(), table)
                return self.row(Average(place, call.name, call.periods, ago), table)
        places = tuple(self.series.add(source, table) for source in call.sources)
        if ago + ALL_FUNCTIONS[call.name].warm_up_bars(call.periods) > W_BARS:
            return self.row(Never(), table)
        return self.row(Rolled(places, call.name, call.periods, ago), table)

    def _read(self, node: Node, ago: int, table: int) -> int:
        if ago >= W_BARS:
            return self.row(Never(), table)
        return self.row(Read(self.series.add(node, table), ago), table)

    def _element(
        self,
        operation: str,
        operands: tuple[Node, ...],
        ago: int,
        table: int,
        periods: tuple[int | float, ...] = (),
    ) -> int:
        rows = tuple(self.value(operand, ago, table) for operand in operands)
        if operation in COMMUTATIVE:
            rows = tuple(sorted(rows))
        return self.row(Element(operation, rows, periods), table)

    def _held(self, node: Node, ago: int, table: int, longer: int) -> int:
        own_ms = self.tables.interval(table).duration_ms
        least, rest = divmod(ago * own_ms, self.tables.interval(longer).duration_ms)
        low = self.value(node, least, longer)
        high = self.value(node, least + 1, longer) if rest else low
        return self.row(Held(longer, low, high, ago), table)

    def row(self, recipe: ValueRecipe, table: int = 0) -> int:
        """Return the row that a recipe makes."""
        rows = self.recipes[table]
        found = rows.get(recipe)
        if found is None:
            found = rows[recipe] = len(rows)
            self.rows_count += 1
        return found
