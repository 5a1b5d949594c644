"""Volatility: how much a price moves, and the bands and channels made of that."""

from __future__ import annotations

import numpy as np

from shared.rules.entries.words import (
    AS_SOURCE,
    CLOSE,
    HIGH,
    LOW,
    PRICE,
    TA_LIB,
    WILDER,
    bars,
    earlier,
    factor,
    numbers,
    one_more,
    part,
    same,
    source,
    two,
)
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Elementwise, Expansion, Floats, Rolling
from shared.rules.tree import Arithmetic, Call, Node, Number

# Keltner's channel is as wide as the ATR of so many bars, whatever its average (rules.md).
_KELTNER_ATR_BARS = 10


def true_range(high: Floats, low: Floats, close_before: Floats) -> Floats:
    """Return the bar's range, stretched to the close before."""
    return np.maximum(high, close_before) - np.minimum(low, close_before)


def stdev(source: Floats, n: int) -> Floats:
    """Return the population deviation of the last n.

    Taken in two passes and relative to the last value: exactly 0 on a flat source, and no digits
    are lost where the deviation is small beside the price.
    """
    relative = source - source[-1]
    relative -= np.add.reduce(relative, axis=0) / n
    relative *= relative
    result: Floats = np.sqrt(np.add.reduce(relative, axis=0) / n)
    return result


def _expand_tr() -> Node:
    return Call("_true_range", (HIGH, LOW, earlier(CLOSE)))


def _expand_atr(n: int) -> Node:
    return Call("rma", (_expand_tr(), n))


def _expand_natr(n: int) -> Node:
    return Arithmetic("*", Number(100.0), Arithmetic("/", Call("atr", (n,)), CLOSE))


def _expand_bb_upper(source: Node, n: int, k: float) -> Node:
    return Arithmetic("+", Call("sma", (source, n)), _band(source, n, k))


def _expand_bb_mid(source: Node, n: int) -> Node:
    return Call("sma", (source, n))


def _expand_bb_lower(source: Node, n: int, k: float) -> Node:
    return Arithmetic("-", Call("sma", (source, n)), _band(source, n, k))


def _expand_bb_width(source: Node, n: int, k: float) -> Node:
    return Arithmetic("/", _band(source, n, 2 * k), Call("sma", (source, n)))


def _expand_bb_pct(source: Node, n: int, k: float) -> Node:
    # (source - lower) / (upper - lower), without taking the difference of two like numbers.
    above_mid = Arithmetic("-", source, Call("sma", (source, n)))
    place = Arithmetic("/", above_mid, _band(source, n, 2 * k))
    return Arithmetic("+", Number(0.5), place)


def _band(source: Node, n: int, k: float) -> Node:
    return Arithmetic("*", Number(float(k)), Call("stdev", (source, n)))


def _band_bars(n: int, k: float) -> int:
    return n


def _expand_keltner_upper(n: int, k: float) -> Node:
    return Arithmetic("+", Call("ema", (CLOSE, n)), _channel(k))


def _expand_keltner_lower(n: int, k: float) -> Node:
    return Arithmetic("-", Call("ema", (CLOSE, n)), _channel(k))


def _channel(k: float) -> Node:
    return Arithmetic("*", Number(float(k)), Call("atr", (_KELTNER_ATR_BARS,)))


def _keltner_bars(n: int, k: float) -> int:
    return max(n, _KELTNER_ATR_BARS + 1)


def _expand_donchian_high(n: int) -> Node:
    return Call("highest", (HIGH, n))


def _expand_donchian_low(n: int) -> Node:
    return Call("lowest", (LOW, n))


def _expand_zscore(source: Node, n: int) -> Node:
    above_mean = Arithmetic("-", source, Call("sma", (source, n)))
    return Arithmetic("/", above_mean, Call("stdev", (source, n)))


_BOLLINGER = "Bollinger, Bollinger on Bollinger Bands (2001)"
_BANDS = (source(), bars(least=2, default=20), factor("k", 2.0))
_CHANNEL = (bars(default=20), factor("k", 2.0))
ENTRIES = (
    Function(
        name="tr",
        parameters=(),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="from 0",
        definition="true range: high - low, stretched to the close before if that is outside",
        source=f"Wilder, as {TA_LIB} TRANGE",
        example="tr > 2 * atr(14)[1]",
        kernel=Expansion(_expand_tr, two),
        aliases=("ta.tr",),
    ),
    Function(
        name="atr",
        parameters=(bars(),),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="from 0",
        definition="average true range: rma(tr, n)",
        source=f"{WILDER}, as {TA_LIB} ATR",
        example="high - low > 2 * atr(14)",
        kernel=Expansion(_expand_atr, one_more),
        aliases=("ta.atr",),
    ),
    Function(
        name="natr",
        parameters=(bars(),),
        gives=Kind.NUMBER,
        unit="percent",
        range="from 0",
        definition="average true range in percent of the close: 100 · atr(n) / close",
        source=f"{TA_LIB} NATR, also for n = 1",
        example="natr(14) > 1.2",
        kernel=Expansion(_expand_natr, one_more),
    ),
    Function(
        name="stdev",
        parameters=(source(), bars(least=2)),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="from 0",
        definition="standard deviation of the last n (population: divided by n)",
        source=f"{TA_LIB} STDDEV",
        example="stdev(20) < stdev(60) / 2",
        kernel=Rolling(stdev, same),
        aliases=("ta.stdev",),
    ),
    Function(
        name="zscore",
        parameters=(source(), bars(least=2)),
        gives=Kind.NUMBER,
        unit="deviations",
        range="any",
        definition="how far from its average, in deviations: (source - sma(n)) / stdev(n)",
        source="statistics, with the population deviation",
        example="zscore(50) < -2",
        kernel=Expansion(_expand_zscore, same),
    ),
    Function(
        name="bb_upper",
        parameters=_BANDS,
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="upper Bollinger band: sma(n) + k · stdev(n)",
        source=f"{_BOLLINGER}, as {TA_LIB} BBANDS",
        example="close > bb_upper(20, 2)",
        kernel=Expansion(_expand_bb_upper, _band_bars),
    ),
    Function(
        name="bb_mid",
        parameters=(source(), bars(least=2, default=20)),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the last n",
        definition="middle of the Bollinger bands: sma(n)",
        source=f"{_BOLLINGER}, as {TA_LIB} BBANDS",
        example="crosses_above(close, bb_mid(20))",
        kernel=Expansion(_expand_bb_mid, same),
    ),
    Function(
        name="bb_lower",
        parameters=_BANDS,
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="lower Bollinger band: sma(n) - k · stdev(n)",
        source=f"{_BOLLINGER}, as {TA_LIB} BBANDS",
        example="close < bb_lower(20, 2.5)",
        kernel=Expansion(_expand_bb_lower, _band_bars),
    ),
    Function(
        name="bb_width",
        parameters=_BANDS,
        gives=Kind.NUMBER,
        unit="fraction",
        range="from 0 for prices",
        definition="width of the Bollinger bands: (upper - lower) / mid, a fraction",
        source=_BOLLINGER,
        example="bb_width() < 0.03",
        kernel=Expansion(_expand_bb_width, _band_bars),
    ),
    Function(
        name="bb_pct",
        parameters=_BANDS,
        gives=Kind.NUMBER,
        unit="fraction",
        range="any; 0 at the lower band, 1 at the upper",
        definition="where the source lies in the Bollinger bands: (source - lower) / "
        "(upper - lower)",
        source=_BOLLINGER,
        example="bb_pct(20, 2) < 0",
        kernel=Expansion(_expand_bb_pct, _band_bars),
    ),
    Function(
        name="keltner_upper",
        parameters=_CHANNEL,
        gives=Kind.NUMBER,
        unit=PRICE,
        range="any",
        definition="upper Keltner line: ema(n) + k · atr(10)",
        source="Keltner, as revised by Raschke",
        example="close > keltner_upper(20, 2)",
        kernel=Expansion(_expand_keltner_upper, _keltner_bars),
    ),
    Function(
        name="keltner_lower",
        parameters=_CHANNEL,
        gives=Kind.NUMBER,
        unit=PRICE,
        range="any",
        definition="lower Keltner line: ema(n) - k · atr(10)",
        source="Keltner, as revised by Raschke",
        example="bb_lower() > keltner_lower(20, 1.5)",
        kernel=Expansion(_expand_keltner_lower, _keltner_bars),
    ),
    Function(
        name="donchian_high",
        parameters=(bars(default=20),),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="a high of the last n",
        definition="upper Donchian line: the highest high of the last n, this bar included",
        source="Donchian",
        example="close > donchian_high(20)[1]",
        kernel=Expansion(_expand_donchian_high, same),
    ),
    Function(
        name="donchian_low",
        parameters=(bars(default=20),),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="a low of the last n",
        definition="lower Donchian line: the lowest low of the last n, this bar included",
        source="Donchian",
        example="close < donchian_low(20)[1]",
        kernel=Expansion(_expand_donchian_low, same),
    ),
)
PARTS = (
    part(
        "_true_range",
        Elementwise(true_range, is_movement=True),
        numbers("high", "low", "close_before"),
        "range of the bar, stretched to the close before",
    ),
)
