"""Volume: whether it goes with the buyers or with the sellers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.rules import compiled
from shared.rules.entries.words import CLOSE, HIGH, LOW, TA_LIB, VOLUME, bars, numbers, part, same
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Elementwise, Expansion, Floats, Recursion, Rolling
from shared.rules.tree import Arithmetic, Call, Node


def obv(
    sources: Sequence[tuple[Floats, Floats]], periods: Sequence[tuple[()]], last: int
) -> Floats:
    """Return the running sum of volume, counted negative where the close fell.

    The first bar's volume counts in full, as TA-Lib has it.
    """
    return compiled.balance(*sources[0], last)


def money_flow_volume(high: Floats, low: Floats, close: Floats, volume: Floats) -> Floats:
    """Return volume times where the close lies in the range: 1 at the high, -1 at the low.

    0 where there is no range.
    """
    spread = high - low
    place = ((close - low) - (high - close)) / spread
    return np.where(spread > 0.0, place * volume, np.where(np.isnan(spread + close), np.nan, 0.0))


def running_sum(
    sources: Sequence[tuple[Floats]], periods: Sequence[tuple[()]], last: int
) -> Floats:
    """Return the sum of all known values so far."""
    return compiled.sums(*sources[0], last)


def sum_of_last(source: Floats, n: int) -> Floats:
    """Return the sum of the last n, added up from the oldest on."""
    result: Floats = np.add.reduce(source, axis=0)
    return result


def oscillator(
    sources: Sequence[tuple[Floats]], periods: Sequence[tuple[int, int]], last: int
) -> Floats:
    """Return the difference of two exponential averages that both begin with the first value."""
    fasts, slows = [fast for fast, _ in periods], [slow for _, slow in periods]
    return compiled.oscillator(*sources[0], fasts, slows, last)


def _expand_obv() -> Node:
    return Call("_obv", (CLOSE, VOLUME))


def _flow() -> Node:
    return Call("_money_flow_volume", (HIGH, LOW, CLOSE, VOLUME))


def _expand_ad() -> Node:
    return Call("_running_sum", (_flow(),))


def _expand_adosc(fast: int, slow: int) -> Node:
    return Call("_adosc", (_expand_ad(), fast, slow))


def _expand_cmf(n: int) -> Node:
    # Plain sums in order, not averages by the matrix product: a bar without volume changes no bit.
    return Arithmetic("/", Call("_sum", (_flow(), n)), Call("_sum", (VOLUME, n)))


def _one() -> int:
    return 1


def _longer(fast: int, slow: int) -> int:
    return max(fast, slow)


_LEVEL = "; its level is arbitrary, as it starts at the window's first bar: compare differences"
ENTRIES = (
    Function(
        name="obv",
        parameters=(),
        gives=Kind.NUMBER,
        unit="base",
        range="any",
        definition=f"on-balance volume: volume added up, negative where the close fell{_LEVEL}",
        source=f"Granville, as {TA_LIB} OBV",
        example="change(obv, 20) > 0 and change(close, 20) < 0",
        kernel=Expansion(_expand_obv, _one),
        aliases=("ta.obv",),
    ),
    Function(
        name="ad",
        parameters=(),
        gives=Kind.NUMBER,
        unit="base",
        range="any",
        definition="accumulation/distribution: volume added up, each bar's times where it closed,"
        f" from 1 at its high to -1 at its low{_LEVEL}",
        source=f"Chaikin, as {TA_LIB} AD",
        example="change(ad, 14) > 0",
        kernel=Expansion(_expand_ad, _one),
        aliases=("ta.accdist",),
    ),
    Function(
        name="adosc",
        parameters=(bars("fast", least=2, default=3), bars("slow", least=2, default=10)),
        gives=Kind.NUMBER,
        unit="base",
        range="any",
        definition="Chaikin's oscillator: exponential average of ad over fast bars, less that over"
        " slow bars, both begun with the first value",
        source=f"Chaikin, as {TA_LIB} ADOSC",
        example="crosses_above(adosc(3, 10), 0)",
        kernel=Expansion(_expand_adosc, _longer),
    ),
    Function(
        name="cmf",
        parameters=(bars(default=20),),
        gives=Kind.NUMBER,
        unit="none",
        range="-1 to 1",
        definition="Chaikin's money flow: of the volume of the last n, how much more was traded in"
        " bars that closed near their high than near their low",
        source="Chaikin",
        example="cmf(20) > 0.1",
        kernel=Expansion(_expand_cmf, same),
    ),
)
PARTS = (
    part("_obv", Recursion(obv, _one, shared=2), numbers("close", "volume"), "see obv"),
    part(
        "_money_flow_volume",
        Elementwise(money_flow_volume),
        numbers("high", "low", "close", "volume"),
        "volume, by where the bar closed",
    ),
    part("_sum", Rolling(sum_of_last, same), (*numbers("x"), bars()), "sum of the last n"),
    part(
        "_running_sum",
        Recursion(running_sum, _one, shared=1),
        numbers("x"),
        "sum of all bars so far",
    ),
    part(
        "_adosc",
        Recursion(oscillator, _longer, shared=1),
        (*numbers("x"), bars("fast"), bars("slow")),
        "see adosc",
    ),
)
