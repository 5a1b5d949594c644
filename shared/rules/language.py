"""Read a rule: text → checked tree, or InvalidRule with line, column and a suggestion.

The grammar is Python's for expressions, cut down by a whitelist; nothing of the text is ever
executed. Not here: spelling (scan), calls (calls), what a name means (registry), computing (plan,
evaluate). Called by save_trader, the runs and the preview, always with the same result.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

from shared.errors import InvalidRule
from shared.market.interval import Interval
from shared.rules import describe
from shared.rules.advice import SERIES_NAMES, dotted, example_call, nearest
from shared.rules.calls import OF_EXAMPLE, OF_SIGNATURE, CallReader
from shared.rules.plan import rule_cost
from shared.rules.registry import ALIASES, FUNCTIONS
from shared.rules.scan import scan
from shared.rules.share import shared_names, shared_node
from shared.rules.source import named, refuse, shortened
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
    OnInterval,
    Rule,
    RuleLimits,
    Series,
)

_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}
_COMPARISON: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def parse_rule(
    text: str,
    limits: RuleLimits = RuleLimits(),  # noqa: B008 (immutable)
    *,
    interval: Interval | None = None,
) -> Rule:
    """Return the rule that a text says, on bars of `interval`.

    Without an interval, durations and `tf=` are refused; a rule that has none of them means the
    same on every interval.
    Raises: InvalidRule, and nothing else, if it says none.
    """
    if not isinstance(text, str):
        raise InvalidRule(f"expected text, was {type(text).__name__}")
    reader = _Reader(text, limits, interval)
    tree = reader.condition(_expression(text, limits), 1)
    if rule_cost(tree, limits.cost_max, interval) > limits.cost_max:
        refuse(text, 1, 1, "expected a cheaper rule: nest fewer functions in each other")
    canonical = describe.text_of(tree)
    return Rule(
        text=text,
        canonical=text if canonical == text else canonical,
        tree=tree,
        bars_needed=describe.bars_needed(tree),
        names=shared_names(reader.names),
        interval_free=reader.interval_free,
        interval=None if reader.interval_free else interval,
        intervals=tuple(sorted(reader.intervals, key=lambda longer: longer.duration_ms)),
        instruments=tuple(sorted(reader.instruments)),
    )


def _expression(text: str, limits: RuleLimits) -> ast.expr:
    """Return Python's tree of the text, in one pair of brackets."""
    clean = scan(text, limits)
    # In brackets a rule may span lines and begin with a space. The closing one stands on its own
    # line, so that only columns of the first line move, by one.
    try:
        return ast.parse(f"({clean}\n)", mode="eval").body
    except SyntaxError as error:
        lines = text.split("\n")
        line = min(error.lineno or 1, len(lines))
        column = (error.offset or 1) - (1 if line == 1 else 0)
        column = min(max(column, 1), len(lines[line - 1]) + 1)
        refuse(text, line, column, f"expected a rule: {error.msg}")
    # SystemError: CPython 3.11 raises it instead of RecursionError now and then ("AST constructor
    # recursion depth mismatch").
    except (RecursionError, MemoryError, ValueError, OverflowError, SystemError):
        refuse(text, 1, 1, "expected a simpler rule: it is nested too deeply")


class _Reader(CallReader):
    """Turns Python's tree into ours, refusing whatever is not on the list."""

    def condition(self, node: ast.expr, depth: int) -> Node:
        """Return a node that is true or false."""
        result = self.any(node, depth)
        if not describe.is_condition(result):
            suggestion = ""
            if isinstance(node, ast.Name | ast.Call | ast.Attribute):
                suggestion = f"{describe.text_of(result)} > …"
            self.refuse(node, "expected a condition such as close > open, was a number", suggestion)
        return result

    def number(self, node: ast.expr, depth: int) -> Node:
        """Return a node with a numeric value."""
        result = self.any(node, depth)
        if describe.is_condition(result):
            self.refuse(node, "expected a number, was a condition")
        return result

    def any(self, node: ast.expr, depth: int) -> Node:
        """Return a node of either kind, within the limits."""
        self.nodes += 1
        if depth > self.limits.depth_max:
            self.refuse(node, f"expected at most {self.limits.depth_max} levels of nesting")
        if self.nodes > self.limits.nodes_max:
            self.refuse(node, f"expected at most {self.limits.nodes_max} parts")
        read = _READERS.get(type(node))
        if read is None:
            kind = type(node).__name__
            message = f"expected a series, a number, a function or an operator, was {kind}"
            self.refuse(node, message)
        result = shared_node(read(self, node, depth + 1))
        if isinstance(result, Call | Lag | OnInterval):
            self._check_bars(node, result)
        return result

    def _check_bars(self, node: ast.expr, result: Node) -> None:
        most = self.limits.window_bars_max
        bars = describe.bars_needed(result)
        if bars > most:
            self.refuse(node, f"expected to need at most {most} bars, was {bars}")
        if self.intervals and self.interval is not None:
            for longer, bars in describe.bars_on_longer(result, self.interval).items():
                if bars > most:
                    message = f"expected to need at most {most} bars of {longer}, was {bars}"
                    self.refuse(node, message)

    def _constant(self, node: ast.Constant, depth: int) -> Number:
        value = node.value
        if isinstance(value, str):
            message = f'expected a number, was "{shortened(value)}" in quotes'
            self.refuse(node, message, self.meant_by_quoted(value))
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(node, f"expected a number, was {type(value).__name__}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        return self._finite(node, number)

    def _finite(self, node: ast.expr, value: float) -> Number:
        if not math.isfinite(value):
            self.refuse(node, "expected a number of ordinary size, was too large")
        return Number(value + 0.0)  # + 0.0: there is one zero

    def _name(self, node: ast.Name | ast.Attribute, depth: int) -> Node:
        name = dotted(node)
        if name in SERIES_NAMES:
            self.names.add(name)
            return Series(name)
        if name in FUNCTIONS or name in ALIASES:
            function = FUNCTIONS[ALIASES.get(name, name)]
            if any(parameter.default is None for parameter in function.parameters):
                message = f"expected arguments: {function.signature}"
                self.refuse(node, message, example_call(function))
            return self.call_of(node, function, {}, depth)
        if name == "of":
            self.refuse(node, f"expected arguments: {OF_SIGNATURE}", OF_EXAMPLE)
        self.refuse(node, f"expected a series, was {named(name)}", nearest(name))

    def _unary(self, node: ast.UnaryOp, depth: int) -> Node:
        if isinstance(node.op, ast.Not):
            return Not(self.condition(node.operand, depth))
        operand = self.number(node.operand, depth)
        if isinstance(node.op, ast.UAdd):
            return operand
        match operand:
            case Number(value=value):
                return Number(0.0 - value)
            case Negative(operand=inner):
                return inner
        return Negative(operand)

    def _binary(self, node: ast.BinOp, depth: int) -> Node:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            self.refuse(node, "expected one of + - * /")
        left, right = self.number(node.left, depth), self.number(node.right, depth)
        if operator == "/" and isinstance(right, Number) and right.value == 0.0:
            self.refuse(node, "expected a divisor that is not 0")
        if not (isinstance(left, Number) and isinstance(right, Number)):
            return Arithmetic(operator, left, right)
        a, b = left.value, right.value
        return self._finite(
            node, {"+": a + b, "-": a - b, "*": a * b}[operator] if operator != "/" else a / b
        )

    def _joined(self, node: ast.BoolOp, depth: int) -> Node:
        operands = tuple(self.condition(value, depth) for value in node.values)
        return _flat(AllOf if isinstance(node.op, ast.And) else AnyOf, operands)

    def _compare(self, node: ast.Compare, depth: int) -> Node:
        sides = [node.left, *node.comparators]
        values = [self.number(side, depth) for side in sides]
        pairs: list[Node] = []
        for place, op in enumerate(node.ops):
            if type(op) not in _COMPARISON:
                self.refuse(sides[place + 1], "expected one of < <= > >= == !=")
            left, right = values[place], values[place + 1]
            if isinstance(left, Number) and isinstance(right, Number):
                self.refuse(sides[place], "expected a series on one side, was two constants")
            pairs.append(Comparison(_COMPARISON[type(op)], left, right))
        if len(pairs) == 1:
            return pairs[0]
        return AllOf(tuple(shared_node(pair) for pair in pairs))

    def _lag(self, node: ast.Subscript, depth: int) -> Node:
        operand = self.any(node.value, depth)
        bars = self.bars(node.slice, "[n]", 0)
        match operand:
            case Number():
                self.refuse(node, "expected a series before '[', was a constant")
            case Lag(operand=inner, bars=earlier) if bars:
                return Lag(inner, earlier + bars)
        return Lag(operand, bars) if bars else operand


def _flat(kind: type[AllOf] | type[AnyOf], operands: tuple[Node, ...]) -> Node:
    """Return one AllOf or AnyOf, taking in operands of the same kind."""
    flat: list[Node] = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) else (operand,))
    return kind(tuple(flat))


_READERS: dict[type[ast.AST], Callable[[_Reader, Any, int], Node]] = {
    ast.Constant: _Reader._constant,
    ast.Name: _Reader._name,
    ast.Attribute: _Reader._name,
    ast.UnaryOp: _Reader._unary,
    ast.BinOp: _Reader._binary,
    ast.BoolOp: _Reader._joined,
    ast.Compare: _Reader._compare,
    ast.Subscript: _Reader._lag,
    ast.Call: _Reader.call,
}
