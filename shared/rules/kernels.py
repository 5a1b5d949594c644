"""How values are computed: the kinds of kernel a function can have, and the kernels themselves.

Pure array code on float64, oldest bar first, symbols along the last axis, NaN = unknown. Every
operation here is element-wise per symbol, or a sum along time in a fixed order, so that a value
depends on nothing but the bars of its own symbol. Not here: the matrix product (weights), names
and meaning (registry), what is computed when (plan, evaluate).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules.tree import Node

Floats = NDArray[np.float64]


class Elementwise(msgspec.Struct, frozen=True):
    """A function of the values of one bar. `compute(*values, *periods)`, any equal shapes.

    `is_movement`: see Sequential.
    """

    compute: Callable[..., Floats]
    is_movement: bool = False


class Expansion(msgspec.Struct, frozen=True):
    """A function written in terms of others. `expand(*arguments) -> Node`.

    `bars(*periods)`: bars of its sources that the first value needs.
    """

    expand: Callable[..., Node]
    bars: Callable[..., int]


class Weighted(msgspec.Struct, frozen=True):
    """A weighted sum of the last bars. `weights(*periods) -> float64[bars]`, oldest first.

    `total`: what the weights add up to (1 for an average).
    """

    weights: Callable[..., Floats]
    total: float = 1.0


class Smoothed(msgspec.Struct, frozen=True):
    """An exponential average seeded with the simple one of the first n. `alpha(n)` in (0, 1]."""

    alpha: Callable[[int], float]


class Linear(msgspec.Struct, frozen=True):
    """A weighted sum of every bar of one source's history, such as an average of an average.

    `weights(bars, *periods) -> float64[bars]`, oldest first, for a history of so many bars.
    `bars(*periods)`: the shortest history that has a value. `expand(source, *periods) -> Node`:
    the same in simpler terms, carried out bar by bar for histories shorter than the window.
    """

    weights: Callable[..., Floats]
    bars: Callable[..., int]
    expand: Callable[..., Node]


class Rolling(msgspec.Struct, frozen=True):
    """Any function of the last bars. `compute(*(float64[bars, …]), *periods) -> float64[…]`.

    It reduces the first axis, in an order that does not depend on the others, and gives NaN where
    an input is NaN; of conditions (1 true, 0 false, NaN unknown) it may know more.
    `bars(*periods)`: bars it looks at.
    `accumulate`: where it is one exact operation on n bars of one source, that operation, so that
    many n take one pass.
    """

    compute: Callable[..., Floats]
    bars: Callable[..., int]
    accumulate: np.ufunc | None = None


class Sequential(msgspec.Struct, frozen=True):
    """A whole series from whole series. `compute(*(float64[w, s]), *periods) -> float64[w, s]`.

    A value may use its own and earlier bars only, and must be NaN until it is known. Sources that
    are conditions are 1 where true, 0 where false, NaN where unknown.
    `steps`: how many bars before its own a value depends on, at most; None if on all of the window.
    `is_movement`: it is never negative and 0 where nothing moves, so that averages of it need no
    care for a flat source, but keep every digit when they fade (see weights).
    """

    compute: Callable[..., Floats]
    bars: Callable[..., int]
    steps: int | None = None
    is_movement: bool = False


class Recursion(msgspec.Struct, frozen=True):
    """Whole series, each value from the one before: several of the same bars in one pass.

    `compute(sources of each, periods of each, last) -> float64[k, last, s]`: the last bars.
    `shared`: how many sources, the first ones, are the same for all that share a pass. A history
    begins at the first bar at which these are known, and anew after one at which any is not; of the
    others nothing is read before they can be known.
    """

    compute: Callable[..., Floats]
    bars: Callable[..., int]
    shared: int


class CrossSection(msgspec.Struct, frozen=True):
    """A function across instruments. `compute(float64[k, m]) -> float64[k, m]`.

    m: the instruments of the trader's universe, NaN where unknown (conditions as in Sequential).
    """

    compute: Callable[[Floats], Floats]


Kernel = (
    Elementwise
    | Expansion
    | Weighted
    | Smoothed
    | Linear
    | Rolling
    | Sequential
    | Recursion
    | CrossSection
)
