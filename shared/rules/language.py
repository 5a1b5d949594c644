"""Read a rule: text → checked tree, or InvalidRule with line, column and a suggestion.

The grammar is Python's for expressions, cut down by a whitelist; nothing of the text is ever
executed. Not here: spelling (scan), what a name means (registry), computing (plan, evaluate).
Called by save_trader, the runs and the preview, always with the same result.
"""

from __future__ import annotations

import ast
import difflib
import math
from typing import NoReturn

from shared.errors import InvalidRule
from shared.rules import describe
from shared.rules.advice import dotted, example_call, is_literal, nearest
from shared.rules.entry import Function, Kind, Parameter
from shared.rules.plan import rule_cost
from shared.rules.registry import ALIASES, FUNCTIONS, SERIES
from shared.rules.scan import refuse, scan
from shared.rules.tree import (
    AllOf,
    AnyOf,
    Argument,
    Arithmetic,
    Call,
    Comparison,
    Lag,
    Negative,
    Node,
    Not,
    Number,
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

# How much of a wrong argument an error repeats.
_SHOWN_CHARACTERS = 20


def parse_rule(text: str, limits: RuleLimits = RuleLimits()) -> Rule:  # noqa: B008 (immutable)
    """Return the rule that a text says.

    Raises: InvalidRule, and nothing else, if it says none.
    """
    if not isinstance(text, str):
        raise InvalidRule(f"expected text, was {type(text).__name__}")
    clean = scan(text, limits)
    # In brackets a rule may span lines and begin with a space. The closing one stands on its own
    # line, so that only columns of the first line move, by one.
    try:
        expression = ast.parse(f"({clean}\n)", mode="eval").body
    except SyntaxError as error:
        line = min(error.lineno or 1, text.count("\n") + 1)
        column = (error.offset or 1) - (1 if line == 1 else 0)
        refuse(text, line, max(column, 1), f"expected a rule: {error.msg}")
    # SystemError: CPython 3.11 raises it instead of RecursionError now and then ("AST constructor
    # recursion depth mismatch").
    except (RecursionError, MemoryError, ValueError, OverflowError, SystemError):
        refuse(text, 1, 1, "expected a simpler rule: it is nested too deeply")
    reader = _Reader(text, limits)
    tree = reader.condition(expression, 1)
    if rule_cost(tree, limits.cost_max) > limits.cost_max:
        refuse(text, 1, 1, "expected a cheaper rule: nest fewer functions in each other")
    return Rule(
        text=text,
        canonical=describe.text_of(tree),
        tree=tree,
        bars_needed=describe.bars_needed(tree),
        names=describe.names_of(tree),
    )


class _Reader:
    """Turns Python's tree into ours, refusing whatever is not on the list."""

    def __init__(self, text: str, limits: RuleLimits) -> None:
        self.text = text
        self.limits = limits
        self.nodes = 0

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
        result = self._read(node, depth + 1)
        if isinstance(result, Call | Lag):
            bars, most = describe.bars_needed(result), self.limits.window_bars_max
            if bars > most:
                self.refuse(node, f"expected to need at most {most} bars, was {bars}")
        return result

    def _read(self, node: ast.expr, depth: int) -> Node:
        match node:
            case ast.Constant(value=value):
                return self._constant(node, value)
            case ast.Name() | ast.Attribute():
                return self._name(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand, depth))
            case ast.UnaryOp(op=op, operand=operand) if isinstance(op, ast.USub | ast.UAdd):
                return self._signed(op, self.number(operand, depth))
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
                operator = _ARITHMETIC[type(op)]
                return self._arithmetic(
                    node, operator, self.number(left, depth), self.number(right, depth)
                )
            case ast.BoolOp(op=op, values=values):
                return _joined(op, tuple(self.condition(value, depth) for value in values))
            case ast.Compare():
                return self._compare(node, depth)
            case ast.Subscript(value=value, slice=index):
                return self._lag(node, self.any(value, depth), index)
            case ast.Call():
                return self._call(node, depth)
        kind = type(node).__name__
        self.refuse(node, f"expected a series, a number, a function or an operator, was {kind}")

    def _constant(self, node: ast.expr, value: object) -> Number:
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

    def _name(self, node: ast.expr) -> Series:
        name = dotted(node)
        if name in SERIES:
            return Series(name)
        if name in FUNCTIONS or name in ALIASES:
            function = FUNCTIONS[ALIASES.get(name, name)]
            message = f"expected arguments: {function.signature}"
            self.refuse(node, message, example_call(function))
        self.refuse(node, f"expected a series, was '{name}'", nearest(name))

    def _signed(self, op: ast.unaryop, operand: Node) -> Node:
        if isinstance(op, ast.UAdd):
            return operand
        match operand:
            case Number(value=value):
                return Number(0.0 - value)
            case Negative(operand=inner):
                return inner
        return Negative(operand)

    def _arithmetic(self, node: ast.expr, operator: str, left: Node, right: Node) -> Node:
        if operator == "/" and isinstance(right, Number) and right.value == 0.0:
            self.refuse(node, "expected a divisor that is not 0")
        if not (isinstance(left, Number) and isinstance(right, Number)):
            return Arithmetic(operator, left, right)
        a, b = left.value, right.value
        return self._finite(
            node, {"+": a + b, "-": a - b, "*": a * b}[operator] if operator != "/" else a / b
        )

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
        return _joined(ast.And(), tuple(pairs)) if len(pairs) > 1 else pairs[0]

    def _lag(self, node: ast.expr, operand: Node, index: ast.expr) -> Node:
        bars = self._bars(index, "[n]", 0)
        match operand:
            case Number():
                self.refuse(node, "expected a series before '[', was a constant")
            case Lag(operand=inner, bars=earlier) if bars:
                return Lag(inner, earlier + bars)
        return Lag(operand, bars) if bars else operand

    def _bars(self, node: ast.expr, name: str, least: int) -> int:
        most = self.limits.window_bars_max
        match node:
            case ast.Constant(value=int(value)) if least <= value <= most:
                return value
        line, column = self._place(node)
        was = self.text.split("\n")[line - 1][column - 1 :]
        if node.end_lineno == node.lineno:
            was = was[: (node.end_col_offset or 0) - node.col_offset]
        was = was if len(was) <= _SHOWN_CHARACTERS else f"{was[:_SHOWN_CHARACTERS]}…"
        self.refuse(node, f"{name}: expected a whole number from {least} to {most}, was {was}")

    def _call(self, node: ast.Call, depth: int) -> Node:
        name = dotted(node.func)
        function = FUNCTIONS.get(ALIASES.get(name, name))
        if function is None:
            if name in SERIES:
                message = f"expected no arguments: {name} is a series"
                self.refuse(node.func, message, f"{name}[1]")
            self.refuse(node.func, f"expected a function, was '{name}'", nearest(name, call=True))
        given = self._bind(node, function)
        arguments: list[Argument] = []
        for parameter in function.parameters:
            if parameter.name in given:
                arguments.append(self._argument(function, parameter, given[parameter.name], depth))
            elif parameter.default is not None:
                arguments.append(parameter.default)
            else:
                message = f"expected {parameter.name}: {function.signature}"
                self.refuse(node, message, example_call(function))
        if all(isinstance(argument, Number) for argument in arguments):
            self.refuse(node, f"{name}: expected a series in it, was only constants")
        return Call(function.name, tuple(arguments))

    def _bind(self, node: ast.Call, function: Function) -> dict[str, ast.expr]:
        """Return the arguments by parameter name."""
        parameters = function.parameters
        first = parameters[0]
        if first.default is not None and node.args and is_literal(node.args[0]):
            parameters = parameters[1:]
        if len(node.args) > len(parameters):
            extra = node.args[len(parameters)]
            message = f"expected fewer arguments: {function.signature}"
            self.refuse(extra, message, example_call(function))
        given = {p.name: value for p, value in zip(parameters, node.args, strict=False)}
        known = {n: p.name for p in function.parameters for n in (p.name, *p.aliases)}
        for pair in node.keywords:
            name = known.get(pair.arg or "")
            if name is None:
                near = difflib.get_close_matches(pair.arg or "", known, n=1, cutoff=0.5)
                message = f"expected one of {', '.join(known)}, was '{pair.arg}'"
                self.refuse(pair.value, message, near[0] if near else "")
            if name in given:
                self.refuse(pair.value, f"expected '{name}' once, was twice")
            given[name] = pair.value
        return given

    def _argument(
        self, function: Function, parameter: Parameter, node: ast.expr, depth: int
    ) -> Node | int:
        if parameter.kind is Kind.BARS:
            return self._bars(node, f"{function.name}: {parameter.name}", parameter.least)
        if parameter.kind is Kind.CONDITION:
            return self.condition(node, depth)
        value = self.number(node, depth)
        if parameter.kind is Kind.SERIES and isinstance(value, Number):
            message = f"{function.name}: expected a series, was a constant"
            self.refuse(node, message, example_call(function))
        return value

    def refuse(self, node: ast.expr, message: str, suggestion: str = "") -> NoReturn:
        """Raise InvalidRule at a node's first character."""
        line, column = self._place(node)
        refuse(self.text, line, column, message, suggestion)

    def _place(self, node: ast.expr) -> tuple[int, int]:
        """Return line and column in the user's text, without the bracket of parse_rule."""
        return node.lineno, node.col_offset + (1 if node.lineno > 1 else 0)


def _joined(op: ast.boolop, operands: tuple[Node, ...]) -> Node:
    """Return one AllOf or AnyOf, taking in operands of the same kind."""
    kind: type[AllOf] | type[AnyOf] = AllOf if isinstance(op, ast.And) else AnyOf
    flat: list[Node] = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) else (operand,))
    return kind(tuple(flat))
