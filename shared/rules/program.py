"""What a plan consists of: recipes, and the arrays they are laid out in.

A *recipe* says what makes one row of values or one row of bits; equal recipes are one row. Not
here: from rules to recipes (plan), from recipes to arrays (pack), carrying them out (evaluate).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules.kernels import Floats
from shared.rules.series import Step
from shared.rules.tree import Node, Rule
from shared.rules.weights import Blocks

Indices = NDArray[np.int64]

# A condition as used: its row of bits, and whether it is meant negated.
Literal = tuple[int, bool]


class Constant(msgspec.Struct, frozen=True):
    """The same number for every symbol."""

    value: float


class Read(msgspec.Struct, frozen=True):
    """One bar of a series."""

    series: int
    bars_ago: int


class Average(msgspec.Struct, frozen=True):
    """A weighted sum of a series, ending so many bars ago."""

    series: int
    function: str
    periods: tuple[int | float, ...]
    bars_ago: int


class Rolled(msgspec.Struct, frozen=True):
    """A function of the last bars of some series, ending so many bars ago."""

    series: tuple[int, ...]
    function: str
    periods: tuple[int | float, ...]
    bars_ago: int


class Element(msgspec.Struct, frozen=True):
    """An element-wise operation on other rows."""

    operation: str
    rows: tuple[int, ...]


class Less(msgspec.Struct, frozen=True):
    """left < right, of two rows of values."""

    left: int
    right: int


class Equal(msgspec.Struct, frozen=True):
    """left == right, of two rows of values."""

    left: int
    right: int


class Conjunction(msgspec.Struct, frozen=True):
    """All of some conditions."""

    literals: tuple[Literal, ...]


ValueRecipe = Constant | Read | Average | Rolled | Element
BitsRecipe = Less | Equal | Conjunction


class Reads(msgspec.Struct, frozen=True, eq=False):
    """Rows that are bars of one series: values[rows] = series[W - 1 - bars_ago]."""

    series: int
    rows: Indices
    bars_ago: Indices


class Averages(msgspec.Struct, frozen=True, eq=False):
    """Rows that are weighted sums of one series, by the matrix product.

    `blocks`: see weights.pack_rows. `bars`: known bars in a row that a sum needs. `which`: the
    exponential average of a row (place in `alphas`, `lengths`), or -1; it serves histories shorter
    than the window. `endings`: the distinct bars_ago; `ending`: a row's place among them.
    `warm_up`: bars at the window's start at which the series is never known.
    """

    series: int
    rows: Indices
    blocks: Blocks
    totals: Floats
    endings: tuple[int, ...]
    ending: Indices
    bars: Indices
    which: Indices
    alphas: tuple[float, ...]
    lengths: tuple[int, ...]
    warm_up: int


class Rollings(msgspec.Struct, frozen=True, eq=False):
    """Rows that are one function of the last bars of the same series, ending at the same bar."""

    function: str
    series: tuple[int, ...]
    bars_ago: int
    rows: Indices
    periods: tuple[tuple[int | float, ...], ...]


class Elements(msgspec.Struct, frozen=True, eq=False):
    """Rows made by one operation from other rows; arguments int64[arity, rows]."""

    operation: str
    rows: Indices
    arguments: Indices


class Conjunctions(msgspec.Struct, frozen=True, eq=False):
    """Conditions that are `and`s of equally many others: int64[conditions], 2 × [.., arity]."""

    conditions: Indices
    operands: Indices
    negated: Indices


class Plan(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """Everything evaluate does, in order; independent of market, symbols and interval.

    Conditions are numbered: first `less` (left, right), then `equal`, then conjunctions.
    `values`, `conditions`: (node, bars ago) → row, for explaining. `results`: one literal a rule.
    `sides`: rule index → (text, row) of each number it compares, filled when first asked for.
    """

    rules: tuple[Rule, ...]
    steps: tuple[Step, ...]
    rows_count: int
    constant_rows: Indices
    constants: Floats
    reads: tuple[Reads, ...]
    averages: tuple[Averages, ...]
    rollings: tuple[Rollings, ...]
    elements: tuple[Elements, ...]
    less: Indices
    equal: Indices
    conjunctions: tuple[Conjunctions, ...]
    conditions_count: int
    result_conditions: Indices
    result_negated: Indices
    values: dict[tuple[Node, int], int]
    conditions: dict[tuple[Node, int], Literal]
    sides: dict[int, tuple[tuple[str, int], ...]] = msgspec.field(default_factory=dict)
