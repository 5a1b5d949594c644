"""Recipes: what makes one row of values, or one row of bits; equal recipes are one row.

Not here: from rules to recipes (rows, plan), from recipes to arrays (pack).
"""

from __future__ import annotations

import msgspec

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
    """An operation on other rows, element by element."""

    operation: str
    rows: tuple[int, ...]
    periods: tuple[int | float, ...] = ()


class Held(msgspec.Struct, frozen=True):
    """A row of a longer interval's table, held on the bars of this one.

    So many bars ago, its bar that counts is one of two, depending on the time of day: `low` or,
    one bar further back, `high`.
    """

    table: int
    low: int
    high: int
    bars_ago: int


class Picked(msgspec.Struct, frozen=True):
    """One instrument's value of a row, for every instrument."""

    instrument: str
    row: int


class Across(msgspec.Struct, frozen=True):
    """A function of a row across the instruments of a universe."""

    function: str
    universe: int
    row: int


class Never(msgspec.Struct, frozen=True):
    """Unknown, as it would take more bars than a window has."""


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


BaseRecipe = Constant | Never | Read | Average | Rolled | Held
DerivedRecipe = Element | Picked | Across
ValueRecipe = BaseRecipe | DerivedRecipe
BitsRecipe = Less | Equal | Conjunction
