"""Everything a rule can name: one entry a series, one entry a function.

The entry is the documentation (signature, unit, range, definition, source, example), the check
(parameters, least period) and the computation (kernel). Adding a function is one entry here and,
if it is not written in terms of others, one kernel in kernels.py. docs/rules.md and the editor's
completion list are made from it.

Names with a leading underscore are parts of other functions; a rule cannot name them.
"""

from __future__ import annotations

import numpy as np

from shared.market.kline import COLUMNS
from shared.rules import kernels
from shared.rules.entry import Function, Kind, NamedSeries, Parameter
from shared.rules.kernels import Elementwise, Expansion, Kernel, Rolling, Sequential, Smoothed
from shared.rules.tree import AllOf, Arithmetic, Call, Comparison, Lag, Node, Number, Series


def _column(name: str, unit: str, definition: str) -> NamedSeries:
    return NamedSeries(name=name, unit=unit, definition=definition, column=COLUMNS.index(name))


def _mean(*names: str) -> Node:
    total: Node = Series(names[0])
    for name in names[1:]:
        total = Arithmetic("+", total, Series(name))
    return Arithmetic("/", total, Number(float(len(names))))


_PRICE = "quote per base"
SERIES: dict[str, NamedSeries] = {
    entry.name: entry
    for entry in (
        _column("open", _PRICE, "first trade of the bar"),
        _column("high", _PRICE, "highest trade of the bar"),
        _column("low", _PRICE, "lowest trade of the bar"),
        _column("close", _PRICE, "last trade of the bar"),
        _column("volume", "base", "amount traded"),
        _column("quote_volume", "quote", "sum of price × amount traded"),
        _column("trades", "count", "number of trades"),
        _column("taker_buy_volume", "base", "amount bought by takers"),
        NamedSeries(
            name="hl2",
            unit=_PRICE,
            definition="(high + low) / 2",
            expression=_mean("high", "low"),
        ),
        NamedSeries(
            name="hlc3",
            unit=_PRICE,
            definition="(high + low + close) / 3",
            expression=_mean("high", "low", "close"),
        ),
        NamedSeries(
            name="ohlc4",
            unit=_PRICE,
            definition="(open + high + low + close) / 4",
            expression=_mean("open", "high", "low", "close"),
        ),
    )
}


def _source(name: str = "close") -> Parameter:
    return Parameter("source", Kind.SERIES, Series(name))


def _n(*, least: int = 1, default: int | None = None) -> Parameter:
    return Parameter("n", Kind.BARS, default, least, aliases=("length",))


def _numbers(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, Kind.NUMBER) for name in names)


def _expand_change(source: Node, n: int) -> Node:
    return Arithmetic("-", source, Lag(source, n))


def _expand_roc(source: Node, n: int) -> Node:
    ratio = Arithmetic("/", source, Lag(source, n))
    return Arithmetic("*", Number(100.0), Arithmetic("-", ratio, Number(1.0)))


def _expand_rsi(source: Node, n: int) -> Node:
    up = Call("rma", (Call("_gains", (source,)), n))
    down = Call("rma", (Call("_losses", (source,)), n))
    return Call("_rsi_of_averages", (up, down))


def _expand_crosses_above(a: Node, b: Node) -> Node:
    return AllOf((Comparison("<=", _earlier(a), _earlier(b)), Comparison(">", a, b)))


def _expand_crosses_below(a: Node, b: Node) -> Node:
    return AllOf((Comparison(">=", _earlier(a), _earlier(b)), Comparison("<", a, b)))


def _earlier(node: Node) -> Node:
    match node:
        case Number():
            return node
        case Lag(operand=operand, bars=bars):
            return Lag(operand, bars + 1)
    return Lag(node, 1)


def _next(n: int) -> int:
    return n + 1


def _same(n: int) -> int:
    return n


def _two() -> int:
    return 2


_TA_LIB = "TA-Lib"
_AS_SOURCE = "that of the source"
_ENTRIES = (
    Function(
        name="sma",
        parameters=(_source(), _n()),
        gives=Kind.NUMBER,
        unit=_AS_SOURCE,
        range="between the lowest and highest of the last n",
        definition="simple average of the last n",
        source=f"{_TA_LIB} SMA",
        example="close > sma(50)",
        kernel=kernels.Weighted(kernels.sma_weights),
        aliases=("ta.sma",),
    ),
    Function(
        name="ema",
        parameters=(_source(), _n()),
        gives=Kind.NUMBER,
        unit=_AS_SOURCE,
        range="between the lowest and highest of the window",
        definition="before + 2/(n+1) · (now - before), seeded with the average of the first n",
        source=f"{_TA_LIB} EMA",
        example="ema(9) > ema(21)",
        kernel=Smoothed(kernels.ema_alpha),
        aliases=("ta.ema",),
    ),
    Function(
        name="rma",
        parameters=(_source(), _n()),
        gives=Kind.NUMBER,
        unit=_AS_SOURCE,
        range="between the lowest and highest of the window",
        definition="before + 1/n · (now - before), seeded with the average of the first n",
        source="Wilder, New Concepts in Technical Trading Systems (1978)",
        example="close > rma(14)",
        kernel=Smoothed(kernels.wilder_alpha),
        aliases=("ta.rma",),
    ),
    Function(
        name="rsi",
        parameters=(_source(), _n(least=2)),
        gives=Kind.NUMBER,
        unit="none",
        range="0 to 100",
        definition="100 · rma(rises, n) / (rma(rises, n) + rma(falls, n)); 0 if nothing moved",
        source=f"Wilder, as {_TA_LIB} RSI",
        example="rsi(14) < 30",
        kernel=Expansion(_expand_rsi, _next),
        aliases=("ta.rsi",),
    ),
    Function(
        name="highest",
        parameters=(_source("high"), _n(least=2)),
        gives=Kind.NUMBER,
        unit=_AS_SOURCE,
        range=_AS_SOURCE,
        definition="largest of the last n, this bar included",
        source=f"{_TA_LIB} MAX",
        example="close >= highest(close, 20)",
        kernel=Rolling(kernels.highest, _same, np.maximum),
        aliases=("ta.highest",),
    ),
    Function(
        name="lowest",
        parameters=(_source("low"), _n(least=2)),
        gives=Kind.NUMBER,
        unit=_AS_SOURCE,
        range=_AS_SOURCE,
        definition="smallest of the last n, this bar included",
        source=f"{_TA_LIB} MIN",
        example="close < lowest(20)[1]",
        kernel=Rolling(kernels.lowest, _same, np.minimum),
        aliases=("ta.lowest",),
    ),
    Function(
        name="change",
        parameters=(_source(), _n(default=1)),
        gives=Kind.NUMBER,
        unit=_AS_SOURCE,
        range="any",
        definition="source - source[n]",
        source=f"{_TA_LIB} MOM",
        example="change(close, 3) > 0",
        kernel=Expansion(_expand_change, _next),
        aliases=("ta.change",),
    ),
    Function(
        name="roc",
        parameters=(_source(), _n()),
        gives=Kind.NUMBER,
        unit="percent",
        range="from -100 for prices",
        definition="100 · (source / source[n] - 1)",
        source=f"{_TA_LIB} ROC, but unknown where source[n] is 0",
        example="roc(60) > 5",
        kernel=Expansion(_expand_roc, _next),
        aliases=("ta.roc",),
    ),
    Function(
        name="crosses_above",
        parameters=_numbers("a", "b"),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition="a[1] <= b[1] and a > b",
        source="Closebell",
        example="crosses_above(ema(9), ema(21))",
        kernel=Expansion(_expand_crosses_above, _two),
        aliases=("ta.crossover", "crossover"),
    ),
    Function(
        name="crosses_below",
        parameters=_numbers("a", "b"),
        gives=Kind.CONDITION,
        unit="none",
        range="true, false",
        definition="a[1] >= b[1] and a < b",
        source="Closebell",
        example="crosses_below(rsi(14), 70)",
        kernel=Expansion(_expand_crosses_below, _two),
        aliases=("ta.crossunder", "crossunder"),
    ),
    Function(
        name="abs",
        parameters=_numbers("x"),
        gives=Kind.NUMBER,
        unit="that of x",
        range="from 0",
        definition="x without its sign",
        source="arithmetic",
        example="abs(roc(1)) > 2",
        kernel=Elementwise(kernels.absolute),
        aliases=("math.abs",),
    ),
    Function(
        name="max",
        parameters=_numbers("a", "b"),
        gives=Kind.NUMBER,
        unit="that of a and b",
        range="any",
        definition="the larger of two",
        source="arithmetic",
        example="close > 1.01 * max(open, close[1])",
        kernel=Elementwise(kernels.larger),
        aliases=("math.max",),
    ),
    Function(
        name="min",
        parameters=_numbers("a", "b"),
        gives=Kind.NUMBER,
        unit="that of a and b",
        range="any",
        definition="the smaller of two",
        source="arithmetic",
        example="min(open, close) > ema(50)",
        kernel=Elementwise(kernels.smaller),
        aliases=("math.min",),
    ),
)


def _part(name: str, kernel: Kernel, parameters: tuple[Parameter, ...], text: str) -> Function:
    return Function(
        name=name,
        parameters=parameters,
        gives=Kind.NUMBER,
        unit="none",
        range="from 0",
        definition=text,
        source="Wilder (1978)",
        example="",
        kernel=kernel,
    )


_PARTS = (
    _part("_gains", Sequential(kernels.gains, _two), _numbers("x"), "rise of each bar, or 0"),
    _part("_losses", Sequential(kernels.losses, _two), _numbers("x"), "fall of each bar, or 0"),
    _part(
        "_rsi_of_averages",
        Elementwise(kernels.rsi_of_averages),
        _numbers("up", "down"),
        "100 · up / (up + down)",
    ),
)

# Every function a rule can name, by its own name.
FUNCTIONS: dict[str, Function] = {entry.name: entry for entry in _ENTRIES}
# Those and the parts they are made of: what a tree may contain.
ALL_FUNCTIONS: dict[str, Function] = FUNCTIONS | {entry.name: entry for entry in _PARTS}
# Other spellings, chiefly Pine's, to our name.
ALIASES: dict[str, str] = {alias: entry.name for entry in _ENTRIES for alias in entry.aliases}
