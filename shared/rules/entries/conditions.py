"""Functions that are true or false, or that look back on conditions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.rules import compiled
from shared.rules.entries.words import (
    bars,
    condition,
    earlier,
    numbers,
    one_more,
    part,
    same,
    two,
)
from shared.rules.entry import Function, Kind, Parameter
from shared.rules.kernels import Expansion, Floats, Recursion, Rolling
from shared.rules.tree import AllOf, AnyOf, Arithmetic, Call, Comparison, Node, Number

# Up to so many bars, looking back is written out bar by bar: a few more rows of values at one bar
# instead of the whole series of the condition, at all of them.
_WRITTEN_OUT_MAX = 32


def any_true(truth: Floats, n: int) -> Floats:
    """Return 1 where one of n is true, else NaN where one is unknown, else 0."""
    return np.where((truth == 1.0).any(axis=0), 1.0, np.maximum.reduce(truth, axis=0))


def all_true(truth: Floats, n: int) -> Floats:
    """Return 0 where one of n is false, else NaN where one is unknown, else 1."""
    return np.where((truth == 0.0).any(axis=0), 0.0, np.minimum.reduce(truth, axis=0))


def count_true(truth: Floats, n: int) -> Floats:
    """Return how many of n are true, NaN where one is unknown."""
    result: Floats = np.add.reduce(truth, axis=0)
    return result


def bars_since(sources: Sequence[tuple[Floats]], periods: Sequence[tuple[()]], last: int) -> Floats:
    """Return how many bars ago it was last true, NaN if never or if an unknown is met first."""
    return compiled.since(*sources[0], last)


def _expand_crosses_above(a: Node, b: Node) -> Node:
    return AllOf((Comparison("<=", earlier(a), earlier(b)), Comparison(">", a, b)))


def _expand_crosses_below(a: Node, b: Node) -> Node:
    return AllOf((Comparison(">=", earlier(a), earlier(b)), Comparison("<", a, b)))


def _expand_rising(source: Node, n: int) -> Node:
    return _expand_all(Comparison(">", source, earlier(source)), n)


def _expand_falling(source: Node, n: int) -> Node:
    return _expand_all(Comparison("<", source, earlier(source)), n)


def _expand_between(x: Node, lo: Node, hi: Node) -> Node:
    return AllOf((Comparison(">=", x, lo), Comparison("<=", x, hi)))


def _expand_bars_since(event: Node) -> Node:
    return Call("_bars_since", (event,))


def _expand_any(event: Node, n: int) -> Node:
    if n > _WRITTEN_OUT_MAX:
        return Call("_any", (event, n))
    return AnyOf(_each(event, n)) if n > 1 else event


def _expand_all(event: Node, n: int) -> Node:
    if n > _WRITTEN_OUT_MAX:
        return Call("_all", (event, n))
    return AllOf(_each(event, n)) if n > 1 else event


def _expand_count(event: Node, n: int) -> Node:
    if n > _WRITTEN_OUT_MAX:
        return Call("_count", (event, n))
    # A condition among numbers counts 1 where it is true, 0 where it is false.
    total: Node = Number(0.0)
    for one in _each(event, n):
        total = Arithmetic("+", total, one)
    return total


def _each(event: Node, n: int) -> tuple[Node, ...]:
    return (event, *(earlier(event, ago) for ago in range(1, n)))


def _one() -> int:
    return 1


def _steps(name: str, word: str) -> Function:
    expand = {"rising": _expand_rising, "falling": _expand_falling}[name]
    return Function(
        name=name,
        parameters=(Parameter("x", Kind.SERIES), bars()),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition=f"each of the last n steps from bar to bar was {word}",
        source="Closebell",
        example=f"{name}(close, 3)",
        kernel=Expansion(expand, one_more),
        aliases=(f"ta.{name}",),
    )


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
    _steps("rising", "up"),
    _steps("falling", "down"),
    Function(
        name="between",
        parameters=numbers("x", "lo", "hi"),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition="lo <= x <= hi, both ends included",
        source="Closebell",
        example="between(rsi(14), 40, 60)",
        kernel=Expansion(_expand_between, _one),
    ),
    Function(
        name="bars_since",
        parameters=(condition(),),
        gives=Kind.NUMBER,
        unit="bars",
        range="from 0",
        definition="how many bars ago the condition was last true; 0 if it is now;"
        " unknown if it never was",
        source="Closebell",
        example="bars_since(crosses_above(ema(9), ema(21))) < 5",
        kernel=Expansion(_expand_bars_since, _one),
        aliases=("ta.barssince",),
    ),
    Function(
        name="count",
        parameters=(condition(), bars()),
        gives=Kind.NUMBER,
        unit="bars",
        range="0 to n",
        definition="in how many of the last n bars, this one included, the condition was true",
        source="Closebell",
        example="count(close > open, 10) >= 8",
        kernel=Expansion(_expand_count, same),
    ),
    Function(
        name="any",
        parameters=(condition(), bars()),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition="the condition was true in at least one of the last n bars, this one included",
        source="Closebell",
        example="any(rsi(14) < 30, 5) and close > open",
        kernel=Expansion(_expand_any, same),
    ),
    Function(
        name="all",
        parameters=(condition(), bars()),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition="the condition was true in every one of the last n bars, this one included",
        source="Closebell",
        example="all(close > ema(50), 20)",
        kernel=Expansion(_expand_all, same),
    ),
)
PARTS = (
    part("_bars_since", Recursion(bars_since, _one, shared=1), (condition(),), "see bars_since"),
    part("_count", Rolling(count_true, same), (condition(), bars()), "see count"),
    part("_any", Rolling(any_true, same), (condition(), bars()), "see any", Kind.CONDITION),
    part("_all", Rolling(all_true, same), (condition(), bars()), "see all", Kind.CONDITION),
)
