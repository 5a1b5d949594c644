"""Momentum: how far and how fast a price has moved, without bounds; MACD and its like."""

from __future__ import annotations

import numpy as np

from shared.rules.entries.arrays import latest, through_ema
from shared.rules.entries.words import AS_SOURCE, TA_LIB, bars, numbers, one_more, part, source
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Elementwise, Expansion, Floats, Linear
from shared.rules.tree import Arithmetic, Call, Lag, Node, Number


def where_known(x: Floats, other: Floats) -> Floats:
    """Return x where the other is known too."""
    return np.where(np.isfinite(other), x, np.nan)


def _line_weights(outer: Floats, fast: int, slow: int) -> Floats:
    """Return the weights on a source that amount to these on fast - slow average.

    Both averages have their first value on the same bar: the fast one begins slow - fast bars late.
    """
    weights = -through_ema(outer, slow)
    weights[slow - fast :] += through_ema(outer, fast)
    return weights


def macd_weights(bars: int, fast: int, slow: int, signal: int) -> Floats:
    """Return the weights of MACD over a history of so many bars."""
    fast, slow = sorted((fast, slow))
    return _line_weights(latest(bars - slow + 1), fast, slow)


def macd_signal_weights(bars: int, fast: int, slow: int, signal: int) -> Floats:
    """Return the weights of MACD's average over a history of so many bars."""
    fast, slow = sorted((fast, slow))
    return _line_weights(through_ema(latest(bars - slow - signal + 2), signal), fast, slow)


def macd_bars(fast: int, slow: int, signal: int) -> int:
    """Return how many bars the three lines of MACD need."""
    return max(fast, slow) + signal - 1


def twice_weights(bars: int, slow: int, fast: int) -> Floats:
    """Return the weights of ema(ema(slow), fast) over a history of so many bars."""
    return through_ema(through_ema(latest(bars - slow - fast + 2), fast), slow)


def twice_bars(slow: int, fast: int) -> int:
    """Return how many bars ema(ema(slow), fast) needs."""
    return slow + fast - 1


def _expand_change(source: Node, n: int) -> Node:
    return Arithmetic("-", source, Lag(source, n))


def _expand_roc(source: Node, n: int) -> Node:
    ratio = Arithmetic("/", source, Lag(source, n))
    return Arithmetic("*", Number(100.0), Arithmetic("-", ratio, Number(1.0)))


def _expand_macd_line(source: Node, fast: int, slow: int) -> Node:
    fast, slow = sorted((fast, slow))
    late = source
    if fast < slow:
        late = Call("_where_known", (source, Lag(source, slow - fast)))
    return Arithmetic("-", Call("ema", (late, fast)), Call("ema", (source, slow)))


def _expand_macd(source: Node, fast: int, slow: int, signal: int) -> Node:
    line = _expand_macd_line(source, fast, slow)
    return line if signal == 1 else Call("_where_known", (line, Lag(line, signal - 1)))


def _expand_macd_signal(source: Node, fast: int, slow: int, signal: int) -> Node:
    return Call("ema", (_expand_macd_line(source, fast, slow), signal))


def _expand_macd_hist(source: Node, fast: int, slow: int, signal: int) -> Node:
    arguments = (source, fast, slow, signal)
    return Arithmetic("-", Call("macd", arguments), Call("macd_signal", arguments))


def _expand_twice(source: Node, slow: int, fast: int) -> Node:
    return Call("ema", (Call("ema", (source, slow)), fast))


def _expand_tsi(source: Node, slow: int, fast: int) -> Node:
    up = Call("_ema_of_ema", (Call("_gains", (source,)), slow, fast))
    down = Call("_ema_of_ema", (Call("_losses", (source,)), slow, fast))
    share = Arithmetic("/", Arithmetic("-", up, down), Arithmetic("+", up, down))
    return Arithmetic("*", Number(100.0), share)


def _tsi_bars(slow: int, fast: int) -> int:
    return slow + fast


_MACD = (
    source(),
    bars("fast", least=2, default=12),
    bars("slow", least=2, default=26),
    bars("signal", default=9),
)
ENTRIES = (
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
    Function(
        name="mom",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="momentum: source - source[n]",
        source=f"{TA_LIB} MOM",
        example="mom(10) > 0",
        kernel=Expansion(_expand_change, one_more),
        aliases=("ta.mom",),
    ),
    Function(
        name="macd",
        parameters=_MACD,
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="ema(fast) - ema(slow), both begun on the slow one's first bar; known "
        "together with its signal",
        source=f"Appel, as {TA_LIB} MACD",
        example="macd(12, 26, 9) > 0",
        kernel=Linear(macd_weights, macd_bars, _expand_macd),
    ),
    Function(
        name="macd_signal",
        parameters=_MACD,
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="macd(fast, slow), averaged by ema(signal)",
        source=f"Appel, as {TA_LIB} MACD",
        example="crosses_above(macd(), macd_signal())",
        kernel=Linear(macd_signal_weights, macd_bars, _expand_macd_signal),
    ),
    Function(
        name="macd_hist",
        parameters=_MACD,
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="macd - macd_signal",
        source=f"Appel, as {TA_LIB} MACD",
        example="macd_hist() > 0 and macd_hist()[1] <= 0",
        kernel=Expansion(_expand_macd_hist, macd_bars),
    ),
    Function(
        name="tsi",
        parameters=(source(), bars("slow", default=25), bars("fast", default=13)),
        gives=Kind.NUMBER,
        unit="none",
        range="-100 to 100",
        definition="100 · the change from bar to bar over its size, each averaged by ema(slow), "
        "then ema(fast)",
        source="Blau, Momentum, Direction and Divergence (1995); averages seeded as ema",
        example="tsi(25, 13) > 0",
        kernel=Expansion(_expand_tsi, _tsi_bars),
    ),
)
PARTS = (
    part(
        "_where_known",
        Elementwise(where_known),
        numbers("x", "other"),
        "x where the other is known too",
    ),
    part(
        "_ema_of_ema",
        Linear(twice_weights, twice_bars, _expand_twice),
        (*numbers("x"), bars("slow"), bars("fast")),
        "ema(ema(x, slow), fast)",
    ),
)
