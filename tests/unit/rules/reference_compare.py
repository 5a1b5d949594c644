"""Runs random rules through the engine and through the reference, and counts what came out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from shared.errors import InvalidRule
from shared.market.interval import Interval
from shared.rules import FUNCTIONS, Rule, Verdicts, build_plan, evaluate, parse_rule
from tests.unit.rules.random_rules import RuleWriter
from tests.unit.rules.reference import Reference
from tests.unit.rules.reference_calls import KINDS
from tests.unit.rules.reference_functions import CloseCallError
from tests.unit.rules.reference_markets import Market
from tests.unit.rules.reference_reader import Node, Reader
from tests.unit.rules.reference_reasons import bars_needed, is_condition, reason_now
from tests.unit.rules.reference_words import SIGNATURES

# Of how many instruments of a market the reasons are compared: they take most of the time.
REASONS = 12
Universe = tuple[str, ...] | None
_STATES = {1: True, 0: False, -1: None}
_NAMED = set(FUNCTIONS) & set(SIGNATURES)


@dataclass
class Tally:
    """What many pairs of a rule and an instrument came to."""

    states: Counter[bool | None] = field(default_factory=Counter)
    seen: set[tuple[str, bool]] = field(default_factory=set)  # function, whether known
    reasons: Counter[str] = field(default_factory=Counter)
    close_calls: int = 0
    rules: int = 0
    refused: list[str] = field(default_factory=list)
    not_canonical: list[str] = field(default_factory=list)
    values: int = 0
    mismatches: list[str] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        return sum(self.states.values()) + self.close_calls


def compare(market: Market, seed: int, rules: int, tally: Tally) -> None:
    """Compare `rules` random rules on every instrument of a market at its last close."""
    random = Random(seed)
    functions = [name for name in KINDS if name in _NAMED]
    writer = RuleWriter(seed, market.interval, market.longer, market.symbols, functions)
    texts: list[str] = []
    read: list[Rule] = []
    while len(read) < rules:
        text = writer.rule(functions[(seed * rules + len(read)) % len(functions)])
        try:
            read.append(parse_rule(text, interval=Interval(market.interval)))
        except InvalidRule as error:
            tally.refused.append(f"{text}: {error}")
            continue
        texts.append(text)
        again = parse_rule(read[-1].canonical, interval=Interval(market.interval))
        if (again.tree, again.canonical) != (read[-1].tree, read[-1].canonical):
            tally.not_canonical.append(f"{text}: {read[-1].canonical}")
    tally.rules += rules
    compare_rules(market, texts, read, random, tally)


@dataclass
class Pair:
    """One rule on one instrument: what both say, None and a reason for unknown."""

    expected: bool | None
    expected_reason: str | None
    was: bool | None
    was_reason: str | None

    @property
    def agrees(self) -> bool:
        return (self.expected, self.expected_reason) == (self.was, self.was_reason)

    def __str__(self) -> str:
        expected, was = self.expected_reason or self.expected, self.was_reason or self.was
        return f"expected {expected}, was {was}"


def verdicts_of(market: Market, rules: list[Rule], universes: list[Universe]) -> Verdicts:
    """Return what the engine says at the last close."""
    longer = {Interval(n): window for n, window in market.windows.items() if n != market.interval}
    plan = build_plan(rules, universes)
    return evaluate(plan, market.windows[market.interval], longer=longer)


def compare_rules(
    market: Market, texts: list[str], rules: list[Rule], random: Random, tally: Tally
) -> None:
    """Compare these rules, which the engine has read."""
    universes = [random.choice(market.universes) for _ in rules]
    verdicts = verdicts_of(market, rules, universes)
    reader = Reader(market.interval)
    references = {u: Reference(market.interval, market.bars, u) for u in market.universes}
    for number, (text, universe) in enumerate(zip(texts, universes, strict=True)):
        node, reference = reader.rule(text), references[universe]
        needed = bars_needed(node)
        if needed != rules[number].bars_needed:
            tally.mismatches.append(f"{text} needs {needed} bars, was {rules[number].bars_needed}")
        names = functions_of(node)
        asked = random.sample(range(len(market.symbols)), min(REASONS, len(market.symbols)))
        for place, symbol in enumerate(market.symbols):
            try:
                pair = pair_of(reference, node, symbol, verdicts, number, place, place in asked)
            except CloseCallError:
                tally.close_calls += 1
                continue
            tally.states[pair.expected] += 1
            tally.seen |= {(name, pair.expected is not None) for name in names}
            if pair.expected_reason:
                tally.reasons[re.split(r" \(| in ", pair.expected_reason)[0]] += 1
            if not pair.agrees:
                tally.mismatches.append(
                    f"{text}\n  {market.interval} {symbol}, universe {universe}: {pair}"
                    f"\n  reference: {values_of(reference, node, symbol)}"
                    f"\n  engine:    {verdicts.values(number, place)}"
                    f"\n  smallest:  {smallest(market, reference, node, symbol)}"
                )
        place = random.randrange(len(market.symbols))
        shown = verdicts.values(number, place)
        compare_values(text, reader, reference, shown, market.symbols[place], tally)


def pair_of(
    reference: Reference,
    node: Node,
    symbol: str,
    verdicts: Verdicts,
    number: int,
    place: int,
    reasons: bool = True,
) -> Pair:
    """Return what both say, with the reasons for unknown if they are asked for."""
    expected, was = reference.state(node, symbol), _STATES[int(verdicts.state(number)[place])]
    reason = reason_now(reference, node, symbol) if reasons and expected is None else None
    was_reason = verdicts.unknown_reason(number, place) if reasons and was is None else None
    return Pair(expected, reason, was, was_reason)


def compare_values(
    rule: str,
    reader: Reader,
    reference: Reference,
    shown: Mapping[str, float],
    symbol: str,
    tally: Tally,
) -> None:
    """Compare the numbers that a signal would show."""
    for text, was in shown.items():
        context = reference.context(reference.interval, symbol)
        try:
            node = reader.rule(text)
            expected = reference.now(node, symbol)
            size = reference.size(node, context, 0)
        except CloseCallError:
            continue
        except AssertionError as error:
            tally.mismatches.append(f"{text} in {rule} is not a rule's spelling: {error}")
            continue
        tally.values += 1
        if expected is None or abs(expected - was) > 1e-9 * abs(was) + 1e-11 * size:
            tally.mismatches.append(
                f"{text} of {symbol} in {rule}: expected {expected!r}, was {was!r}"
            )


def functions_of(node: Node) -> set[str]:
    """Return the functions that a rule names."""
    own = {node.name} & _NAMED
    return own.union(*map(functions_of, node.parts))


def values_of(reference: Reference, node: Node, symbol: str) -> dict[str, object]:
    """Return the values of both sides of every comparison."""
    if not is_condition(node):
        return {node.text: reference.now(node, symbol)}
    values: dict[str, object] = {}
    for part in node.parts:
        values |= values_of(reference, part, symbol)
    return values


def parts_of(node: Node) -> Iterator[Node]:
    """Return a node and its parts in the same context, the smallest first."""
    for part in node.parts if node.name not in ("tf", "of") else ():
        yield from parts_of(part)
    yield node


def smallest(market: Market, reference: Reference, node: Node, symbol: str) -> str:
    """Return a part of a rule that differs, of whose parts none does."""
    for part in parts_of(node):
        condition = is_condition(part)
        text = part.text if condition else f"{part.text} == 0"
        try:
            rule = parse_rule(text, interval=Interval(market.interval))
            verdicts = verdicts_of(market, [rule], [tuple(reference.universe)])
            inner = Reader(market.interval).rule(text)
            pair = pair_of(reference, inner, symbol, verdicts, 0, market.symbols.index(symbol))
        except (InvalidRule, CloseCallError):
            continue
        if not pair.agrees:
            return f"{text}: {pair}"
        was = next(iter(verdicts.values(0, market.symbols.index(symbol)).values()), None)
        value = None if condition else reference.now(inner.parts[0], symbol)
        if was is not None and value is not None and abs(value - was) > 1e-9 * abs(was):
            return f"{text}: expected {value!r}, was {was!r}"
    return "the whole"
