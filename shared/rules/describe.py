"""What a tree says about itself: its text, whether it is a condition, its names, its warm-up.

Not here: reading text (language), values (evaluate).
"""

from __future__ import annotations

from functools import lru_cache

from shared.market.interval import Interval
from shared.rules.entry import Kind, Parameter
from shared.rules.kernels import Expansion
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
        # Of a value that was pushed down into an interval: written where tf= may stand.
        case OnInterval(operand=Number() as constant):
            return _text(constant)
        case OnInterval(operand=Negative(operand=inner), interval=interval):
            return _text(Negative(OnInterval(inner, interval)))
        case OnInterval(operand=Arithmetic() as sides, interval=interval):
            left, right = OnInterval(sides.left, interval), OnInterval(sides.right, interval)
            return _text(Arithmetic(sides.operator, left, right))
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
    arguments = list(call.arguments)
    # A default below what may be written stands for none at all: vwap() is not vwap(0).
    while arguments and _is_unwritten(parameters[len(arguments) - 1], arguments[-1]):
        arguments.pop()
    shown = [_argument_text(argument) for argument in arguments]
    if (
        arguments
        and parameters[0].kind is Kind.SERIES
        and arguments[0] == parameters[0].default
        and (len(arguments) == 1 or isinstance(arguments[1], int | float | str))
    ):
        del shown[0]
    return f"{call.name}({', '.join(shown)})"


def _is_unwritten(parameter: Parameter, argument: Argument) -> bool:
    return parameter.kind is Kind.BARS and isinstance(argument, int) and argument < parameter.least


def _argument_text(argument: Argument) -> str:
    if isinstance(argument, str):
        return f'"{argument}"'
    return number_text(argument) if isinstance(argument, int | float) else _text(argument)[0]


def names_of(node: Node) -> frozenset[str]:
    """Return the series and functions named in the node."""
    own = {node.name} if isinstance(node, Series | Call) else set()
    return frozenset(own).union(*(names_of(child) for child in children(node)))


def columns_of(node: Node) -> frozenset[int]:
    """Return the kline columns the node is computed from, on its own interval and instrument."""
    match node:
        case Series(name=name):
            entry = SERIES[name]
            if entry.expression is not None:
                return columns_of(entry.expression)
            return frozenset() if entry.column is None else frozenset({entry.column})
        case OnInterval() | OfInstrument():
            return frozenset()
        case Call(name=name, arguments=arguments):
            kernel = ALL_FUNCTIONS[name].kernel
            if isinstance(kernel, Expansion):  # it may read columns that are not written
                return columns_of(kernel.expand(*arguments))
    return frozenset().union(*(columns_of(child) for child in children(node)))


_longer_inside: dict[str, frozenset[Interval]] = {}


def longer_inside(call: Call) -> frozenset[Interval]:
    """Return the longer intervals that a function reads of its own accord, as pivots read days."""
    found = _longer_inside.get(call.name)
    if found is None:
        kernel, found = ALL_FUNCTIONS[call.name].kernel, frozenset()
        if isinstance(kernel, Expansion):
            found = _intervals_of(kernel.expand(*(_plain(a) for a in call.arguments)))
        _longer_inside[call.name] = found
    return found


def _plain(argument: Argument) -> Argument:
    """Return an argument that reads no interval, in place of one that may."""
    if isinstance(argument, int | float | str):
        return argument
    close = Series("close")
    return Comparison(">", close, Number(0.0)) if is_condition(argument) else close


def _intervals_of(node: Node) -> frozenset[Interval]:
    own = {node.interval} if isinstance(node, OnInterval) else set()
    inside = longer_inside(node) if isinstance(node, Call) else frozenset()
    return frozenset(own).union(inside, *(_intervals_of(child) for child in children(node)))


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


# Trees are made of few distinct parts, and each is asked for again at every level above it.
@lru_cache(maxsize=1 << 14)
def bars_needed(node: Node) -> int:
    """Return how many bars of its own interval the node needs to be known; 0 for a constant."""
    match node:
        case Series() | OnInterval():
            return 1
        case Lag(operand=operand, bars=bars):
            return bars_needed(operand) + bars
        case Call(name=name):
            # Without a source in its arguments a function reads series of its own.
            below = max((bars_needed(source) for source in node.sources), default=1)
            return below + _warm_up_bars(name, node.periods) - 1
    return max((bars_needed(child) for child in children(node)), default=0)


def bars_on_longer(node: Node, own: Interval) -> dict[Interval, int]:
    """Return how many bars of each longer interval a node on bars of `own` needs at most."""
    found: dict[Interval, int] = {}
    _add_bars_on_longer(node, own, 0, found)
    return found


def _add_bars_on_longer(node: Node, own: Interval, ago: int, found: dict[Interval, int]) -> None:
    match node:
        case OnInterval(operand=operand, interval=interval):
            # So many of its bars can have closed during the `ago` bars of our own.
            inside = -(-ago * own.duration_ms // interval.duration_ms)
            found[interval] = max(found.get(interval, 0), bars_needed(operand) + inside)
            own, ago = interval, inside
        case Lag(bars=bars):
            ago += bars
        case Call(name=name):
            ago += _warm_up_bars(name, node.periods) - 1
    for child in children(node):
        _add_bars_on_longer(child, own, ago, found)


@lru_cache(maxsize=1 << 12)
def _warm_up_bars(name: str, periods: tuple[int | float, ...]) -> int:
    return ALL_FUNCTIONS[name].warm_up_bars(periods)
