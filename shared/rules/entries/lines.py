"""Lines that follow the trend: stops that turn with it, and Ichimoku's."""

from __future__ import annotations

from collections.abc import Sequence

from shared.rules import compiled
from shared.rules.entries.words import (
    CLOSE,
    HIGH,
    LOW,
    PRICE,
    TA_LIB,
    WILDER,
    bars,
    factor,
    numbers,
    part,
    same,
)
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Expansion, Floats, Recursion
from shared.rules.tree import Arithmetic, Call, Lag, Node, Number, Series

# Ichimoku's own figures: the spans of its lines, and how far ahead the cloud is drawn.
_CONVERSION_BARS, _BASE_BARS, _LONG_BARS, _AHEAD_BARS = 9, 26, 52, 26
_ICHIMOKU = "Hosoda, Ichimoku Kinko Hyo (1969)"


def psar(
    sources: Sequence[tuple[Floats, Floats]], periods: Sequence[tuple[float, float]], last: int
) -> Floats:
    """Return Wilder's parabolic stop and reverse, of several steps and greatest speeds."""
    high, low = sources[0]
    steps, mosts = [step for step, _ in periods], [most for _, most in periods]
    return compiled.parabolic(high, low, steps, mosts, last)


def supertrend(
    sources: Sequence[tuple[Floats, Floats, Floats]], periods: Sequence[tuple[float]], last: int
) -> Floats:
    """Return the lower band while the trend rises, the upper band while it falls.

    Of several atr and k; middle and close are the same. A band only comes closer, until a close
    beyond it sets it anew. The trend turns at a close beyond the band in force.
    """
    middle, close = sources[0][:2]
    atrs, factors = [atr for *_, atr in sources], [k for (k,) in periods]
    return compiled.supertrend(middle, close, atrs, factors, last)


def _expand_psar(step: float, most: float) -> Node:
    return Call("_psar", (HIGH, LOW, step, most))


def _expand_supertrend(n: int, k: float) -> Node:
    return Call("_supertrend", (Series("hl2"), CLOSE, Call("atr", (n,)), k))


def _midpoint(n: int) -> Node:
    extremes = Arithmetic("+", Call("highest", (HIGH, n)), Call("lowest", (LOW, n)))
    return Arithmetic("/", extremes, Number(2.0))


def _expand_span_a() -> Node:
    both = Arithmetic("+", _midpoint(_CONVERSION_BARS), _midpoint(_BASE_BARS))
    return Lag(Arithmetic("/", both, Number(2.0)), _AHEAD_BARS)


def _expand_span_b() -> Node:
    return Lag(_midpoint(_LONG_BARS), _AHEAD_BARS)


def _two(step: float, most: float) -> int:
    return 2


def _one(k: float) -> int:
    return 1


def _atr_bars(n: int, k: float) -> int:
    return n + 1


def _span_a_bars() -> int:
    return _BASE_BARS + _AHEAD_BARS


def _span_b_bars() -> int:
    return _LONG_BARS + _AHEAD_BARS


ENTRIES = (
    Function(
        name="psar",
        parameters=(factor("step", 0.02), factor("max", 0.2)),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="any",
        definition="parabolic stop and reverse: below the price while it rises, above while it"
        " falls; it closes in by step with every new extreme, by max at most",
        source=f"{WILDER}, as {TA_LIB} SAR",
        example="crosses_above(close, psar(0.02, 0.2))",
        kernel=Expansion(_expand_psar, _two),
    ),
    Function(
        name="supertrend",
        parameters=(bars(default=10), factor("k", 3.0)),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="any",
        definition="the band in force, of hl2 ± k · atr(n): the lower one, which only rises, until"
        " a close below it; then the upper one, which only falls, until a close above it",
        source="Seban's Supertrend, as TradingView, but rising at first",
        example="crosses_above(close, supertrend(10, 3))",
        kernel=Expansion(_expand_supertrend, _atr_bars),
    ),
    Function(
        name="ichimoku_conversion",
        parameters=(bars(default=9),),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="between the lowest and highest of the last n",
        definition="middle of the highest high and the lowest low of the last n",
        source=_ICHIMOKU,
        example="crosses_above(ichimoku_conversion(9), ichimoku_base(26))",
        kernel=Expansion(_midpoint, same),
    ),
    Function(
        name="ichimoku_base",
        parameters=(bars(default=26),),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="between the lowest and highest of the last n",
        definition="middle of the highest high and the lowest low of the last n",
        source=_ICHIMOKU,
        example="close > ichimoku_base(26)",
        kernel=Expansion(_midpoint, same),
    ),
    Function(
        name="ichimoku_span_a",
        parameters=(),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="any",
        definition="mean of conversion(9) and base(26) of 26 bars before:"
        " the cloud's edge as drawn under this bar",
        source=_ICHIMOKU,
        example="close > max(ichimoku_span_a, ichimoku_span_b)",
        kernel=Expansion(_expand_span_a, _span_a_bars),
    ),
    Function(
        name="ichimoku_span_b",
        parameters=(),
        gives=Kind.NUMBER,
        unit=PRICE,
        range="any",
        definition="middle of the highest high and the lowest low of 52 bars, of 26 bars before:"
        " the cloud's other edge as drawn under this bar",
        source=_ICHIMOKU,
        example="ichimoku_span_a > ichimoku_span_b",
        kernel=Expansion(_expand_span_b, _span_b_bars),
    ),
)
PARTS = (
    part(
        "_psar",
        Recursion(psar, _two, shared=2),
        (*numbers("high", "low"), factor("step"), factor("max")),
        "see psar",
    ),
    part(
        "_supertrend",
        Recursion(supertrend, _one, shared=2),
        (*numbers("middle", "close", "atr"), factor("k")),
        "see supertrend",
    ),
)
