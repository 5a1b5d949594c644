"""Averages, extremes and changes over the last bars."""

from __future__ import annotations

import numpy as np

from shared.rules.entries.words import AS_SOURCE, TA_LIB, WILDER, bars, one_more, same, source
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Expansion, Floats, Rolling, Smoothed, Weighted
from shared.rules.tree import Arithmetic, Lag, Node, Number


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


def _expand_change(source: Node, n: int) -> Node:
    return Arithmetic("-", source, Lag(source, n))


def _expand_roc(source: Node, n: int) -> Node:
    ratio = Arithmetic("/", source, Lag(source, n))
    return Arithmetic("*", Number(100.0), Arithmetic("-", ratio, Number(1.0)))


ENTRIES = (
    Function(
        name="sma",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the last n",
        definition="simple average of the last n",
        source=f"{TA_LIB} SMA",
        example="close > sma(50)",
        kernel=Weighted(sma_weights),
        aliases=("ta.sma",),
    ),
    Function(
        name="ema",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the window",
        definition="before + 2/(n+1) · (now - before), seeded with the average of the first n",
        source=f"{TA_LIB} EMA",
        example="ema(9) > ema(21)",
        kernel=Smoothed(ema_alpha),
        aliases=("ta.ema",),
    ),
    Function(
        name="rma",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the window",
        definition="before + 1/n · (now - before), seeded with the average of the first n",
        source=WILDER,
        example="close > rma(14)",
        kernel=Smoothed(wilder_alpha),
        aliases=("ta.rma",),
    ),
    Function(
        name="highest",
        parameters=(source("high"), bars(least=2)),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range=AS_SOURCE,
        definition="largest of the last n, this bar included",
        source=f"{TA_LIB} MAX",
        example="close >= highest(close, 20)",
        kernel=Rolling(highest, same, np.maximum),
        aliases=("ta.highest",),
    ),
    Function(
        name="lowest",
        parameters=(source("low"), bars(least=2)),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range=AS_SOURCE,
        definition="smallest of the last n, this bar included",
        source=f"{TA_LIB} MIN",
        example="close < lowest(20)[1]",
        kernel=Rolling(lowest, same, np.minimum),
        aliases=("ta.lowest",),
    ),
    Function(
        name="change",
        parameters=(source(), bars(default=1)),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="source - source[n]",
        source=f"{TA_LIB} MOM",
        example="change(close, 3) > 0",
        kernel=Expansion(_expand_change, one_more),
        aliases=("ta.change",),
    ),
    Function(
        name="roc",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit="percent",
        range="from -100 for prices",
        definition="100 · (source / source[n] - 1)",
        source=f"{TA_LIB} ROC, but unknown where source[n] is 0",
        example="roc(60) > 5",
        kernel=Expansion(_expand_roc, one_more),
        aliases=("ta.roc",),
    ),
)
PARTS: tuple[Function, ...] = ()
