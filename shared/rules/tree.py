"""The checked tree of a rule: what `language` builds, `plan` merges and `explain` reads.

Pure values without text positions. Not here: what a function means (registry), how a node is
written back (describe), how it is computed (plan, evaluate).
"""

from __future__ import annotations

import msgspec

from shared.market.interval import Interval

# A verdict is a function of the last 500 bars (design D5): what TA-Lib users expect of an EMA(200)
# to have settled, and what a collector keeps per interval.
W_BARS = 500


# The nodes. They are dictionary keys all the time, hence the kept hash; they hold no circle, hence
# nothing for the garbage collector, which would look at millions of them.


class Number(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """A constant; always finite."""

    value: float


class Series(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """A named series of the instrument: `close`, `hl2`, …"""

    name: str


class Negative(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`-operand`."""

    operand: Node


class Arithmetic(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`left operator right`; operator is one of + - * /."""

    operator: str
    left: Node
    right: Node


class Call(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """A registered function; `arguments` in the order of its parameters, none left out."""

    name: str
    arguments: tuple[Argument, ...]

    @property
    def sources(self) -> tuple[Node, ...]:
        """Return the arguments that are expressions."""
        return tuple(a for a in self.arguments if not isinstance(a, int | float | str))

    @property
    def periods(self) -> tuple[int | float, ...]:
        """Return the arguments that are written-out numbers: bars (int) and factors (float)."""
        return tuple(a for a in self.arguments if isinstance(a, int | float))


class Lag(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`operand[bars]`: the operand that many bars earlier, in the same window; bars ≥ 1."""

    operand: Node
    bars: int


class OnInterval(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`tf=`: the operand on the bars of a longer interval, held on those of the rule."""

    operand: Node
    interval: Interval


class OfInstrument(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`of("BTCUSDT", operand)`: the operand on that instrument, for every instrument."""

    instrument: str
    operand: Node


class Comparison(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`left operator right`; operator is one of < <= > >= == !=."""

    operator: str
    left: Node
    right: Node


class AllOf(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`a and b and …`; at least two, none of them an AllOf."""

    operands: tuple[Node, ...]


class AnyOf(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`a or b or …`; at least two, none of them an AnyOf."""

    operands: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """`not operand`."""

    operand: Node


Node = (
    Number
    | Series
    | Negative
    | Arithmetic
    | Call
    | Lag
    | OnInterval
    | OfInstrument
    | Comparison
    | AllOf
    | AnyOf
    | Not
)
# Of a call: an expression, a number of bars, a factor, or the name of an instrument.
Argument = Node | int | float | str


class RuleLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule may ask for. A rule beyond a limit is refused when it is saved.

    `cost_max`: see plan.rule_cost; one unit is about one row of values of all symbols. It keeps a
    single rule from taking the time or the memory of the others of its shard.
    """

    text_characters_max: int = 2_000
    depth_max: int = 32
    nodes_max: int = 200
    window_bars_max: int = W_BARS
    instruments_max: int = 8
    intervals_max: int = 8
    cost_max: int = 600


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was read and found meaningful.

    `canonical`: the same rule in one spelling; reading it again on the same interval, limits aside,
    gives the same tree. `bars_needed`: bars of its own interval until it can be known. `names`:
    series and functions it uses. `interval_free`: it names no duration, no `tf=` and nothing that
    reads a longer interval by itself (pivot: days), so it says the same on every interval;
    otherwise `interval` is the one it was read for. `intervals`: the longer ones it reads,
    ascending. `instruments`: those it names, sorted.
    """

    text: str
    canonical: str
    tree: Node
    bars_needed: int
    names: frozenset[str]
    interval_free: bool = True
    interval: Interval | None = None
    intervals: tuple[Interval, ...] = ()
    instruments: tuple[str, ...] = ()
