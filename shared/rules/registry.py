"""Everything a rule can name: one entry a series, one entry a function.

The entry is the documentation (signature, unit, range, definition, source, example), the check
(parameters, least period) and the computation (kernel). Adding a function is one entry here and,
if it is not written in terms of others, one kernel in kernels.py. docs/rules.md and the editor's
completion list are made from it.

Names with a leading underscore are parts of other functions; a rule cannot name them.
"""

from __future__ import annotations

from shared.market.kline import COLUMNS
from shared.rules.entries import arithmetic, averages, conditions, oscillators
from shared.rules.entries.words import PRICE
from shared.rules.entry import Function, NamedSeries
from shared.rules.tree import Arithmetic, Node, Number, Series

# In the order in which the documentation shows them.
FAMILIES = (averages, oscillators, conditions, arithmetic)


def _column(name: str, unit: str, definition: str) -> NamedSeries:
    return NamedSeries(name=name, unit=unit, definition=definition, column=COLUMNS.index(name))


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
