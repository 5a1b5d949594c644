"""Equal parts of different rules, kept once: many rules are made of few parts.

The caches are bounded and hold values only; what they return equals what they were given. Not
here: sharing the work of computing them (plan).
"""

from __future__ import annotations

from collections.abc import Set

from shared.rules.tree import Node

# Each part is about 300 bytes with its place here; 100,000 rules have fewer distinct ones.
_KEPT_MAX = 1 << 17

_nodes: dict[Node, Node] = {}
_names: dict[frozenset[str], frozenset[str]] = {}


def shared_node(node: Node) -> Node:
    """Return a node equal to this one, the same each time."""
    if len(_nodes) >= _KEPT_MAX:
        _nodes.clear()
    return _nodes.setdefault(node, node)


def shared_names(names: Set[str]) -> frozenset[str]:
    """Return the set, the same each time."""
    if len(_names) >= _KEPT_MAX:
        _names.clear()
    kept = frozenset(names)
    return _names.setdefault(kept, kept)
