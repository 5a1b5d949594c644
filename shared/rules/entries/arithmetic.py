"""Plain arithmetic on the values of one bar."""

from __future__ import annotations

import numpy as np

from shared.rules.entries.words import numbers
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Elementwise, Floats


def absolute(values: Floats) -> Floats:
    """Return the values without their sign."""
    return np.abs(values)


def larger(a: Floats, b: Floats) -> Floats:
    """Return the larger of two, NaN if either is."""
    return np.maximum(a, b)


def smaller(a: Floats, b: Floats) -> Floats:
    """Return the smaller of two, NaN if either is."""
    return np.minimum(a, b)


def natural_logarithm(values: Floats) -> Floats:
    """Return the natural logarithm, NaN where there is none."""
    return np.log(np.where(values > 0.0, values, np.nan))


def square_root(values: Floats) -> Floats:
    """Return the square root, NaN where there is none."""
    return np.sqrt(np.where(values >= 0.0, values, np.nan))


ENTRIES = (
    Function(
        name="abs",
        parameters=numbers("x"),
        gives=Kind.NUMBER,
        unit="that of x",
        range="from 0",
        definition="x without its sign",
        source="arithmetic",
        example="abs(roc(1)) > 2",
        kernel=Elementwise(absolute),
        aliases=("math.abs",),
    ),
    Function(
        name="max",
        parameters=numbers("a", "b"),
        gives=Kind.NUMBER,
        unit="that of a and b",
        range="any",
        definition="the larger of two",
        source="arithmetic",
        example="close > 1.01 * max(open, close[1])",
        kernel=Elementwise(larger),
        aliases=("math.max",),
    ),
    Function(
        name="min",
        parameters=numbers("a", "b"),
        gives=Kind.NUMBER,
        unit="that of a and b",
        range="any",
        definition="the smaller of two",
        source="arithmetic",
        example="min(open, close) > ema(50)",
        kernel=Elementwise(smaller),
        aliases=("math.min",),
    ),
    Function(
        name="log",
        parameters=numbers("x"),
        gives=Kind.NUMBER,
        unit="none",
        range="any",
        definition="natural logarithm of x; unknown where x is not above 0",
        source="arithmetic",
        example="stdev(log(close / close[1]), 20) > 0.006",
        kernel=Elementwise(natural_logarithm),
        aliases=("math.log",),
    ),
    Function(
        name="sqrt",
        parameters=numbers("x"),
        gives=Kind.NUMBER,
        unit="root of that of x",
        range="from 0",
        definition="square root of x; unknown where x is below 0",
        source="arithmetic",
        example="stdev(50) > 0.15 * sqrt(close)",
        kernel=Elementwise(square_root),
        aliases=("math.sqrt",),
    ),
)
PARTS: tuple[Function, ...] = ()
