"""Reads a rule for the reference: text → nodes, by Python's own grammar and nothing of ours.

It takes rules that are right and does not say what is wrong with others. Equal parts of rules
are the same object, so that a node is a key for what was computed of it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tests.unit.rules.reference_tables import SUMS
from tests.unit.rules.reference_words import EXPANSIONS, EXPRESSIONS, SERIES, SIGNATURES

Literal = int | float | str
Named = Mapping[str, "Node | Literal"]

_OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.And: "and",
    ast.Or: "or",
}
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(eq=False, slots=False, repr=False)
class Node:
    """`name` is an operator, "number", "lag", "tf", "of", a column or a function.

    `parts` are its expressions, `literals` its written-out numbers and texts; `meaning` is the
    same thing in simpler words, where the language defines it so.
    """

    name: str
    parts: tuple[Node, ...]
    literals: tuple[Literal, ...]
    meaning: Node | None = None

    @cached_property
    def text(self) -> str:
        """Return the node as a rule would say it."""
        inside = [part.text for part in self.parts]
        match self.name:
            case "number":
                return f"{self.literals[0]!r}"
            case "negative" | "not":
                return f"({'-' if self.name == 'negative' else 'not '}{inside[0]})"
            case "lag":
                return f"({inside[0]})[{self.literals[0]}]"
            case "of":
                return f'of("{self.literals[0]}", {inside[0]})'
            case "tf":
                call = inside[0] if inside[0].endswith(")") else f"{inside[0]}()"
                comma = "" if call.endswith("()") else ", "
                return f'{call[:-1]}{comma}tf="{self.literals[0]}")'
        if self.name in SIGNATURES:
            literals = (f'"{v}"' if isinstance(v, str) else f"{v:g}" for v in self.literals)
            given = {True: iter(inside), False: literals}
            named = (f"{n}={next(given[n in EXPRESSIONS])}" for n in SIGNATURES[self.name])
            return f"{self.name}({', '.join(named)})"
        return f"({f' {self.name} '.join(inside)})" if inside else self.name

    @cached_property
    def sums(self) -> bool:
        """Return whether it is made of sums over bars, which rounding may make differ."""
        if self.meaning is not None:
            return self.meaning.sums
        return self.name in SUMS or any(part.sums for part in self.parts)

    @cached_property
    def reads_others(self) -> bool:
        """Return whether it reads other instruments or intervals."""
        if self.meaning is not None:
            return self.meaning.reads_others
        across = ("tf", "of", "rank", "percentile", "zscore_across", "share")
        return self.name in across or any(part.reads_others for part in self.parts)

    def __repr__(self) -> str:
        return self.text


def interval_ms(text: str) -> int:
    """Return milliseconds of "15m", "4h", "1d"."""
    return int(text[:-1]) * _UNIT_MS[text[-1]]


class Reader:
    """Reads the rules of traders on one interval ("1h")."""

    def __init__(self, interval: str) -> None:
        self.interval_ms = interval_ms(interval)
        self.nodes: dict[object, Node] = {}
        self.templates: dict[str, ast.expr] = {}

    def rule(self, text: str) -> Node:
        """Return the tree of a rule."""
        return self.read(ast.parse(f"({re.sub('#.*', '', text)}\n)", mode="eval").body, {})

    def node(
        self, name: str, parts: tuple[Node, ...] = (), literals: tuple[Literal, ...] = ()
    ) -> Node:
        key = (self.interval_ms, name, tuple(map(id, parts)), tuple(map(repr, literals)))
        if key not in self.nodes:
            self.nodes[key] = Node(name, parts, literals)
        return self.nodes[key]

    def read(self, expression: ast.expr, named: Named) -> Node:
        """Return the node of an expression; `named` are the parameters of a definition."""
        match expression:
            case ast.Constant(value=value):
                return self.node("number", (), (float(value),))  # type: ignore[arg-type]
            case ast.Name(id=name):
                return self.name(name, named)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.node("not", (self.read(operand, named),))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
                return self.node("number", (), (-float(value) + 0.0,))  # type: ignore[arg-type]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.node("negative", (self.read(operand, named),))
            case ast.BinOp(op=op, left=left, right=right):
                return self.node(
                    _OPERATORS[type(op)], (self.read(left, named), self.read(right, named))
                )
            case ast.BoolOp(op=op, values=values):
                return self.node(_OPERATORS[type(op)], tuple(self.read(v, named) for v in values))
            case ast.Compare():
                sides = [self.read(s, named) for s in (expression.left, *expression.comparators)]
                pairs = [
                    self.node(_OPERATORS[type(op)], (sides[place], sides[place + 1]))
                    for place, op in enumerate(expression.ops)
                ]
                return self.node("and", tuple(pairs)) if len(pairs) > 1 else pairs[0]
            case ast.Subscript(value=value, slice=index):
                bars = self.literal(index, named, "n")
                lagged = self.read(value, named)
                return self.node("lag", (lagged,), (bars,)) if bars else lagged
            case ast.Call(func=ast.Name(id=name)):
                return self.call(name, expression, named)
            case ast.Call(func=inner, keywords=[ast.keyword(value=ast.Constant(value=longer))]):
                # How a signal names a value of an earlier bar of a longer interval.
                return self.on_intervals([str(longer)], lambda: self.read(inner, named))
        raise AssertionError(ast.dump(expression))

    def on_intervals(self, longer: list[str], read: Callable[[], Node]) -> Node:
        """Return what is read with the bars of longer intervals, of which the last is outside."""
        if not longer:
            return read()
        own_ms, self.interval_ms = self.interval_ms, interval_ms(longer[-1])
        inner = self.on_intervals(longer[:-1], read)
        dissolves, self.interval_ms = self.interval_ms == own_ms, own_ms
        return inner if dissolves else self.node("tf", (inner,), (longer[-1],))

    def bars(self, duration: str) -> int:
        bars, rest = divmod(interval_ms(duration), self.interval_ms)
        assert rest == 0, duration
        return bars

    def name(self, name: str, named: Named) -> Node:
        if name in named:
            value = named[name]
            return value if isinstance(value, Node) else self.node("number", (), (value,))
        if name in SIGNATURES:
            return self.function(name, [], {}, named)
        node = self.node(name)
        if SERIES[name] and node.meaning is None:
            node.meaning = self.template(SERIES[name], {})
        return node

    def template(self, text: str, named: Named) -> Node:
        if text not in self.templates:
            self.templates[text] = ast.parse(text, mode="eval").body
        return self.read(self.templates[text], named)

    def call(self, name: str, call: ast.Call, named: Named) -> Node:
        keywords = {word.arg or "": word.value for word in call.keywords if word.arg != "tf"}
        longer = [ast.literal_eval(w.value) for w in call.keywords if w.arg == "tf"]
        return self.on_intervals(longer, lambda: self.bare(name, call, keywords, named))

    def bare(self, name: str, call: ast.Call, keywords: dict[str, ast.expr], named: Named) -> Node:
        """Return a call without its `tf=`."""
        if name in SERIES:
            return self.name(name, {})
        if name == "of":
            instrument, operand = call.args
            other = self.literal(instrument, named, "instrument")
            return self.node("of", (self.read(operand, named),), (other,))
        return self.function(name, call.args, keywords, named)

    def function(
        self, name: str, given: list[ast.expr], keywords: dict[str, ast.expr], named: Named
    ) -> Node:
        parameters = SIGNATURES[name]
        names = list(parameters)
        if names and parameters[names[0]] in SERIES and given:
            first = named.get(getattr(given[0], "id", ""), given[0])
            if isinstance(first, ast.Constant | int | str):
                names = names[1:]
        arguments = dict(zip(names, given, strict=False)) | keywords
        bound: dict[str, Node | Literal] = {}
        for parameter, default in parameters.items():
            written = arguments.get(parameter)
            if written is None:
                assert default is not None, (name, parameter)
                bound[parameter] = self.name(default, {}) if isinstance(default, str) else default
            elif parameter in EXPRESSIONS:
                bound[parameter] = self.read(written, named)
            else:
                bound[parameter] = self.literal(written, named, parameter)
        parts = tuple(value for value in bound.values() if isinstance(value, Node))
        literals = tuple(value for value in bound.values() if not isinstance(value, Node))
        node = self.node(name, parts, literals)
        if name in EXPANSIONS and node.meaning is None:
            node.meaning = self.template(EXPANSIONS[name](*literals), bound)
        return node

    def literal(self, written: ast.expr, named: Named, parameter: str) -> Literal:
        match written:
            case ast.Constant(value=str(text)):
                return text if parameter == "instrument" else self.bars(text)
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name):
                value = named[name]
                assert not isinstance(value, Node)
                return value
        raise AssertionError(ast.dump(written))
