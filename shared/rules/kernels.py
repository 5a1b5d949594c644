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
    """A function of the values of one bar. `compute(*values)`, any equal shapes."""

    compute: Callable[..., Floats]


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


class Rolling(msgspec.Struct, frozen=True):
    """Any function of the last bars. `compute(*(float64[bars, s]), *periods) -> float64[s]`.

    It must give NaN where an input is NaN. `bars(*periods)`: bars it looks at.
    `accumulate`: where it is one exact operation on n bars of one source, that operation, so that
    many n take one pass.
    """

    compute: Callable[..., Floats]
    bars: Callable[..., int]
    accumulate: np.ufunc | None = None


class Sequential(msgspec.Struct, frozen=True):
    """A whole series from whole series. `compute(*(float64[w, s]), *periods) -> float64[w, s]`.

    A value may use its own and earlier bars only, and must be NaN until it is known.
    """

    compute: Callable[..., Floats]
    bars: Callable[..., int]


Kernel = Elementwise | Expansion | Weighted | Smoothed | Rolling | Sequential


def sma_weights(n: int) -> Floats:
    """Return n equal weights."""
    return np.full(n, 1.0 / n)


def ema_alpha(n: int) -> float:
    """Return the share of the newest value in an EMA of n bars."""
    return 2.0 / (n + 1.0)


def wilder_alpha(n: int) -> float:
    """Return the share of the newest value in Wilder's average of n bars."""
    return 1.0 / n


def highest(source: Floats, n: int) -> Floats:
    """Return the largest of the last n."""
    result: Floats = source.max(axis=0)
    return result


def lowest(source: Floats, n: int) -> Floats:
    """Return the smallest of the last n."""
    result: Floats = source.min(axis=0)
    return result


def gains(source: Floats) -> Floats:
    """Return how much each bar rose over the one before, 0 where it fell."""
    result = np.full_like(source, np.nan)
    np.maximum(source[1:] - source[:-1], 0.0, out=result[1:])
    return result


def losses(source: Floats) -> Floats:
    """Return how much each bar fell from the one before, 0 where it rose."""
    result = np.full_like(source, np.nan)
    np.maximum(source[:-1] - source[1:], 0.0, out=result[1:])
    return result


def rsi_of_averages(up: Floats, down: Floats) -> Floats:
    """Return 100 · up / (up + down); 0 where nothing moved, as TA-Lib has it."""
    moved = up + down
    return np.where(moved == 0.0, 0.0, 100.0 * (up / moved))


def absolute(values: Floats) -> Floats:
    """Return the values without their sign."""
    return np.abs(values)


def larger(a: Floats, b: Floats) -> Floats:
    """Return the larger of two, NaN if either is."""
    return np.maximum(a, b)


def smaller(a: Floats, b: Floats) -> Floats:
    """Return the smaller of two, NaN if either is."""
    return np.minimum(a, b)


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
    known = np.isfinite(source)
    starts = known.copy()
    starts[1:] &= ~known[:-1]
    periods = np.asarray(lengths, dtype=np.int64)
    at_bar, which, column = _seeds(known, starts, periods)
    result = np.full((len(bars_ago), len(lengths), symbols), np.nan)
    if len(at_bar) == 0:
        return result

    wanted = {bars - 1 - ago: place for place, ago in enumerate(bars_ago)}
    bounds = np.searchsorted(at_bar, np.arange(bars + 1)).tolist()
    share = np.asarray(alphas)[:, None]
    average = np.full((len(lengths), symbols), np.nan)
    step = np.empty_like(average)
    first, total = np.zeros(symbols), np.zeros(symbols)
    last_seed = int(at_bar[-1])
    for bar in range(int(known.any(axis=1).argmax()), bars):
        np.subtract(source[bar], average, out=step)
        step *= share
        average += step
        if bar <= last_seed:
            np.copyto(first, source[bar], where=starts[bar])
            np.copyto(total, 0.0, where=starts[bar])
            total += source[bar] - first
            due = slice(bounds[bar], bounds[bar + 1])
            k, s = which[due], column[due]
            average[k, s] = first[s] + total[s] / periods[k]
        if bar in wanted:
            result[wanted[bar]] = average
    return result


def _seeds(
    known: NDArray[np.bool_], starts: NDArray[np.bool_], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where averages are seeded, in order of bars: bar, which average, column.

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
