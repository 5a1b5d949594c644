"""Carry out a plan on a window: the verdict of every rule for every symbol at one close.

A verdict is a function of the rule and of the last W bars of that symbol, to the last bit (and of
other symbols and longer intervals where the rule names them): not of the other rules of the plan,
nor of the other symbols, nor of when it is computed (design D5, D6; of the venue's clock and of
Redis it knows nothing). Never raises, whatever numbers the window holds. Not here: reading results
(verdicts), why something is unknown (explain).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import compiled, weights
from shared.rules.filling import fill_base, fill_derived, fill_held
from shared.rules.kernels import Floats
from shared.rules.market import View, views_at
from shared.rules.program import Helds, Plan
from shared.rules.running import Longer
from shared.rules.symbols import Symbols, symbols_of
from shared.rules.verdicts import Bits, Verdicts


def evaluate(
    plan: Plan,
    window: Window,
    bars_back: int = 0,
    *,
    longer: Mapping[Interval, Window] = MappingProxyType({}),
) -> Verdicts:
    """Return the verdicts at the close of the window's last bar, or of one `bars_back` before it.

    Equal, bit for bit, to evaluating a window that ends there. `longer`: the bars of longer
    intervals (Plan.intervals) of the same venue, of any symbols; those that close later are
    ignored. Raises: ValueError if the plan was made for another interval.
    """
    check_interval(plan, window)
    end = max(window.bars - bars_back, 0)
    views = views_at([table.chain for table in plan.tables], window, end, longer)
    padded = weights.padded_symbols(len(window.symbols))
    symbols = symbols_of(window.symbols, padded, plan.universes)
    # Unknown is carried as NaN and overflow made NaN; numpy's flags would only repeat that.
    with np.errstate(all="ignore"):
        values = _own_values(plan, views, symbols)
        bits = bits_of(plan, values)
    return Verdicts(plan=plan, window=window, longer=longer, end=end, rows=values, bits=bits)


def check_interval(plan: Plan, window: Window) -> None:
    """Raise ValueError if the plan was made for another interval than the window's."""
    if plan.interval is not None and plan.interval != window.interval:
        raise ValueError(f"expected a window of {plan.interval}, was {window.interval}")


def _own_values(plan: Plan, views: tuple[View, ...], symbols: Symbols) -> Floats:
    """Return the values of table 0, float64[rows, padded]: finite, or NaN where unknown."""
    series: dict[int, list[Floats] | None] = {}
    values: dict[int, Floats | None] = {}
    for number in plan.order:
        table, view = plan.tables[number], views[number]
        if view.problem is not None:
            series[number] = values[number] = None
            continue
        longer = {
            other: Longer(series[other], view.held_places(views[other]))
            for other in table.held_steps
        }
        values[number] = found = np.empty((table.rows_count, symbols.padded))
        series[number] = fill_base(table, view.bars, found, symbols, longer)
        for helds in table.helds:
            _fill_held(helds, view, views[helds.table], values[helds.table], found)
        fill_derived(table, found, symbols)
    own = values[0]
    return np.full((plan.tables[0].rows_count, symbols.padded), np.nan) if own is None else own


def _fill_held(
    helds: Helds, view: View, longer: View, there: Floats | None, values: Floats
) -> None:
    if there is None:
        values[helds.rows] = np.nan
        return
    intervals = view.interval, longer.interval
    at_ms, longer_ms = np.array([view.closed_at_ms]), np.array([longer.closed_at_ms])
    only = np.zeros(1, dtype=np.int64)
    fill_held(helds, intervals, at_ms, longer_ms, only, there[:, None], values[:, None])


def bits_of(plan: Plan, values: Floats) -> Bits:
    """Return, packed along the symbols, where each condition is true [0] and is false [1]."""
    bits = np.empty((2, plan.conditions_count, values.shape[1] // 64), dtype=np.uint64)
    compiled.compare(values, plan.less, plan.equal, bits)
    for group in plan.conjunctions:
        compiled.conjoin(group.conditions, group.operands, group.negated, bits)
    return bits
