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


class Number(msgspec.Struct, frozen=True):
    """A constant; always finite."""

    value: float


class Series(msgspec.Struct, frozen=True):
    """A named series of the instrument: `close`, `hl2`, …"""

    name: str


class Negative(msgspec.Struct, frozen=True):
    """`-operand`."""

    operand: Node


class Arithmetic(msgspec.Struct, frozen=True):
    """`left operator right`; operator is one of + - * /."""

    operator: str
    left: Node
    right: Node


class Call(msgspec.Struct, frozen=True):
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


class Lag(msgspec.Struct, frozen=True):
    """`operand[bars]`: the operand that many bars earlier, in the same window; bars ≥ 1."""

    operand: Node
    bars: int


class OnInterval(msgspec.Struct, frozen=True):
    """`tf=`: the operand on the bars of a longer interval, held on those of the rule."""

    operand: Node
    interval: Interval


class OfInstrument(msgspec.Struct, frozen=True):
    """`of("BTCUSDT", operand)`: the operand on that instrument, for every instrument."""

    instrument: str
    operand: Node


class Comparison(msgspec.Struct, frozen=True):
    """`left operator right`; operator is one of < <= > >= == !=."""

    operator: str
    left: Node
    right: Node


class AllOf(msgspec.Struct, frozen=True):
    """`a and b and …`; at least two, none of them an AllOf."""

    operands: tuple[Node, ...]


class AnyOf(msgspec.Struct, frozen=True):
    """`a or b or …`; at least two, none of them an AnyOf."""

    operands: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True):
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
    cost_max: int = 300


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that was read and found meaningful.

    `canonical`: the same rule in one spelling; reading it again, limits aside, gives the same tree.
    `bars_needed`: bars of history until it can be known. `names`: series and functions it uses.
    `interval_free`: it means the same on every interval (false once it names a duration).
    """

    text: str
    canonical: str
    tree: Node
    bars_needed: int
    names: frozenset[str]
    interval_free: bool = True
