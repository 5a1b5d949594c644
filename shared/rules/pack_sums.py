"""Lay out the weighted sums of a table: which rows of weights, and what serves short histories.

Not here: the other rows (pack), carrying them out (sums, sliding).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from shared.rules import weights
from shared.rules.bars import Indices
from shared.rules.kernels import Floats, Linear, Smoothed, Weighted
from shared.rules.program import Averages, Expanded
from shared.rules.recipes import Average
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.series import GIVEN, SeriesSteps
from shared.rules.tables import Tables
from shared.rules.tree import W_BARS


def pack_averages(
    recipes: Sequence[tuple[Average, int]],
    warm_up: Callable[[int], int],
    is_plain: Callable[[int], bool],
) -> tuple[Averages, ...]:
    """Return the sums by series. `warm_up`, `is_plain`: of a series (see Averages)."""
    by_series: dict[int, list[tuple[Average, int]]] = defaultdict(list)
    for recipe, row in recipes:
        by_series[recipe.series].append((recipe, row))
    return tuple(
        _averages_of(series, found, warm_up(series), is_plain(series))
        for series, found in by_series.items()
    )


def _averages_of(
    series: int, found: Sequence[tuple[Average, int]], warm_up: int, is_plain: bool
) -> Averages:
    weighted = [(recipe, row, *_weights(recipe, warm_up, is_plain)) for recipe, row in found]
    weighted.sort(key=lambda item: not weights.looks_far(item[2]))
    recipes = [recipe for recipe, *_ in weighted]
    endings = sorted({recipe.bars_ago for recipe in recipes})
    smoothings: dict[tuple[float, int], int] = {}
    which = []
    for recipe in recipes:
        kernel = ALL_FUNCTIONS[recipe.function].kernel
        if isinstance(kernel, Smoothed):
            n = int(recipe.periods[0])
            pair = (kernel.alpha(n), n)
            which.append(smoothings.setdefault(pair, len(smoothings)))
        else:
            which.append(-1)
    return Averages(
        series=series,
        is_plain=is_plain,
        rows=indices([row for _, row, *_ in weighted]),
        blocks=weights.pack_rows([row for _, _, row, _, _ in weighted]),
        totals=np.array([total for *_, total, _ in weighted]),
        endings=tuple(endings),
        ending=indices([endings.index(recipe.bars_ago) for recipe in recipes]),
        bars=indices([bars for *_, bars in weighted]),
        which=indices(which),
        alphas=tuple(alpha for alpha, _ in smoothings),
        lengths=tuple(n for _, n in smoothings),
        expanded=_expanded(recipes),
        warm_up=warm_up,
    )


def _expanded(recipes: Sequence[Average]) -> tuple[Expanded, ...]:
    places: dict[tuple[str, tuple[int | float, ...]], list[int]] = defaultdict(list)
    for place, recipe in enumerate(recipes):
        if isinstance(ALL_FUNCTIONS[recipe.function].kernel, Linear):
            places[recipe.function, recipe.periods].append(place)
    found = []
    for (function, periods), rows in places.items():
        kernel = ALL_FUNCTIONS[function].kernel
        assert isinstance(kernel, Linear)
        steps = SeriesSteps(Tables())
        last = steps.add(kernel.expand(GIVEN, *periods))
        found.append(Expanded(indices(rows), steps.steps(0), last))
    return tuple(found)


def _weights(recipe: Average, warm_up: int, is_plain: bool) -> tuple[Floats, float, int]:
    """Return the row of weights, their total, and how many known bars in a row it needs."""
    function = ALL_FUNCTIONS[recipe.function]
    kernel = function.kernel
    bars = function.warm_up_bars(recipe.periods)
    whole = W_BARS - warm_up - recipe.bars_ago
    total = 1.0
    match kernel:
        case Smoothed(alpha=alpha):
            own = weights.smoothed_weights(alpha(bars), bars, whole)
        case Linear():
            own = kernel.weights(whole, *recipe.periods)
            total = weights.total_of(own)
        case Weighted():
            own = kernel.weights(*recipe.periods)
            total = kernel.total
        case _:
            raise AssertionError(f"not a weighted sum: {recipe}")
    row = weights.plain_row if is_plain else weights.difference_row
    return row(own, recipe.bars_ago), total, bars


def indices(values: Sequence[int]) -> Indices:
    """Return int64[n]."""
    return np.array(values, dtype=np.int64)
