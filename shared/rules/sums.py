"""Weighted sums of a series at single bars: by the matrix product, or bar by bar.

Which of the two ways a symbol's sum of its whole history is computed in depends on that history
only: the product if it fills the window. Not here: the product itself (weights).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.rules import weights
from shared.rules.bars import bars_of, known_runs
from shared.rules.compiled import exponential
from shared.rules.kernels import Floats
from shared.rules.operations import known_only
from shared.rules.program import Averages
from shared.rules.running import run_steps
from shared.rules.tree import W_BARS

# Of many rows so many at a time: what is made beside them stays small, and in the cache.
_ROWS_AT_ONCE = 128


def averages_at(plan: Averages, source: Floats) -> Floats:
    """Return weighted sums of one series, float64[k, padded].

    Which of the two ways a symbol's exponential average is computed in depends on its own history
    only: the product if that fills the window, else the recursion.
    """
    ends = source[W_BARS - 1 - np.array(plan.endings)]
    operand = weights.operand(source, plan.is_plain)
    result = weights.product(plan.blocks, operand)[: len(plan.rows)]
    runs = known_runs(source, plan.endings, plan.warm_up)
    for start in range(0, len(result), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        sums, ending = result[some], plan.ending[some]
        if not plan.is_plain:
            whole = ends[ending]
            whole *= plan.totals[some, None]
            np.subtract(whole, sums, out=sums)
        sums[runs[ending] < plan.bars[some, None]] = np.nan
    if plan.lengths or plan.expanded:
        full = W_BARS - plan.warm_up - np.array(plan.endings)
        short = (runs != full[:, None]) & (runs > 0)
        columns = np.flatnonzero(short.any(axis=0))
        if len(columns):
            _short_histories(plan, source, short, columns, result)
    return known_only(result)


def _short_histories(
    plan: Averages, source: Floats, short: NDArray[np.bool_], columns: NDArray[np.intp], out: Floats
) -> None:
    """Compute sums of a whole history, where that does not fill the window, bar by bar."""
    # Of a width as if they were all the symbols, so that no sum depends on how many are short.
    padding = weights.padded_symbols(len(columns)) - len(columns)
    part = source[:, np.concatenate([columns, np.repeat(columns[:1], padding)])]
    ends = W_BARS - 1 - np.array(plan.endings)
    smoothed = np.flatnonzero(plan.which >= 0)
    if len(smoothed):
        made = exponential(part, plan.alphas, plan.lengths, max(plan.endings) + 1)
        ending = plan.ending[smoothed]
        found = made[plan.which[smoothed], -1 - np.array(plan.endings)[ending]]
        _put(out, smoothed, columns, short[ending], found)
    for expanded in plan.expanded:
        series = run_steps(expanded.steps, bars_of(part))[expanded.last]
        ending = plan.ending[expanded.rows]
        _put(out, expanded.rows, columns, short[ending], series[ends[ending]])


def _put(
    out: Floats,
    rows: NDArray[np.int64],
    columns: NDArray[np.intp],
    where: NDArray[np.bool_],
    values: Floats,
) -> None:
    place = np.ix_(rows, columns)
    out[place] = np.where(where[:, columns], values[:, : len(columns)], out[place])
