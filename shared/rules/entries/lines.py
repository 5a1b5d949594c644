"""Lines that follow the trend: stops that turn with it, and Ichimoku's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

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
from shared.rules.kernels import Expansion, Floats, Sequential
from shared.rules.recursions import ages, only_from
from shared.rules.tree import Arithmetic, Call, Lag, Node, Number, Series

# Ichimoku's own figures: the spans of its lines, and how far ahead the cloud is drawn.
_CONVERSION_BARS, _BASE_BARS, _LONG_BARS, _AHEAD_BARS = 9, 26, 52, 26
_ICHIMOKU = "Hosoda, Ichimoku Kinko Hyo (1969)"
# 256 kB.
_BAND_VALUES_AT_ONCE = 1 << 16


def psar(high: Floats, low: Floats, step: float, most: float) -> Floats:
    """Return Wilder's parabolic stop and reverse.

    Prices count in the direction of the trend: while it falls they are negative, so that the stop
    is always below, rises, and is hit by the bar's worst price.
    """
    since = np.broadcast_to(ages(high, low), high.shape)
    second = since == 1
    begins = second.any(axis=1).tolist()
    ends = np.stack([low, high], axis=1)
    result = np.full_like(high, np.nan)
    step = min(step, most)
    way, stop, extreme, speed = state = np.ones((4, high.shape[1]))
    steps, mosts, scratch = np.full_like(stop, step), np.full_like(stop, most), np.empty_like(stop)
    worst_before = best_before = stop
    for bar in range(1, len(high)):
        if begins[bar]:
            begun = _first_stops(ends[bar - 1], ends[bar], step)
            np.copyto(state, begun, where=second[bar])
        ahead = ends[bar] * way
        worst, best = np.minimum(ahead[0], ahead[1]), np.maximum(ahead[0], ahead[1])
        if begins[bar]:  # as if the bar before had been the same
            worst_before = np.where(second[bar], worst, worst_before)
            best_before = np.where(second[bar], best, best_before)
        # Those that are hit turn: the extreme of the old trend is the first stop of the new one.
        # They are few, so what is different for them is done apart, by their places.
        hit = (worst <= stop).nonzero()[0]
        top = np.maximum(best_before[hit], best[hit])
        turned, bottom = -np.maximum(extreme[hit], top), -worst[hit]
        stop[hit] = turned
        way[hit] = -way[hit]
        np.multiply(stop, way, out=result[bar])

        scratch[:] = best > extreme
        scratch *= steps
        speed += scratch
        np.minimum(speed, mosts, out=speed)
        np.maximum(extreme, best, out=extreme)
        np.subtract(extreme, stop, out=scratch)
        scratch *= speed
        stop += scratch
        np.minimum(worst, worst_before, out=scratch)
        np.minimum(stop, scratch, out=stop)

        speed[hit] = step
        extreme[hit] = bottom
        stop[hit] = np.minimum(turned + step * (bottom - turned), -top)
        worst[hit], best[hit] = -best[hit], bottom
        worst_before, best_before = worst, best
    return only_from(result, since, 1)


def _first_stops(first: Floats, second: Floats, step: float) -> Floats:
    """Return way, stop, extreme and speed after two bars, float64[4, s].

    Shape: float64[2, s] each, low and high. The trend falls if the second bar moved below the first
    one, and further than above it.
    """
    fell, rose = first[0] - second[0], second[1] - first[1]
    falls = (fell > 0.0) & (fell > rose)
    way = np.where(falls, -1.0, 1.0)
    stop = np.where(falls, -first[1], first[0])
    extreme = np.where(falls, -second[0], second[1])
    return np.stack([way, stop, extreme, np.full_like(way, step)])


def supertrend(middle: Floats, close: Floats, atr: Floats, k: float) -> Floats:
    """Return the lower band while the trend rises, the upper band while it falls."""
    return supertrend_together([(middle, close, atr)], [(k,)], len(middle))[0]


def supertrend_together(
    sources: Sequence[tuple[Floats, Floats, Floats]], periods: Sequence[tuple[float]], last: int
) -> list[Floats]:
    """Return the last bars of the lines of several atr and k; middle and close are the same.

    A band only comes closer, until a close beyond it sets it anew. The trend turns at a close
    beyond the band in force.
    """
    middle, close = sources[0][:2]
    atrs = [atr for *_, atr in sources]
    lines = np.empty((len(sources), last, middle.shape[1]))
    first_kept = len(middle) - last
    shape = (2, len(sources), middle.shape[1])
    # The upper band, and the lower one upside down: both then come closer by falling. Unknown at
    # first: a comparison with unknown is false, so where a history begins, its bands do.
    bands = np.full(shape, np.nan)
    outside = np.ones(shape, dtype=np.bool_)
    above, below = outside
    rises, changes, begins = np.zeros((3, *shape[1:]), dtype=np.bool_)
    # Once all histories have begun, and if none has a gap, none begins any more.
    begun = False
    known_bars = np.logical_and.reduce(np.isfinite(middle), axis=1)
    always = bool(known_bars[known_bars.argmax() :].all()) and all(
        bool(np.isfinite(atr[-1]).all()) for atr in atrs
    )
    beyond = np.empty((2, 1, close.shape[1]))
    bar = 0
    for block in _bands_by_bar(middle, atrs, [k for (k,) in periods]):
        for now in block:
            if not begun:
                np.isnan(bands[0], out=begins)
            np.putmask(bands, outside, np.inf)
            np.minimum(bands, now, out=bands)
            beyond[0] = close[bar]
            np.negative(close[bar], out=beyond[1])
            np.less_equal(beyond, bands, out=outside)
            np.logical_not(outside, out=outside)
            # rises = not below if rises else above
            np.not_equal(above, below, out=changes)
            np.greater(rises, changes, out=rises)
            rises ^= above
            if not begun:
                rises |= begins
                begun = always and not begins.any()
            if bar >= first_kept:
                lines[:, bar - first_kept] = np.where(rises, -bands[1], bands[0])
            bar += 1
    return list(lines)


def _bands_by_bar(
    middle: Floats, atrs: Sequence[Floats], factors: Sequence[float]
) -> Iterator[Floats]:
    """Yield k · atr + middle and k · atr - middle, some bars at a time: float64[bars, 2, k, s].

    As many as stay in the processor's cache until they are read. The block is used again.
    """
    at_once = max(1, _BAND_VALUES_AT_ONCE // (len(atrs) * middle.shape[1]))
    block = np.empty((at_once, 2, len(atrs), middle.shape[1]))
    for start in range(0, len(middle), at_once):
        now = middle[start : start + at_once, None]
        bands = block[: len(now)]
        for line, (atr, k) in enumerate(zip(atrs, factors, strict=True)):
            np.multiply(atr[start : start + at_once], k, out=bands[:, 1, line])
        np.add(bands[:, 1], now, out=bands[:, 0])
        np.subtract(bands[:, 1], now, out=bands[:, 1])
        yield bands


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
        Sequential(psar, _two),
        (*numbers("high", "low"), factor("step"), factor("max")),
        "see psar",
    ),
    part(
        "_supertrend",
        Sequential(supertrend, _one, many=supertrend_together),
        (*numbers("middle", "close", "atr"), factor("k")),
        "see supertrend",
    ),
)
