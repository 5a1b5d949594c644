"""Names in a rule's text: as written, the nearest known one, an example of its use.

Not here: when to give which advice (language).
"""

from __future__ import annotations

import ast
import difflib

from shared.rules.entry import Function
from shared.rules.registry import ALIASES, FUNCTIONS, SERIES


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


def nearest(name: str, *, call: bool = False) -> str:
    """Return the known name most like this one, or nothing."""
    lowered = name.lower()
    names = [*FUNCTIONS, *ALIASES] if call else [*SERIES, *FUNCTIONS]
    near = difflib.get_close_matches(lowered, names, n=1, cutoff=0.6)
    if not near:
        near = difflib.get_close_matches(lowered, [*SERIES, *FUNCTIONS], n=1, cutoff=0.6)
    return ALIASES.get(near[0], near[0]) if near else ""


def example_call(function: Function) -> str:
    """Return the call that the registry's example makes."""
    start = function.example.index(f"{function.name}(")
    depth = 0
    for index in range(start, len(function.example)):
        depth += {"(": 1, ")": -1}.get(function.example[index], 0)
        if depth == 0 and function.example[index] == ")":
            return function.example[start : index + 1]
    return function.example
