"""How values are computed: the kinds of kernel a function can have, and the kernels themselves.

Pure array code on float64, oldest bar first, symbols along the last axis, NaN = unknown. Every
operation here is element-wise per symbol, or a sum along time in a fixed order, so that a value
depends on nothing but the bars of its own symbol. Not here: the matrix product (weights), names
and meaning (registry), what is computed when (plan, evaluate).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    `many(sources of each, periods of each, last) -> float64[last, s] of each`: the last bars of
    several calls in one pass, the same bit for bit; a loop over bars costs nearly as much for one
    as for eight.
    """

    compute: Callable[..., Floats]
    bars: Callable[..., int]
    steps: int | None = None
    is_movement: bool = False
    many: Callable[..., Sequence[Floats]] | None = None


class CrossSection(msgspec.Struct, frozen=True):
    """A function across instruments. `compute(float64[k, m]) -> float64[k, m]`.

    m: the instruments of the trader's universe, NaN where unknown (conditions as in Sequential).
    """

    compute: Callable[[Floats], Floats]


Kernel = (
    Elementwise | Expansion | Weighted | Smoothed | Linear | Rolling | Sequential | CrossSection
)


def smooth(
    source: Floats,
    alphas: Sequence[float],
    lengths: Sequence[int],
    bars_ago: Sequence[int],
) -> Floats:
    """Return k exponential averages of each column, by recursion.

    Each average is seeded with the simple average of the first n known values, and starts anew
    after an unknown one. The seed is taken as a deviation from its first value, and so is each
    step from the average before, hence a flat series averages to exactly itself.

    Shape: source float64[w, s], k alphas and lengths -> float64[len(bars_ago), k, s].
    """
    bars, symbols = source.shape
    periods = np.asarray(lengths, dtype=np.int64)
    result = np.full((len(bars_ago), len(lengths), symbols), np.nan)
    known = np.isfinite(source)
    starts = known.copy()
    starts[1:] &= ~known[:-1]
    seeds = _joint_seeds(known, periods)
    if seeds is None:
        seeds = _seeds(known, starts, periods)
    at_bar, which, column = seeds
    if len(at_bar) == 0:
        return result

    wanted = {bars - 1 - ago: place for place, ago in enumerate(bars_ago)}
    bounds = np.searchsorted(at_bar, np.arange(bars + 1)).tolist()
    # Of the shape of what it multiplies: a third faster.
    share = np.repeat(np.asarray(alphas)[:, None], symbols, axis=1)
    average = np.full((len(lengths), symbols), np.nan)
    step = np.empty_like(average)
    first, total = np.zeros(symbols), np.zeros(symbols)
    last_seed = int(at_bar[-1])
    for bar in range(int(np.logical_or.reduce(known, axis=1).argmax()), bars):
        np.subtract(source[bar], average, out=step)
        step *= share
        average += step
        if bar <= last_seed:
            np.copyto(first, source[bar], where=starts[bar])
            np.copyto(total, 0.0, where=starts[bar])
            total += source[bar] - first
            due = slice(bounds[bar], bounds[bar + 1])
            if column is None:
                k = which[due]
                average[k] = first + total / periods[k, None]
            else:
                k, s = which[due], column[due]
                average[k, s] = first[s] + total[s] / periods[k]
        if bar in wanted:
            result[wanted[bar]] = average
    return result


# At which bar an average is seeded, which one, and in which column (None: in all of them).
_Seeds = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64] | None]


def _joint_seeds(known: NDArray[np.bool_], lengths: NDArray[np.int64]) -> _Seeds | None:
    """Return where averages are seeded if all columns are known from one and the same bar."""
    every = np.logical_and.reduce(known, axis=1)
    first = len(known) - int(every.sum())
    if not every[first:].all() or known[:first].any():
        return None
    at_bar = first + lengths - 1
    order = np.argsort(at_bar, kind="stable")
    order = order[at_bar[order] < len(known)]
    return at_bar[order], order, None


def _seeds(
    known: NDArray[np.bool_], starts: NDArray[np.bool_], lengths: NDArray[np.int64]
) -> _Seeds:
    """Return where averages are seeded, in order of bars.

    A run of known values seeds each average that it is long enough for, once.
    """
    ends = known.copy()
    ends[:-1] &= ~known[1:]
    # By column, then by bar: the n-th start and the n-th end belong to the same run.
    column, first = np.nonzero(starts.T)
    run_length = np.nonzero(ends.T)[1] - first + 1
    run, which = np.nonzero(run_length[:, None] >= lengths[None, :])
    at_bar = first[run] + lengths[which] - 1
    order = np.argsort(at_bar, kind="stable")
    return at_bar[order], which[order], column[run][order]
