"""Words that the entries share: common parameters, units and sources, and shapes of trees."""

from __future__ import annotations

from shared.rules.entry import Function, Kind, Parameter
from shared.rules.kernels import Kernel
from shared.rules.tree import Lag, Node, Number, Series

TA_LIB = "TA-Lib"
WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"
AS_SOURCE = "that of the source"
PRICE = "quote per base"

OPEN, HIGH, LOW, CLOSE = Series("open"), Series("high"), Series("low"), Series("close")
VOLUME = Series("volume")


def source(name: str = "close") -> Parameter:
    """Return a leading series that may be left out."""
    return Parameter("source", Kind.SERIES, Series(name))


def bars(name: str = "n", *, least: int = 1, default: int | None = None) -> Parameter:
    """Return a number of bars, written out."""
    return Parameter(name, Kind.BARS, default, least, aliases=("length",) if name == "n" else ())


def factor(name: str, default: float | None = None) -> Parameter:
    """Return a number above 0, written out."""
    return Parameter(name, Kind.FACTOR, default)


def numbers(*names: str) -> tuple[Parameter, ...]:
    """Return parameters that take any expression with a numeric value."""
    return tuple(Parameter(name, Kind.NUMBER) for name in names)


def condition(name: str = "condition") -> Parameter:
    """Return a parameter that takes a condition."""
    return Parameter(name, Kind.CONDITION)


def part(
    name: str,
    kernel: Kernel,
    parameters: tuple[Parameter, ...],
    text: str,
    gives: Kind = Kind.NUMBER,
) -> Function:
    """Return an entry that only other entries use."""
    return Function(
        name=name,
        parameters=parameters,
        gives=gives,
        unit="none",
        range="any",
        definition=text,
        source="see the functions that use it",
        example="",
        kernel=kernel,
    )


def earlier(node: Node, by_bars: int = 1) -> Node:
    """Return the node so many bars before."""
    match node:
        case Number():
            return node
        case Lag(operand=operand, bars=bars_ago):
            return Lag(operand, bars_ago + by_bars)
    return Lag(node, by_bars)


def same(n: int) -> int:
    """Return n: a function of the last n bars."""
    return n


def one_more(n: int) -> int:
    """Return n + 1: a function of n steps from bar to bar."""
    return n + 1


def two() -> int:
    """Return 2: this bar and the one before."""
    return 2
