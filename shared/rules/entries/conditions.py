"""Functions that are true or false, or that look back on conditions."""

from __future__ import annotations

from shared.rules.entries.words import earlier, numbers, two
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Expansion
from shared.rules.tree import AllOf, Comparison, Node


def _expand_crosses_above(a: Node, b: Node) -> Node:
    return AllOf((Comparison("<=", earlier(a), earlier(b)), Comparison(">", a, b)))


def _expand_crosses_below(a: Node, b: Node) -> Node:
    return AllOf((Comparison(">=", earlier(a), earlier(b)), Comparison("<", a, b)))


ENTRIES = (
    Function(
        name="crosses_above",
        parameters=numbers("a", "b"),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition="a[1] <= b[1] and a > b",
        source="Closebell",
        example="crosses_above(ema(9), ema(21))",
        kernel=Expansion(_expand_crosses_above, two),
        aliases=("ta.crossover", "crossover"),
    ),
    Function(
        name="crosses_below",
        parameters=numbers("a", "b"),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition="a[1] >= b[1] and a < b",
        source="Closebell",
        example="crosses_below(rsi(14), 70)",
        kernel=Expansion(_expand_crosses_below, two),
        aliases=("ta.crossunder", "crossunder"),
    ),
)
PARTS: tuple[Function, ...] = ()
