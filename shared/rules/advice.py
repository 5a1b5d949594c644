"""Names in a rule's text: as written, the nearest known one, an example of its use.

Not here: when to give which advice (language).
"""

from __future__ import annotations

import ast
import difflib
import re
from functools import lru_cache

from shared.rules.entry import Function
from shared.rules.registry import ALIASES, FUNCTIONS, SERIES

# What a rule may name; the rest of the series are parts of functions.
SERIES_NAMES = frozenset(name for name in SERIES if not name.startswith("_"))


def dotted(node: ast.expr) -> str:
    """Return a name as written, `ta.sma`; not by recursion, as it may be long."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "an expression")
    return ".".join(reversed(parts))


def is_literal(node: ast.expr) -> bool:
    """Return whether it is a number as written, with or without a sign."""
    if isinstance(node, ast.UnaryOp):
        return is_literal(node.operand)
    return isinstance(node, ast.Constant)


@lru_cache(maxsize=1024)
def nearest(name: str, *, call: bool = False) -> str:
    """Return the known name most like this one, or nothing."""
    lowered = name.lower()
    names = [*FUNCTIONS, "of", *ALIASES] if call else [*SERIES_NAMES, *FUNCTIONS]
    near = difflib.get_close_matches(lowered, names, n=1, cutoff=0.6)
    if not near:
        near = difflib.get_close_matches(lowered, [*SERIES_NAMES, *FUNCTIONS], n=1, cutoff=0.6)
    return ALIASES.get(near[0], near[0]) if near else ""


def example_call(function: Function) -> str:
    """Return the call that the registry's example makes."""
    found = re.search(rf"\b{function.name}\(", function.example)
    if found is None:
        return function.name  # written without brackets, as all its parameters have defaults
    depth = 0
    for index in range(found.start(), len(function.example)):
        depth += {"(": 1, ")": -1}.get(function.example[index], 0)
        if depth == 0 and function.example[index] == ")":
            return function.example[found.start() : index + 1]
    return function.example
