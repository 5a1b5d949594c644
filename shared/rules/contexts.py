"""Contexts: what stands inside `tf=` and `of`, and what does not.

Around a condition they are moved to the numbers it is made of: what holds of a 4h bar holds of its
numbers, (a > b) on 4h is a on 4h > b on 4h.
"""

from __future__ import annotations

from shared.market.interval import Interval
from shared.rules import describe
from shared.rules.kernels import Expansion
from shared.rules.registry import ALL_FUNCTIONS
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
    Series,
)

Context = OnInterval | OfInstrument


def pushed_in(node: Context) -> Node | None:
    """Return a condition with its context one level further in; None if it is a value itself."""
    return _pushed(node, node.operand)


def _pushed(context: Context, operand: Node) -> Node | None:
    match operand:
        case Comparison(operator=operator, left=left, right=right):
            return Comparison(operator, within(context, left), within(context, right))
        case Not(operand=inner):
            return Not(within(context, inner))
        case AllOf(operands=operands):
            return AllOf(tuple(within(context, inner) for inner in operands))
        case AnyOf(operands=operands):
            return AnyOf(tuple(within(context, inner) for inner in operands))
        case Lag(operand=inner, bars=bars):
            # A lag counts the bars of its own context, so it stays inside.
            return _lagged(context, inner, bars)
        case Call(name=name):
            kernel = ALL_FUNCTIONS[name].kernel
            if isinstance(kernel, Expansion):
                return within(context, kernel.expand(*operand.arguments))
        case OnInterval() | OfInstrument():
            inside = pushed_in(operand)
            return None if inside is None else within(context, inside)
    return None


def _lagged(context: Context, operand: Node, bars: int) -> Node | None:
    inside: Node | None = None
    match operand:
        case Comparison(operator=operator, left=left, right=right):
            inside = Comparison(operator, _earlier(left, bars), _earlier(right, bars))
        case Not(operand=inner):
            inside = Not(_earlier(inner, bars))
        case AllOf(operands=operands):
            inside = AllOf(tuple(_earlier(inner, bars) for inner in operands))
        case AnyOf(operands=operands):
            inside = AnyOf(tuple(_earlier(inner, bars) for inner in operands))
        case Lag(operand=inner, bars=more):
            inside = Lag(inner, bars + more)
        case OnInterval() | OfInstrument():
            pushed = pushed_in(operand)
            inside = None if pushed is None else Lag(pushed, bars)
        case Call(name=name):
            kernel = ALL_FUNCTIONS[name].kernel
            if isinstance(kernel, Expansion):
                inside = Lag(kernel.expand(*operand.arguments), bars)
    return None if inside is None else within(context, inside)


def _earlier(node: Node, bars: int) -> Node:
    match node:
        case Number():
            return node
        case Lag(operand=operand, bars=more):
            return Lag(operand, bars + more)
    return Lag(node, bars)


def within(context: Context, node: Node) -> Node:
    """Return a node in the same context."""
    if isinstance(node, Number):
        return node
    if isinstance(context, OnInterval):
        return OnInterval(node, context.interval)
    return OfInstrument(context.instrument, node)


def columns_of(node: Node, interval: Interval) -> frozenset[int]:
    """Return the kline columns that a node reads in its own context, on bars of `interval`."""
    match node:
        case OnInterval(operand=operand) if node.interval == interval:
            return columns_of(operand, interval)
        case Series() | OnInterval() | OfInstrument():
            return describe.columns_of(node)
        case Call(name=name):
            kernel = ALL_FUNCTIONS[name].kernel
            if isinstance(kernel, Expansion):
                return columns_of(kernel.expand(*node.arguments), interval)
    children = describe.children(node)
    return frozenset().union(*(columns_of(child, interval) for child in children))


def instruments_of(node: Node) -> frozenset[str]:
    """Return the instruments that a node names."""
    own: frozenset[str] = frozenset()
    match node:
        case OfInstrument(instrument=instrument):
            own = frozenset({instrument})
        case Call(name=name):
            kernel = ALL_FUNCTIONS[name].kernel
            if isinstance(kernel, Expansion):
                return instruments_of(kernel.expand(*node.arguments))
    return own.union(*(instruments_of(child) for child in describe.children(node)))
