"""What a plan consists of: the arrays that its recipes are laid out in.

Not here: recipes (recipes), from recipes to arrays (pack), carrying them out (evaluate).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.market.interval import Interval
from shared.rules.kernels import Floats
from shared.rules.schedule import Batch
from shared.rules.series import Step
from shared.rules.tables import Chain, Universe
from shared.rules.tree import Node, Rule
from shared.rules.weights import Blocks

Indices = NDArray[np.int64]


class Reads(msgspec.Struct, frozen=True, eq=False):
    """Rows that are bars of one series: values[rows] = series[W - 1 - bars_ago]."""

    series: int
    rows: Indices
    bars_ago: Indices


class Expanded(msgspec.Struct, frozen=True, eq=False):
    """A sum of the whole history in simpler terms: `steps` on a series, the last is the result.

    `rows`: the places, within their Averages, of the rows it serves.
    """

    rows: Indices
    steps: tuple[Step, ...]
    last: int


class Averages(msgspec.Struct, frozen=True, eq=False):
    """Rows that are weighted sums of one series, by the matrix product.

    `is_plain`: of its values, and not of its differences (see weights).
    `blocks`: see weights.pack_rows. `bars`: known bars in a row that a sum needs. `endings`: the
    distinct bars_ago; `ending`: a row's place among them. `warm_up`: bars at the window's start at
    which the series is never known.
    For histories shorter than the window, rows that are sums of the whole history are computed bar
    by bar: `which` is the exponential average of a row (place in `alphas`, `lengths`), or -1;
    `expanded` are the others.
    """

    series: int
    is_plain: bool
    rows: Indices
    blocks: Blocks
    totals: Floats
    endings: tuple[int, ...]
    ending: Indices
    bars: Indices
    which: Indices
    alphas: tuple[float, ...]
    lengths: tuple[int, ...]
    expanded: tuple[Expanded, ...]
    warm_up: int


class Rollings(msgspec.Struct, frozen=True, eq=False):
    """Rows that are one function of the last bars of the same series, ending at the same bar."""

    function: str
    series: tuple[int, ...]
    bars_ago: int
    rows: Indices
    periods: tuple[tuple[int | float, ...], ...]


class Helds(msgspec.Struct, frozen=True, eq=False):
    """Rows held from one table of a longer interval; all int64[rows]."""

    table: int
    rows: Indices
    low: Indices
    high: Indices
    bars_ago: Indices


class Elements(msgspec.Struct, frozen=True, eq=False):
    """Rows made by one operation from other rows; arguments int64[arity, rows]."""

    operation: str
    periods: tuple[int | float, ...]
    rows: Indices
    arguments: Indices


class Picks(msgspec.Struct, frozen=True, eq=False):
    """Rows that are one instrument's value of others."""

    instrument: str
    rows: Indices
    arguments: Indices


class Acrosses(msgspec.Struct, frozen=True, eq=False):
    """Rows that are one function of others across one universe."""

    function: str
    universe: int
    rows: Indices
    arguments: Indices


Base = Reads | Averages | Rollings
Derived = Elements | Picks | Acrosses


class Conjunctions(msgspec.Struct, frozen=True, eq=False):
    """Conditions that are `and`s of equally many others: int64[conditions], 2 × [.., arity]."""

    conditions: Indices
    operands: Indices
    negated: Indices


class Table(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What is computed on the bars of one interval: series first, then one bar's rows of values.

    `chain`: see tables; empty for the rules' own interval. `batches`: how the steps are run;
    `fills`: the groups of rows that can be filled after each. `held_steps`: the tables that steps
    hold series of. `derived` in an order in which they can be made.
    """

    chain: Chain
    steps: tuple[Step, ...]
    batches: tuple[Batch, ...]
    fills: tuple[tuple[Base, ...], ...]
    held_steps: tuple[int, ...]
    rows_count: int
    constant_rows: Indices
    constants: Floats
    reads: tuple[Reads, ...]
    averages: tuple[Averages, ...]
    rollings: tuple[Rollings, ...]
    helds: tuple[Helds, ...]
    derived: tuple[Derived, ...]

    @property
    def base_rows(self) -> Indices:
        """Return the rows that are computed from series, and the constants."""
        groups: list[Base] = [*self.reads, *self.averages, *self.rollings]
        return np.concatenate([self.constant_rows, *(group.rows for group in groups)])


class Plan(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Everything evaluate does; independent of market and symbols.

    `tables`: the own interval's first. `order`: the tables, each after those it holds rows of.
    `interval`: that of the window, if it matters. `universes`: distinct ones, None = all symbols;
    `universe_of_rule` numbers each rule's.
    Conditions are numbered: first `less` (left, right), then `equal`, then conjunctions.
    `values`: (node, bars ago, universe) → row of table 0, for explaining. `results`: one literal a
    rule. `sides`: rule index → (text, row) of each number it compares, filled when first asked for.
    """

    rules: tuple[Rule, ...]
    interval: Interval | None
    tables: tuple[Table, ...]
    order: tuple[int, ...]
    universes: tuple[Universe, ...]
    universe_of_rule: Indices
    less: Indices
    equal: Indices
    conjunctions: tuple[Conjunctions, ...]
    conditions_count: int
    result_conditions: Indices
    result_negated: Indices
    values: dict[tuple[Node, int, int], int]
    sides: dict[int, tuple[tuple[str, int], ...]] = msgspec.field(default_factory=dict)

    @property
    def rows_count(self) -> int:
        """Return how many distinct values it computes."""
        return sum(table.rows_count for table in self.tables)

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Return the longer intervals whose bars it reads, ascending."""
        found = {table.chain[-1] for table in self.tables if table.chain}
        return tuple(sorted(found, key=lambda interval: interval.duration_ms))
