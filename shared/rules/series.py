"""Series that must be known at every bar: which steps make them.

Used by the plan for the sources of functions over bars, and by explain for one symbol. Not here:
running them (running), values at single bars, which are most of the work (plan, evaluate).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from shared.rules.entry import Kind
from shared.rules.kernels import (
    CrossSection,
    Elementwise,
    Expansion,
    Linear,
    Rolling,
    Sequential,
    Weighted,
)
from shared.rules.operations import COMMUTATIVE
from shared.rules.registry import ALL_FUNCTIONS, SERIES
from shared.rules.tables import Tables
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
    OfInstrument,
    OnInterval,
    Series,
)

# Stands for the source of a function in steps that are run on a series made elsewhere.
GIVEN = Series("_given")


class Step(msgspec.Struct, frozen=True):
    """One series: an operation on earlier steps.

    `operation`: "given" (the series handed in), "column" (index in `numbers`), "clock" (`name`),
    "number" (value in `numbers`), "lag" (bars in `numbers`), "held" (table and place of a step of a
    longer interval in `numbers`), "pick" (the instrument `name` for all), one of OPERATIONS, or a
    function (its periods in `numbers`; of one across instruments the number of its universe).
    """

    operation: str
    inputs: tuple[int, ...] = ()
    numbers: tuple[int | float, ...] = ()
    name: str = ""

    @property
    def across(self) -> bool:
        """Return whether it is a function across instruments."""
        function = ALL_FUNCTIONS.get(self.operation)
        return function is not None and isinstance(function.kernel, CrossSection)


class SeriesSteps:
    """Collects steps, each distinct one once, in an order in which they can be run.

    They stand in tables, one for the rule's own interval (0) and one for each longer interval (see
    tables.Tables).
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._steps: list[list[Step]] = []
        # Bars at the window's start at which a step is never known, however long the history.
        self._warm_ups: list[list[int]] = []
        self._of_node: dict[tuple[Node, int, int], int] = {}
        self._of_step: dict[tuple[Step, int], int] = {}

    def steps(self, table: int) -> tuple[Step, ...]:
        """Return the steps of a table, each after those it uses."""
        return tuple(self._steps[table]) if table < len(self._steps) else ()

    def all_steps(self) -> Iterator[Step]:
        """Yield the steps of all tables."""
        for steps in self._steps:
            yield from steps

    def warm_up(self, table: int, place: int) -> int:
        """Return how many bars at the window's start a step is never known at."""
        return self._warm_ups[table][place]

    def add(self, node: Node, table: int = 0) -> int:
        """Return the place of the step that makes the node's series; of a condition, its truth."""
        key = (node, table, self.tables.universe_of(node))
        found = self._of_node.get(key)
        if found is None:
            found = self._place(node, table)
            self._of_node[key] = found
        return found

    def _place(self, node: Node, table: int) -> int:
        match node:
            case Number(value=value):
                return self._step(table, Step("number", (), (value,)), 0)
            case Series(name=name):
                return self._series(name, table)
            case Negative(operand=operand):
                return self._operation(table, "negative", (operand,))
            case Not(operand=operand):
                return self._operation(table, "not", (operand,))
            case Lag(operand=operand, bars=bars):
                place = self.add(operand, table)
                warm_up = self.warm_up(table, place) + bars
                return self._step(table, Step("lag", (place,), (bars,)), warm_up)
            case Arithmetic(operator=operator) | Comparison(operator=operator):
                return self._operation(table, operator, (node.left, node.right))
            case AllOf(operands=operands):
                return self._operation(table, "and", operands)
            case AnyOf(operands=operands):
                return self._operation(table, "or", operands)
            case OnInterval(operand=operand, interval=interval):
                longer = self.tables.longer(table, interval)
                place = self.add(operand, longer)
                return place if longer == table else self._held(table, longer, place)
            case OfInstrument(instrument=instrument, operand=operand):
                place = self.add(operand, table)
                warm_up = self.warm_up(table, place)
                return self._step(table, Step("pick", (place,), (), instrument), warm_up)
            case Call():
                return self._call(node, table)

    def _series(self, name: str, table: int) -> int:
        if name == GIVEN.name:
            return self._step(table, Step("given"), 0)
        entry = SERIES[name]
        if entry.expression is not None:
            return self.add(entry.expression, table)
        if entry.clock is not None:
            return self._step(table, Step("clock", name=name), 0)
        assert entry.column is not None
        return self._step(table, Step("column", (), (entry.column,)), 0)

    def _held(self, table: int, longer: int, place: int) -> int:
        return self._step(table, Step("held", (), (longer, place)), 0)

    def _operation(self, table: int, operation: str, operands: tuple[Node, ...]) -> int:
        inputs = tuple(self.add(operand, table) for operand in operands)
        # One false makes an `and` known, one true an `or`: as soon as the first of them is.
        first = min if operation in ("and", "or") else max
        warm_up = first(self.warm_up(table, place) for place in inputs)
        if operation in COMMUTATIVE:
            inputs = tuple(sorted(inputs))
        return self._step(table, Step(operation, inputs), warm_up)

    def _call(self, call: Call, table: int) -> int:
        function = ALL_FUNCTIONS[call.name]
        kernel = function.kernel
        if isinstance(kernel, Expansion | Linear):
            return self.add(kernel.expand(*call.arguments), table)
        inputs = tuple(self.add(source, table) for source in call.sources)
        warm_ups = [self.warm_up(table, place) for place in inputs]
        if any(parameter.kind is Kind.CONDITION for parameter in function.parameters):
            warm_up = min(warm_ups)
        else:
            warm_up = max(warm_ups, default=0) + function.warm_up_bars(call.periods) - 1
        if call.name in COMMUTATIVE:
            inputs = tuple(sorted(inputs))
        numbers = call.periods
        if isinstance(kernel, CrossSection):
            numbers = (self.tables.universe,)
        return self._step(table, Step(call.name, inputs, numbers), warm_up)

    def _step(self, table: int, step: Step, warm_up: int) -> int:
        while len(self._steps) <= table:
            self._steps.append([])
            self._warm_ups.append([])
        steps = self._steps[table]
        place = self._of_step.setdefault((step, table), len(steps))
        if place == len(steps):
            steps.append(step)
            self._warm_ups[table].append(warm_up)
        return place


def is_movement(step: Step) -> bool:
    """Return whether a step is never negative and 0 where nothing moves."""
    function = ALL_FUNCTIONS.get(step.operation)
    match function.kernel if function else None:
        case Elementwise(is_movement=answer) | Sequential(is_movement=answer):
            return answer
    return False


def step_cost(step: Step) -> int:
    """Return what a step takes, in rows of values: measured for 500 symbols, over 0.1 ms."""
    function = ALL_FUNCTIONS.get(step.operation)
    match function.kernel if function else None:
        case None:
            return 0 if step.operation in ("column", "clock", "number", "given") else 5
        case Rolling(accumulate=None):
            return 100
        case Sequential(steps=None):
            return 50
        case Weighted():
            return 60
        case Rolling():
            return 30
    return 10
