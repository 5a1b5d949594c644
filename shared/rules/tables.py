"""Where the parts of a rule are computed: on which interval, and over which universe.

A table holds what is computed on the bars of one interval up to one close: table 0 the rule's own
interval, the others longer ones. A longer interval inside another one ends at that one's close;
where it is a multiple, as it nearly always is, that is no different from standing alone, and the
two share a table. Not here: what the tables hold (series, rows).
"""

from __future__ import annotations

from functools import lru_cache

from shared.market.interval import Interval
from shared.rules import describe
from shared.rules.kernels import CrossSection, Expansion
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.tree import Call, Node

# Intervals from the outermost to that of the table, without those that make no difference.
Chain = tuple[Interval, ...]
Universe = tuple[str, ...] | None


class Tables:
    """The tables of a plan, and the universes of its functions across instruments.

    `own`: the interval of table 0; None while nothing on a longer one is read.
    `universe`: the number, in `universes`, of that of the rule being added.
    """

    def __init__(self, own: Interval | None = None) -> None:
        self.own = own
        self.chains: list[Chain] = [()]
        self.universes: list[Universe] = [None]
        self.universe = 0
        self._numbers: dict[Universe, int] = {None: 0}

    def interval(self, table: int) -> Interval:
        """Return the interval of a table. Raises: ValueError if the rule's own is not known."""
        chain = self.chains[table]
        if chain:
            return chain[-1]
        if self.own is None:
            raise ValueError("expected the interval of a rule that reads longer ones, was None")
        return self.own

    def longer(self, table: int, interval: Interval) -> int:
        """Return the table of an interval, read from a table of the same or a shorter one."""
        present = self.interval(table)
        if interval == present:
            return table
        if interval.duration_ms < present.duration_ms:
            raise ValueError(f"expected an interval from {present} on, was {interval}")
        chain = self.chains[table]
        while chain and interval.duration_ms % chain[-1].duration_ms == 0:
            chain = chain[:-1]
        chain = (*chain, interval)
        if chain not in self.chains:
            self.chains.append(chain)
        return self.chains.index(chain)

    def enter(self, universe: Universe) -> None:
        """Let what follows be across the instruments of a universe; None: all there are."""
        found = self._numbers.get(universe)
        if found is None:
            found = self._numbers[universe] = len(self.universes)
            self.universes.append(universe)
        self.universe = found

    def universe_of(self, node: Node) -> int:
        """Return the number of the universe that the node's value depends on, 0 if on none."""
        return self.universe if self.universe and is_across(node) else 0


@lru_cache(maxsize=1 << 14)
def is_across(node: Node) -> bool:
    """Return whether a function across instruments is in the node."""
    if isinstance(node, Call):
        kernel = ALL_FUNCTIONS[node.name].kernel
        if isinstance(kernel, CrossSection):
            return True
        if isinstance(kernel, Expansion):
            return is_across(kernel.expand(*node.arguments))
    return any(is_across(child) for child in describe.children(node))
