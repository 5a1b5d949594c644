"""Read the calls in a rule: which argument is which, `tf=` and `of()`.

Not here: expressions (language), what an argument that is written out may be (literals).
"""

from __future__ import annotations

import ast
import difflib
from abc import ABC, abstractmethod

from shared.market.interval import Interval
from shared.rules import describe
from shared.rules.advice import SERIES_NAMES, dotted, example_call, is_literal, nearest
from shared.rules.entry import Function, Kind, Parameter
from shared.rules.literals import (
    is_duration,
    is_instrument,
    read_bars,
    read_factor,
    read_instrument,
    read_interval,
)
from shared.rules.registry import ALIASES, FUNCTIONS
from shared.rules.source import Source, named
from shared.rules.tree import (
    Argument,
    Call,
    Node,
    Number,
    OfInstrument,
    OnInterval,
    RuleLimits,
    Series,
)

# `of` is no entry of the registry: it changes what an expression is about, and computes nothing.
OF_SIGNATURE = "of(instrument, x)"
OF_EXAMPLE = 'of("BTCUSDT", close)'


class CallReader(Source, ABC):
    """What reading one rule has come to: the interval of the place it is at, the names so far.

    `interval`: of the bars at this place, changed by `tf=`. `intervals`: the longer ones it reads.
    """

    def __init__(self, text: str, limits: RuleLimits, interval: Interval | None) -> None:
        super().__init__(text)
        self.limits = limits
        self.interval = interval
        self.nodes = 0
        self.names: set[str] = set()
        self.intervals: set[Interval] = set()
        self.instruments: set[str] = set()
        self.interval_free = True

    @abstractmethod
    def condition(self, node: ast.expr, depth: int) -> Node:
        """Return a node that is true or false."""

    @abstractmethod
    def number(self, node: ast.expr, depth: int) -> Node:
        """Return a node with a numeric value."""

    @abstractmethod
    def any(self, node: ast.expr, depth: int) -> Node:
        """Return a node of either kind, within the limits."""

    def call(self, node: ast.Call, depth: int) -> Node:
        """Return a function, a series or another instrument, as called, with its `tf=`."""
        name = dotted(node.func)
        function = FUNCTIONS.get(ALIASES.get(name, name))
        if function is None and name != "of":
            self._check_series(node, name)
        times = [pair for pair in node.keywords if pair.arg == "tf"]
        if len(times) > 1:
            self.refuse(times[1], "expected 'tf' once, was twice")
        around = self.interval
        if times:
            self.interval_free = False
            self.interval = read_interval(self, times[0].value, around)
        if function is not None:
            result: Node = self.call_of(node, function, self._bind(node, function), depth)
        elif name == "of":
            result = self._of(node, depth)
        else:
            self.names.add(name)
            result = Series(name)
        inside, self.interval = self.interval, around
        if inside is None or inside == around:
            return result
        self._add_interval(times[0].value, inside)
        return OnInterval(result, inside)

    def _add_interval(self, node: ast.expr, interval: Interval) -> None:
        self.intervals.add(interval)
        most = self.limits.intervals_max
        if len(self.intervals) > most:
            self.refuse(node, f"expected at most {most} other intervals in a rule")

    def _check_series(self, node: ast.Call, name: str) -> None:
        if name not in SERIES_NAMES:
            self.refuse(
                node.func, f"expected a function, was {named(name)}", nearest(name, call=True)
            )
        if node.args or not node.keywords:
            message = f"expected no arguments: {name} is a series"
            self.refuse(node.func, message, f"{name}[1]" if node.args else name)
        for pair in node.keywords:
            if pair.arg != "tf":
                self.refuse(pair, f"expected only 'tf' on a series, was {named(str(pair.arg))}")

    def call_of(
        self, node: ast.expr, function: Function, given: dict[str, ast.expr], depth: int
    ) -> Call:
        """Return a function with these arguments, and its defaults for those left out."""
        arguments: list[Argument] = []
        sources = constants = 0
        for parameter in function.parameters:
            if parameter.name in given:
                argument = self._argument(function, parameter, given[parameter.name], depth)
            elif parameter.default is None:
                message = f"expected {parameter.name}: {function.signature}"
                self.refuse(node, message, example_call(function))
            else:
                argument = _default(parameter)
                if not isinstance(argument, int | float | str):
                    self.names |= describe.names_of(argument)
            arguments.append(argument)
            if not isinstance(argument, int | float | str):
                sources += 1
                constants += isinstance(argument, Number)
        if sources and sources == constants:
            self.refuse(node, f"{function.name}: expected a series in it, was only constants")
        self.names.add(function.name)
        call = Call(function.name, tuple(arguments))
        for longer in describe.longer_inside(call):
            self.interval_free = False
            if self.interval is None:
                message = f"{function.name}: expected a rule with an interval, as it reads {longer}"
                self.refuse(node, message)
            if longer.duration_ms > self.interval.duration_ms:
                self._add_interval(node, longer)
        return call

    def _of(self, node: ast.Call, depth: int) -> Node:
        for pair in node.keywords:
            if pair.arg != "tf":
                self.refuse(
                    pair, f"expected {OF_SIGNATURE}, was {named(f'{pair.arg}=')}", OF_EXAMPLE
                )
        if len(node.args) != 2:
            place = node.args[2] if len(node.args) > 2 else node
            self.refuse(place, f"expected two arguments: {OF_SIGNATURE}", OF_EXAMPLE)
        instrument = self._instrument(node.args[0], "of: instrument")
        operand = self.any(node.args[1], depth)
        if isinstance(operand, Number):
            self.refuse(node.args[1], "of: expected a series, was a constant", OF_EXAMPLE)
        return OfInstrument(instrument, operand)

    def _bind(self, node: ast.Call, function: Function) -> dict[str, ast.expr]:
        """Return the arguments by parameter name."""
        parameters = function.parameters
        if (
            parameters
            and parameters[0].kind is Kind.SERIES
            and parameters[0].default is not None
            and node.args
            and is_literal(node.args[0])
        ):
            parameters = parameters[1:]
        if len(node.args) > len(parameters):
            extra = node.args[len(parameters)]
            message = f"expected fewer arguments: {function.signature}"
            self.refuse(extra, message, example_call(function))
        given = {p.name: value for p, value in zip(parameters, node.args, strict=False)}
        for pair in node.keywords:
            if pair.arg == "tf":
                continue
            name = self._parameter_name(function, pair)
            if name in given:
                self.refuse(pair, f"expected '{name}' once, was twice")
            given[name] = pair.value
        return given

    def _parameter_name(self, function: Function, pair: ast.keyword) -> str:
        known = {n: p.name for p in function.parameters for n in (p.name, *p.aliases)}
        name = known.get(pair.arg or "")
        if name is None:
            possible = [*known, "tf"]
            near = difflib.get_close_matches(pair.arg or "", possible, n=1, cutoff=0.5)
            message = f"expected one of {', '.join(possible)}, was {named(str(pair.arg))}"
            self.refuse(pair, message, near[0] if near else "")
        return name

    def _argument(
        self, function: Function, parameter: Parameter, node: ast.expr, depth: int
    ) -> Argument:
        what = f"{function.name}: {parameter.name}"
        match parameter.kind:
            case Kind.BARS:
                return self.bars(node, what, parameter.least)
            case Kind.FACTOR:
                return read_factor(self, node, what)
            case Kind.INSTRUMENT:
                return self._instrument(node, what)
            case Kind.CONDITION:
                return self.condition(node, depth)
        value = self.number(node, depth)
        if parameter.kind is Kind.SERIES and isinstance(value, Number):
            message = f"{function.name}: expected a series, was a constant"
            self.refuse(node, message, example_call(function))
        return value

    def bars(self, node: ast.expr, what: str, least: int) -> int:
        """Return a number of bars of the interval at this place."""
        bars = read_bars(self, node, what, least, self.limits.window_bars_max, self.interval)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.interval_free = False
        return bars

    def _instrument(self, node: ast.expr, what: str) -> str:
        instrument = read_instrument(self, node, what)
        self.instruments.add(instrument)
        most = self.limits.instruments_max
        if len(self.instruments) > most:
            self.refuse(node, f"expected at most {most} other instruments in a rule")
        return instrument

    def meant_by_quoted(self, text: str) -> str:
        """Return a call in which a text that stands for a number would make sense."""
        if is_duration(text):
            return f'close["{text}"]'
        return f'of("{text}", close)' if is_instrument(text) else ""


def _default(parameter: Parameter) -> Argument:
    assert parameter.default is not None
    # An entry may write a factor without a fraction; a tree never does.
    if parameter.kind is Kind.FACTOR:
        assert isinstance(parameter.default, int | float)
        return float(parameter.default)
    return parameter.default
