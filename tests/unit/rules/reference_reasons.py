"""Why the reference does not know a value: the reasons as the language promises them."""

from __future__ import annotations

from tests.unit.rules.reference import COLUMNS, CONDITIONS, WINDOW_BARS, Reference
from tests.unit.rules.reference_context import Context
from tests.unit.rules.reference_reader import Node
from tests.unit.rules.reference_tables import CANDLES, RUNNING, WINDOWED


def bars_needed(node: Node) -> int:
    """Return the bars of history, in the context of the node, until its first value."""
    name = node.name
    if name == "tf":
        return 1
    if node.meaning is not None:
        return bars_needed(node.meaning)
    most = max(map(bars_needed, node.parts), default=1)
    if name == "lag":
        return most + int(node.literals[0])
    if name == "count":
        return most + int(node.literals[0]) - 1
    if name in WINDOWED or name in RUNNING:
        definition = WINDOWED.get(name) or RUNNING[name]
        return most + definition.bars(*node.literals) - 1
    return most


def reads_columns(node: Node) -> bool:
    """Return whether a node reads bars of the instrument in whose context it stands."""
    if node.name in COLUMNS:
        return True
    if node.name in ("tf", "of"):
        return False
    if node.meaning is not None:
        return reads_columns(node.meaning)
    definition = WINDOWED.get(node.name) or RUNNING.get(node.name)
    if definition and any(column in COLUMNS for column in definition.columns.split()):
        return True
    return any(map(reads_columns, node.parts))


def is_condition(node: Node) -> bool:
    if node.name in ("lag", "tf", "of"):
        return is_condition(node.parts[0])
    return node.name in CONDITIONS


def reason_now(reference: Reference, rule: Node, symbol: str) -> str:
    """Return why a rule is unknown at the close."""
    return Reasons(reference).of(rule, reference.context(reference.interval, symbol), 0)


class Reasons:
    """Reasons of values that a reference does not know."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def unknown(self, node: Node, context: Context, ago: int) -> bool:
        return self.reference.value(node, context, ago) is None

    def of(self, node: Node, context: Context, ago: int) -> str:
        """Return the reason of an unknown node."""
        if context.absent:
            return context.absent
        if node.name == "lag":
            return self.of(node.parts[0], context, ago + int(node.literals[0]))
        if node.name in ("tf", "of") and is_condition(node):
            return self.of_other(node, context, ago)
        if node.name in CONDITIONS - CANDLES:
            parts = (node.meaning,) if node.meaning else node.parts
            first = next(part for part in parts if self.unknown(part, context, ago))
            return self.of(first, context, ago)
        known = context.known if reads_columns(node) else context.length
        needed = bars_needed(node) + ago
        if known == 0:
            return "missing"
        if known < needed:
            return f"warming up ({known} of {needed} bars)"
        if node.name in ("tf", "of"):
            return self.of_other(node, context, ago)
        if node.name == "bars_since":
            return self.of_bars_since(node, context, ago, known)
        return self.of_source(node, context, ago)

    def of_other(self, node: Node, context: Context, ago: int) -> str:
        """Return the reason of a value on another interval or of another instrument."""
        if node.name == "tf":
            return self.of(node.parts[0], *self.reference.held(node, context, ago))
        return self.of(node.parts[0], self.reference.other(node, context), ago)

    def of_source(self, node: Node, context: Context, ago: int) -> str:
        parts = (node.meaning,) if node.meaning else node.parts
        if (node, ago) in context.causes:
            return context.causes[node, ago]
        for back in range(ago, ago + self.reach(node)):
            for part in parts:
                if self.unknown(part, context, back):
                    return self.of(part, context, back)
        return "not a finite number"

    def reach(self, node: Node) -> int:
        """Return of how many bars back the sources of a function count."""
        if node.meaning is None and node.name in RUNNING:
            return WINDOW_BARS
        if node.meaning is None and node.name in WINDOWED:
            return WINDOWED[node.name].bars(*node.literals)
        return int(node.literals[0]) if node.name == "count" else 1

    def of_bars_since(self, node: Node, context: Context, ago: int, known: int) -> str:
        back = ago
        while back < WINDOW_BARS and self.reference.value(node.parts[0], context, back) is False:
            back += 1
        reason = self.of(node.parts[0], context, back) if back < WINDOW_BARS else "warming up"
        return f"never true in {known} bars" if reason.startswith("warming up") else reason
