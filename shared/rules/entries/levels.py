"""Levels that a trader has in mind: the pivots of the day before."""

from __future__ import annotations

from collections.abc import Callable

from shared.market.interval import Interval
from shared.rules.entries.words import HIGH, LOW, PRICE
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Expansion
from shared.rules.tree import Arithmetic, Node, Number, OnInterval, Series

_PIVOT = Series("hlc3")
_RANGE = Arithmetic("-", HIGH, LOW)


def _twice(node: Node) -> Node:
    return Arithmetic("*", Number(2.0), node)


def _of_last_day(node: Node) -> Callable[[], Node]:
    level = OnInterval(node, Interval.D1)
    return lambda: level


def _one() -> int:
    return 1


def _level(name: str, text: str, node: Node, example: str) -> Function:
    return Function(
        name=name,
        parameters=(),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="any",
        definition=f"{text}, of the last UTC day that has closed",
        source="classic pivot points",
        example=example,
        kernel=Expansion(_of_last_day(node), _one),
    )


ENTRIES = (
    _level("pivot", "(high + low + close) / 3", _PIVOT, "crosses_above(close, pivot)"),
    _level(
        "pivot_r1",
        "first resistance: 2 · pivot - low",
        Arithmetic("-", _twice(_PIVOT), LOW),
        "crosses_above(close, pivot_r1)",
    ),
    _level(
        "pivot_r2",
        "second resistance: pivot + (high - low)",
        Arithmetic("+", _PIVOT, _RANGE),
        "close > pivot_r2",
    ),
    _level(
        "pivot_r3",
        "third resistance: high + 2 · (pivot - low)",
        Arithmetic("+", HIGH, _twice(Arithmetic("-", _PIVOT, LOW))),
        "high > pivot_r3",
    ),
    _level(
        "pivot_s1",
        "first support: 2 · pivot - high",
        Arithmetic("-", _twice(_PIVOT), HIGH),
        "crosses_below(close, pivot_s1)",
    ),
    _level(
        "pivot_s2",
        "second support: pivot - (high - low)",
        Arithmetic("-", _PIVOT, _RANGE),
        "close < pivot_s2",
    ),
    _level(
        "pivot_s3",
        "third support: low - 2 · (high - pivot)",
        Arithmetic("-", LOW, _twice(Arithmetic("-", HIGH, _PIVOT))),
        "low < pivot_s3",
    ),
)
PARTS: tuple[Function, ...] = ()
