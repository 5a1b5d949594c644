"""Filling the rows of one table: values at one bar, or a few bars before it, for all symbols.

Not here: series at every bar (running), conditions (evaluate).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from shared.market.interval import Interval
from shared.rules.bars import Bars, Indices
from shared.rules.kernels import Floats, Rolling
from shared.rules.operations import apply, known_only
from shared.rules.program import (
    Acrosses,
    Averages,
    Base,
    Elements,
    Helds,
    Picks,
    Reads,
    Rollings,
    Table,
)
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.running import Longer, run_batches
from shared.rules.sums import averages_at
from shared.rules.symbols import Symbols
from shared.rules.tree import W_BARS


def fill_base(
    table: Table,
    bars: Bars,
    values: Floats,
    symbols: Symbols | None = None,
    longer: Mapping[int, Longer] = MappingProxyType({}),
) -> list[Floats]:
    """Fill the rows that are computed from series, and the constants.

    Shape: values float64[rows, p], finite or NaN where unknown. Returns the series that other
    tables hold, at their places; the others are dropped as soon as their rows are filled.
    """
    values[table.constant_rows] = table.constants[:, None]
    made: list[Floats] = []
    batches = run_batches(table.steps, table.batches, bars, symbols, longer)
    for groups, made in zip(table.fills, batches, strict=True):
        for group in groups:
            values[group.rows] = _filled(group, made)
    return made


def _filled(group: Base, series: list[Floats]) -> Floats:
    match group:
        case Reads():
            # From the end: of some series only the last bars are made.
            result: Floats = series[group.series][-1 - group.bars_ago]
            return result
        case Averages():
            return averages_at(group, series[group.series])
        case Rollings():
            return known_only(_rollings(group, series))


def fill_held(
    helds: Helds,
    intervals: tuple[Interval, Interval],
    closed_at_ms: Indices,
    longer_closed_at_ms: Indices,
    place: Indices,
    found: Floats,
    values: Floats,
) -> None:
    """Fill the rows held from one longer interval's at some closes.

    `intervals`: the own, the longer. `place`: which of the longer one's closes counts at each.
    Shape: found float64[rows there, closes there, p], values float64[rows, closes, p].
    """
    own_ms, longer_ms = intervals[0].duration_ms, intervals[1].duration_ms
    back_ms = helds.bars_ago[:, None] * own_ms
    newest_ms = (closed_at_ms - back_ms) // longer_ms * longer_ms
    bars_ago = (longer_closed_at_ms - newest_ms) // longer_ms
    rows = np.where(bars_ago == back_ms // longer_ms, helds.low[:, None], helds.high[:, None])
    values[helds.rows] = found[rows, place]


def fill_derived(table: Table, values: Floats, symbols: Symbols) -> None:
    """Fill the rows that are made of other rows."""
    for group in table.derived:
        match group:
            case Elements(operation=operation, periods=periods):
                arguments = [values[rows] for rows in group.arguments]
                made = apply(operation, periods, arguments)
            case Picks(instrument=instrument):
                made = symbols.pick(values[group.arguments], instrument)
            case Acrosses(function=function, universe=universe):
                made = symbols.across(values[group.arguments], function, universe)
        values[group.rows] = known_only(made)


def _rollings(plan: Rollings, series: list[Floats]) -> Floats:
    """Return one function of the last bars for several periods, float64[k, padded]."""
    kernel = ALL_FUNCTIONS[plan.function].kernel
    assert isinstance(kernel, Rolling)
    stop = W_BARS - plan.bars_ago
    bars = [kernel.bars(*periods) for periods in plan.periods]
    parts = [series[place][stop - max(bars) : stop] for place in plan.series]
    if kernel.accumulate is not None:
        return _extremes(kernel.accumulate, parts[0], bars)
    return np.array(
        [
            kernel.compute(*(part[len(part) - n :] for part in parts), *periods)
            for n, periods in zip(bars, plan.periods, strict=True)
        ]
    )


def _extremes(extreme: np.ufunc, part: Floats, bars: list[int]) -> Floats:
    """Return the extreme of the last n of a series for several n, float64[k, padded].

    Each n adds its bars to what the next smaller one has found: exact in any order.
    """
    result = np.empty((len(bars), part.shape[1]))
    found, seen = part[-1], 1
    for place in np.argsort(bars).tolist():
        n = bars[place]
        if n > seen:
            older = extreme.reduce(part[len(part) - n : len(part) - seen], axis=0)
            found, seen = extreme(found, older), n
        result[place] = found
    return result
