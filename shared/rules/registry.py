"""Everything a rule can name: one entry a series, one entry a function.

The entry is the documentation (signature, unit, range, definition, source, example), the check
(parameters, least period) and the computation (kernel). Adding a function is one entry in the
module of its family and, if it is not written in terms of others, a kernel beside it.
docs/rules/functions.md, `closebell rules functions` and what errors suggest are made from it.

Names with a leading underscore are parts of other functions, or series that only those read; a rule
cannot name them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.market.interval import DAY_MS, HOUR_MS
from shared.market.kline import COLUMNS
from shared.rules.entries import (
    arithmetic,
    averages,
    candles,
    conditions,
    cross_section,
    levels,
    lines,
    momentum,
    oscillators,
    statistics,
    trend,
    volatility,
    volume,
)
from shared.rules.entries.words import PRICE
from shared.rules.entry import Function, NamedSeries
from shared.rules.kernels import CrossSection, Floats
from shared.rules.tree import Arithmetic, Node, Number, Series

# In the order in which the documentation shows them.
FAMILIES = (
    averages,
    momentum,
    oscillators,
    trend,
    lines,
    volatility,
    volume,
    statistics,
    candles,
    levels,
    conditions,
    cross_section,
    arithmetic,
)


def _column(name: str, unit: str, definition: str) -> NamedSeries:
    return NamedSeries(name=name, unit=unit, definition=definition, column=COLUMNS.index(name))


def _hours(open_times_ms: NDArray[np.int64]) -> Floats:
    return (open_times_ms // HOUR_MS % 24).astype(np.float64)


def _days(open_times_ms: NDArray[np.int64]) -> Floats:
    return (open_times_ms // DAY_MS).astype(np.float64)


def _weekdays(open_times_ms: NDArray[np.int64]) -> Floats:
    # 1970-01-01 was a Thursday.
    return ((open_times_ms // DAY_MS + 3) % 7).astype(np.float64)


def _mean(*names: str) -> Node:
    total: Node = Series(names[0])
    for name in names[1:]:
        total = Arithmetic("+", total, Series(name))
    return Arithmetic("/", total, Number(float(len(names))))


SERIES: dict[str, NamedSeries] = {
    entry.name: entry
    for entry in (
        _column("open", PRICE, "first trade of the bar"),
        _column("high", PRICE, "highest trade of the bar"),
        _column("low", PRICE, "lowest trade of the bar"),
        _column("close", PRICE, "last trade of the bar"),
        _column("volume", "base", "amount traded"),
        _column("quote_volume", "quote", "sum of price × amount traded"),
        _column("trades", "count", "number of trades"),
        _column("taker_buy_volume", "base", "amount bought by takers"),
        NamedSeries(
            name="hl2",
            unit=PRICE,
            definition="(high + low) / 2",
            expression=_mean("high", "low"),
        ),
        NamedSeries(
            name="hlc3",
            unit=PRICE,
            definition="(high + low + close) / 3",
            expression=_mean("high", "low", "close"),
        ),
        NamedSeries(
            name="ohlc4",
            unit=PRICE,
            definition="(open + high + low + close) / 4",
            expression=_mean("open", "high", "low", "close"),
        ),
        NamedSeries(
            name="hour",
            unit="hours",
            definition="hour of the bar's open time, UTC: 0 to 23",
            clock=_hours,
        ),
        NamedSeries(
            name="weekday",
            unit="days",
            definition="weekday of the bar's open time, UTC: Monday 0 to Sunday 6",
            clock=_weekdays,
        ),
        NamedSeries(
            name="_day",
            unit="days",
            definition="UTC day of the bar's open time, counted from 1970-01-01",
            clock=_days,
        ),
    )
}

# Every function a rule can name, by its own name.
FUNCTIONS: dict[str, Function] = {
    entry.name: entry for family in FAMILIES for entry in family.ENTRIES
}
# Those and the parts they are made of: what a tree may contain.
ALL_FUNCTIONS: dict[str, Function] = FUNCTIONS | {
    entry.name: entry for family in FAMILIES for entry in family.PARTS
}
# Other spellings, chiefly Pine's, to our name.
ALIASES: dict[str, str] = {
    alias: entry.name for entry in FUNCTIONS.values() for alias in entry.aliases
}
# Those whose value depends on the other instruments of the trader's universe.
CROSS_SECTIONAL: frozenset[str] = frozenset(
    name for name, entry in FUNCTIONS.items() if isinstance(entry.kernel, CrossSection)
)
