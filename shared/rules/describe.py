"""What a tree says about itself: its text, whether it is a condition, its names, its warm-up.

Not here: reading text (language), values (evaluate).
"""

from __future__ import annotations

from shared.rules.entry import Kind
from shared.rules.registry import ALL_FUNCTIONS, SERIES
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
    OfInstrument,
    OnInterval,
    Series,
)

# How tightly a node binds, as Python's grammar has it; a child that binds less gets parentheses.
_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGN, _POSTFIX = range(8)
_BINDING = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}


def is_condition(node: Node) -> bool:
    """Return whether the node is true or false, rather than a number."""
    match node:
        case Comparison() | AllOf() | AnyOf() | Not():
            return True
        case Call(name=name):
            return ALL_FUNCTIONS[name].gives is Kind.CONDITION
        case Lag(operand=operand) | OnInterval(operand=operand) | OfInstrument(operand=operand):
            return is_condition(operand)
        case _:
            return False


def text_of(node: Node) -> str:
    """Return the node in its one canonical spelling."""
    return _text(node)[0]


def number_text(value: float) -> str:
    """Return the shortest text that reads back as exactly this number."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def _text(node: Node) -> tuple[str, int]:
    match node:
        case Number(value=value):
            return number_text(value), _SIGN if value < 0 else _POSTFIX
        case Series(name=name):
            return name, _POSTFIX
        case Call():
            return _call_text(node), _POSTFIX
        case Negative(operand=operand):
            return f"-{_inside(operand, _SIGN)}", _SIGN
        case Lag(operand=operand, bars=bars):
            return f"{_inside(operand, _POSTFIX)}[{bars}]", _POSTFIX
        case OnInterval(operand=operand, interval=interval):
            inside = _text(operand)[0]
            if not inside.endswith(")"):
                return f'{inside}(tf="{interval}")', _POSTFIX
            separator = "" if inside.endswith("()") else ", "
            return f'{inside[:-1]}{separator}tf="{interval}")', _POSTFIX
        case OfInstrument(instrument=instrument, operand=operand):
            return f'of("{instrument}", {_text(operand)[0]})', _POSTFIX
        case Arithmetic(operator=operator, left=left, right=right):
            binding = _BINDING[operator]
            text = f"{_inside(left, binding)} {operator} {_inside(right, binding + 1)}"
            return text, binding
        case Comparison(operator=operator, left=left, right=right):
            return f"{_inside(left, _SUM)} {operator} {_inside(right, _SUM)}", _COMPARISON
        case Not(operand=operand):
            return f"not {_inside(operand, _NOT)}", _NOT
        case AllOf(operands=operands):
            return " and ".join(_inside(operand, _NOT) for operand in operands), _AND
        case AnyOf(operands=operands):
            return " or ".join(_inside(operand, _AND) for operand in operands), _OR


def _inside(node: Node, binding: int) -> str:
    text, own = _text(node)
    return f"({text})" if own < binding else text


def _call_text(call: Call) -> str:
    parameters = ALL_FUNCTIONS[call.name].parameters
    shown = [
        _argument_text(argument)
        for parameter, argument in zip(parameters, call.arguments, strict=True)
        if parameter.kind is not Kind.SERIES or argument != parameter.default
    ]
    return f"{call.name}({', '.join(shown)})"


def _argument_text(argument: Argument) -> str:
    if isinstance(argument, str):
        return f'"{argument}"'
    return number_text(argument) if isinstance(argument, int | float) else _text(argument)[0]


def names_of(node: Node) -> frozenset[str]:
    """Return the series and functions named in the node."""
    own = {node.name} if isinstance(node, Series | Call) else set()
    return frozenset(own).union(*(names_of(child) for child in children(node)))


def columns_of(node: Node) -> frozenset[int]:
    """Return the kline columns the node is computed from."""
    if isinstance(node, Series):
        entry = SERIES[node.name]
        if entry.column is not None:
            return frozenset({entry.column})
        assert entry.expression is not None
        return columns_of(entry.expression)
    return frozenset().union(*(columns_of(child) for child in children(node)))


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly under a node, in the order they are written."""
    match node:
        case (
            Negative(operand=operand)
            | Not(operand=operand)
            | Lag(operand=operand)
            | OnInterval(operand=operand)
            | OfInstrument(operand=operand)
        ):
            return (operand,)
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right):
            return (left, right)
        case AllOf(operands=operands) | AnyOf(operands=operands):
            return operands
        case Call():
            return node.sources
        case _:
            return ()


def bars_needed(node: Node) -> int:
    """Return how many bars of history the node needs to be known; 0 for a constant."""
    below = max((bars_needed(child) for child in children(node)), default=0)
    match node:
        case Series():
            return 1
        case Lag(bars=bars):
            return below + bars
        case Call(name=name):
            return below + ALL_FUNCTIONS[name].warm_up_bars(node.periods) - 1
        case _:
            return below
