"""A second, slow evaluator: one instrument, one bar, one number at a time, in plain Python.

Written from the definitions of the language; it shares nothing with shared/rules, not even the
reading of a rule. Its only purpose is to catch mistakes of the fast engine.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from tests.unit.rules.reference_context import Bars, Context, Value
from tests.unit.rules.reference_functions import CloseCallError, deviation, mean
from tests.unit.rules.reference_reader import Node, interval_ms
from tests.unit.rules.reference_tables import CANDLES, RUNNING, WINDOWED
from tests.unit.rules.reference_words import SERIES

WINDOW_BARS = 500
COLUMNS = {name: place for place, name in enumerate(list(SERIES)[:8])}
DAY_MS = 86_400_000
# Two ways of rounding may differ by this much, of the numbers compared and of what they came from.
CLOSE, CLOSE_PARTS = 1e-7, 1e-11

_UNSET = object()
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
CONDITIONS = (
    {*_COMPARE, "and", "or", "not", "any", "all", "rising", "falling"}
    | {"between", "crosses_above", "crosses_below"}
    | CANDLES
)


class Reference:
    """Values at the last close of `bars[interval]`, for a trader whose universe is `universe`."""

    def __init__(
        self, interval: str, bars: Mapping[str, Bars], universe: Sequence[str] | None = None
    ) -> None:
        self.interval = interval
        self.bars = bars
        self.universe = list(bars[interval].of_symbol) if universe is None else list(universe)
        self.closed_at_ms = bars[interval].open_times_ms[-1] + interval_ms(interval)
        self.contexts: dict[tuple[str, str], Context] = {}
        self.methods: dict[str, Callable[[Node, Context, int], Value]] = {
            **dict.fromkeys(WINDOWED, self.windowed),
            **dict.fromkeys(RUNNING, self.running),
            **dict.fromkeys(_COMPARE, self.compare),
            **dict.fromkeys((*_ARITHMETIC, "negative"), self.arithmetic),
            **dict.fromkeys(("hour", "weekday", "_day"), self.clock),
            **dict.fromkeys(("bars_since", "count"), self.over_conditions),
            **dict.fromkeys(("rank", "percentile", "zscore_across", "share"), self.across),
            "and": self.all_of,
            "or": self.any_of,
            "not": self.negated,
            "number": self.number,
            "lag": self.lag,
            "tf": self.on_interval,
            "of": self.of_instrument,
        }

    def context(self, interval: str, symbol: str) -> Context:
        """Return an instrument's last bars of an interval that have closed."""
        key = interval, symbol
        if key not in self.contexts:
            step = interval_ms(interval)
            bars = self.bars.get(interval, Bars([], {}))
            closed = bisect_right(bars.open_times_ms, self.closed_at_ms - step)
            own = bars.of_symbol.get(symbol, [])[:closed][-WINDOW_BARS:]
            closed_at_ms = self.closed_at_ms - self.closed_at_ms % step
            absent = None
            if interval not in self.bars:
                absent = "missing"
            elif not closed or bars.open_times_ms[closed - 1] != closed_at_ms - step:
                absent = "stale"
            known = len(list(takewhile(lambda values: values is not None, reversed(own))))
            length = min(closed, WINDOW_BARS)
            flat = len({bar[3] for bar in own[length - known :] if bar}) < 2
            self.contexts[key] = Context(
                interval, symbol, closed_at_ms, own, absent, known, length, flat
            )
        return self.contexts[key]

    def state(self, rule: Node, symbol: str) -> bool | None:
        """Return true, false, or None for unknown."""
        value = self.now(rule, symbol)
        assert value is None or isinstance(value, bool)
        return value

    def now(self, node: Node, symbol: str) -> Value:
        """Return a node's value at the close."""
        context = self.context(self.interval, symbol)
        return self.value(node, context, 0)

    def value(self, node: Node, context: Context, ago: int) -> Value:
        """Return a number, true, false, or None for unknown."""
        if ago >= WINDOW_BARS or context.absent:
            return None
        place = COLUMNS.get(node.name)
        if place is not None:
            bar = context.bars[-1 - ago] if ago < context.known else None
            return bar and bar[place]
        memo = context.memo.get(node)
        if memo is None:
            memo = context.memo[node] = {}
        found = memo.get(ago, _UNSET)
        if found is _UNSET:
            found = memo[ago] = self.computed(node, context, ago)
        if isinstance(found, CloseCallError):
            raise found
        return found

    def computed(self, node: Node, context: Context, ago: int) -> Value:
        """Return what a node's method gives, None if there is no such number."""
        try:
            if node.meaning is not None:
                return self.value(node.meaning, context, ago)
            found = self.methods[node.name](node, context, ago)
        except ZeroDivisionError:
            context.causes[node, ago] = "division by zero"
            return None
        except (ValueError, OverflowError):
            return None
        except CloseCallError as error:
            return error
        return None if isinstance(found, float) and not math.isfinite(found) else found

    def all_of(self, node: Node, context: Context, ago: int) -> bool | None:
        return all_of(self.value(part, context, ago) for part in node.parts)

    def any_of(self, node: Node, context: Context, ago: int) -> bool | None:
        return negated(all_of(negated(self.value(part, context, ago)) for part in node.parts))

    def negated(self, node: Node, context: Context, ago: int) -> bool | None:
        return negated(self.value(node.parts[0], context, ago))

    def number(self, node: Node, context: Context, ago: int) -> float:
        return float(node.literals[0])

    def lag(self, node: Node, context: Context, ago: int) -> Value:
        return self.value(node.parts[0], context, ago + int(node.literals[0]))

    def clock(self, node: Node, context: Context, ago: int) -> float:
        """Return a reading of a bar's open time, UTC."""
        at_ms = context.closed_at_ms - (ago + 1) * interval_ms(context.interval)
        days = at_ms // DAY_MS
        if node.name == "hour":
            return float(at_ms % DAY_MS // 3_600_000)
        # The epoch was a Thursday.
        return float(days if node.name == "_day" else (days + 3) % 7)

    def on_interval(self, node: Node, context: Context, ago: int) -> Value:
        return self.value(node.parts[0], *self.held(node, context, ago))

    def of_instrument(self, node: Node, context: Context, ago: int) -> Value:
        return self.value(node.parts[0], self.other(node, context), ago)

    def held(self, node: Node, context: Context, ago: int) -> tuple[Context, int]:
        """Return the longer interval's context, and its newest bar at this bar's close."""
        inner = self.context(str(node.literals[0]), context.symbol)
        step = interval_ms(inner.interval)
        at_ms = context.closed_at_ms - ago * interval_ms(context.interval)
        return inner, (inner.closed_at_ms - (at_ms - at_ms % step)) // step

    def other(self, node: Node, context: Context) -> Context:
        return self.context(context.interval, str(node.literals[0]))

    def compare(self, node: Node, context: Context, ago: int) -> bool | None:
        a, b = (self.value(part, context, ago) for part in node.parts)
        if a is None or b is None:
            return None
        if a != b and abs(a - b) <= CLOSE * max(abs(a), abs(b)) + CLOSE_PARTS * max(
            self.size(part, context, ago) for part in node.parts
        ):
            raise CloseCallError
        # Equal sums are certain only of a price that has not moved.
        if a == b and any(
            part.sums and (part.reads_others or not context.flat) for part in node.parts
        ):
            raise CloseCallError
        return _COMPARE[node.name](a, b)

    def size(self, node: Node, context: Context, ago: int) -> float:
        """Return the largest number that went into this one."""
        own: float = abs(self.value(node, context, ago) or 0.0)
        if node.name in CONDITIONS or context.absent or ago >= WINDOW_BARS:
            return own
        if node.name == "lag":
            ago += int(node.literals[0])
        elif node.name == "tf":
            context, ago = self.held(node, context, ago)
        elif node.name == "of":
            context = self.other(node, context)
        parts = (node.meaning,) if node.meaning else node.parts
        return max(own, *(self.size(part, context, ago) for part in parts), 0.0)

    def arithmetic(self, node: Node, context: Context, ago: int) -> float | None:
        values = [self.value(part, context, ago) for part in node.parts]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        if node.name == "/" and 0 < abs(known[1]) <= CLOSE_PARTS * self.size(
            node.parts[1], context, ago
        ):
            raise CloseCallError
        return -known[0] if node.name == "negative" else _ARITHMETIC[node.name](*known)

    def windowed(self, node: Node, context: Context, ago: int) -> float | None:
        definition = WINDOWED[node.name]
        bars = definition.bars(*node.literals)
        lists: list[list[float]] = []
        for source in self.columns_and_parts(node):
            values = [self.value(source, context, ago + back) for back in range(bars)][::-1]
            known = [value for value in values if value is not None]
            if len(known) < bars:
                return None
            lists.append(known)
        result: float = definition.compute(*lists, *node.literals)
        return result

    def running(self, node: Node, context: Context, ago: int) -> Value:
        """Compute the whole run of known bars in which a bar stands."""
        sources = self.columns_and_parts(node)

        def known(back: int) -> list[Any] | None:
            values = [self.value(source, context, back) for source in sources]
            return None if back < 0 or None in values else values

        if known(ago) is None:
            return None
        newer = list(takewhile(bool, map(known, range(ago - 1, -1, -1))))
        older = list(takewhile(bool, map(known, range(ago, WINDOW_BARS))))
        columns = [list(column) for column in zip(*older[::-1], *newer, strict=True)]
        values = RUNNING[node.name].compute(*columns, *node.literals)
        first = ago + len(older) - 1
        memo = context.memo[node]
        for place, value in enumerate(values):
            if isinstance(value, ZeroDivisionError):
                context.causes[node, first - place] = "division by zero"
                value = None
            if isinstance(value, float) and not math.isfinite(value):
                value = None
            memo[first - place] = value
        found = memo[ago]
        if isinstance(found, CloseCallError):
            raise found
        return found

    def columns_and_parts(self, node: Node) -> list[Node]:
        definition = WINDOWED.get(node.name) or RUNNING[node.name]
        return [*map(column, definition.columns.split()), *node.parts]

    def over_conditions(self, node: Node, context: Context, ago: int) -> Value:
        condition = node.parts[0]
        if node.name == "bars_since":
            for back in range(WINDOW_BARS - ago):
                state = self.value(condition, context, ago + back)
                if state is None:
                    return None
                if state:
                    return float(back)
            return None
        n = int(node.literals[0])
        states = [self.value(condition, context, ago + back) for back in range(n)]
        return None if None in states else float(sum(states))

    def across(self, node: Node, context: Context, ago: int) -> Value:
        if context.symbol not in self.universe:
            if self.value(node.parts[0], context, ago) is not None:
                context.causes[node, ago] = "outside the universe"
            return None
        others = [
            self.value(node.parts[0], self.context(context.interval, symbol), ago)
            for symbol in self.universe
        ]
        known = [float(value) for value in others if value is not None]
        if node.name == "share":
            return sum(known) / len(known) if known else None
        own = self.value(node.parts[0], context, ago)
        if own is None:
            return None
        if node.name == "zscore_across":
            spread = deviation(known)
            if 0 < spread <= CLOSE_PARTS * max(map(abs, known)):
                raise CloseCallError
            return (own - mean(known)) / spread
        if any(v != own and abs(v - own) <= CLOSE * max(abs(v), abs(own)) for v in known):
            raise CloseCallError
        if node.name == "rank":
            return 1.0 + sum(value > own for value in known)
        return 100 * sum(value < own for value in known) / (len(known) - 1)


def column(name: str) -> Node:
    return _LEAVES.setdefault(name, Node(name, (), ()))


_LEAVES: dict[str, Node] = {}


def negated(state: Value) -> bool | None:
    return None if state is None else not state


def all_of(states: Iterator[Value]) -> bool | None:
    """Return true if all are, false if one is, and else unknown."""
    unknown = False
    for state in states:
        if state is None:
            unknown = True
        elif not state:
            return False
    return None if unknown else True
