"""Carry out a plan on a window: the verdict of every rule for every symbol at one close.

A verdict is a function of the rule and of the last W bars of that symbol, to the last bit: not of
the other rules of the plan, nor of the other symbols, nor of when it is computed (design D5, D6;
of the venue's clock and of Redis it knows nothing). Never raises, whatever numbers the window
holds. Not here: reading results (verdicts), why something is unknown (explain).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.market.window import Window
from shared.rules import weights
from shared.rules.kernels import Elementwise, Floats, Rolling, smooth
from shared.rules.program import Averages, Elements, Plan, Rollings
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.series import ARITHMETIC, known_only, known_runs, run_steps
from shared.rules.tree import W_BARS
from shared.rules.verdicts import Bits, Verdicts

# Comparisons are made so many at a time, so that both sides stay in the processor's cache.
_COMPARISONS_AT_ONCE = 128


def evaluate(plan: Plan, window: Window, bars_back: int = 0) -> Verdicts:
    """Return the verdicts at the close of the window's last bar, or of one `bars_back` before it.

    Equal, bit for bit, to evaluating a window that ends there.
    """
    end = max(window.bars - bars_back, 0)
    columns = window.columns[:, max(end - W_BARS, 0) : end]
    # Unknown is carried as NaN and overflow made NaN; numpy's flags would only repeat that.
    with np.errstate(all="ignore"):
        series = run_steps(plan.steps, columns)
        values = _values(plan, series, weights.padded_symbols(columns.shape[2]))
        bits = _bits(plan, values)
    return Verdicts(plan=plan, symbols=window.symbols, columns=columns, rows=values, bits=bits)


def _values(plan: Plan, series: list[Floats], padded: int) -> Floats:
    """Return the table of values, float64[rows, padded]: finite, or NaN where unknown."""
    values = np.empty((plan.rows_count, padded))
    values[plan.constant_rows] = plan.constants[:, None]
    for read in plan.reads:
        values[read.rows] = series[read.series][W_BARS - 1 - read.bars_ago]
    for averages in plan.averages:
        values[averages.rows] = _averages(averages, series[averages.series])
    for rollings in plan.rollings:
        values[rollings.rows] = known_only(_rollings(rollings, series))
    for elements in plan.elements:
        values[elements.rows] = known_only(_elements(elements, values))
    return values


def _rollings(plan: Rollings, series: list[Floats]) -> Floats:
    """Return one function of the last bars for several periods, float64[k, padded]."""
    kernel = ALL_FUNCTIONS[plan.function].kernel
    assert isinstance(kernel, Rolling)
    stop = W_BARS - plan.bars_ago
    bars = [kernel.bars(*periods) for periods in plan.periods]
    parts = [series[place][stop - max(bars) : stop] for place in plan.series]
    if kernel.accumulate is not None:
        every: Floats = kernel.accumulate.accumulate(parts[0][::-1], axis=0)
        chosen: Floats = every[np.array(bars) - 1]
        return chosen
    return np.array(
        [
            kernel.compute(*(part[len(part) - n :] for part in parts), *periods)
            for n, periods in zip(bars, plan.periods, strict=True)
        ]
    )


def _averages(plan: Averages, source: Floats) -> Floats:
    """Return weighted sums of one series, float64[k, padded].

    Which of the two ways a symbol's exponential average is computed in depends on its own history
    only: the product if that fills the window, else the recursion.
    """
    ends = source[W_BARS - 1 - np.array(plan.endings)]
    sums = weights.product(plan.blocks, weights.differences(source))[: len(plan.rows)]
    result: Floats = plan.totals[:, None] * ends[plan.ending] - sums
    runs = known_runs(source, plan.endings, plan.warm_up)
    result[runs[plan.ending] < plan.bars[:, None]] = np.nan
    if plan.lengths:
        full = W_BARS - plan.warm_up - np.array(plan.endings)
        short = (runs != full[:, None]) & (runs > 0)
        columns = np.flatnonzero(short.any(axis=0))
        if len(columns):
            _smooth_short(plan, source[:, columns], short[:, columns], columns, result)
    return known_only(result)


def _smooth_short(
    plan: Averages, source: Floats, short: NDArray[np.bool_], columns: NDArray[np.intp], out: Floats
) -> None:
    recursed = smooth(source, plan.alphas, plan.lengths, plan.endings)
    smoothed = np.flatnonzero(plan.which >= 0)
    ending = plan.ending[smoothed]
    place = np.ix_(smoothed, columns)
    out[place] = np.where(short[ending], recursed[ending, plan.which[smoothed]], out[place])


def _elements(plan: Elements, values: Floats) -> Floats:
    arguments = [values[rows] for rows in plan.arguments]
    if plan.operation == "negative":
        negative: Floats = -arguments[0]
        return negative
    if plan.operation in ARITHMETIC:
        result: Floats = ARITHMETIC[plan.operation](*arguments)
        return result
    kernel = ALL_FUNCTIONS[plan.operation].kernel
    assert isinstance(kernel, Elementwise)
    return kernel.compute(*arguments)


def _bits(plan: Plan, values: Floats) -> Bits:
    """Return, packed along the symbols, where each condition is true [0] and is false [1]."""
    bits = np.zeros((2, plan.conditions_count, values.shape[1] // 64), dtype=np.uint64)
    known = _packed(~np.isnan(values))
    first = 0
    for compare, (left, right) in ((np.less, plan.less), (np.equal, plan.equal)):
        for start in range(0, len(left), _COMPARISONS_AT_ONCE):
            a = left[start : start + _COMPARISONS_AT_ONCE]
            b = right[start : start + _COMPARISONS_AT_ONCE]
            place = slice(first + start, first + start + len(a))
            bits[0, place] = _packed(compare(values[a], values[b]))
            bits[1, place] = known[a] & known[b] & ~bits[0, place]
        first += len(left)
    for group in plan.conjunctions:
        true = bits[group.negated, group.operands]
        false = bits[1 - group.negated, group.operands]
        bits[0, group.conditions] = np.bitwise_and.reduce(true, axis=1)
        bits[1, group.conditions] = np.bitwise_or.reduce(false, axis=1)
    return bits


def _packed(where: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Return bool[k, 64·m] as uint64[k, m]."""
    return np.packbits(where, axis=1).view(np.uint64)
