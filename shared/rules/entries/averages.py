"""Averages and extremes of the last bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shared.rules import compiled
from shared.rules.entries.arrays import latest, through_ema
from shared.rules.entries.words import (
    AS_SOURCE,
    TA_LIB,
    VOLUME,
    WILDER,
    bars,
    earlier,
    numbers,
    part,
    same,
    source,
)
from shared.rules.entry import Function, Kind
from shared.rules.kernels import (
    Elementwise,
    Expansion,
    Floats,
    Linear,
    Recursion,
    Rolling,
    Smoothed,
    Weighted,
)
from shared.rules.tree import Arithmetic, Call, Node, Number, Series

# Kaufman's fastest and slowest average, in bars, as TA-Lib has them.
_KAMA_FAST, _KAMA_SLOW = 2, 30


def sma_weights(n: int) -> Floats:
    """Return n equal weights."""
    return np.full(n, 1.0 / n)


def wma_weights(n: int) -> Floats:
    """Return n weights that rise in equal steps."""
    return np.arange(1.0, n + 1.0) / (n * (n + 1) / 2)


def hma_weights(n: int) -> Floats:
    """Return the weights of Hull's average, n + root - 1 of them."""
    inner = -wma_weights(n)
    half = max(n // 2, 1)
    inner[-half:] += 2.0 * wma_weights(half)
    return np.convolve(inner, wma_weights(math.isqrt(n)))


def hma_bars(n: int) -> int:
    """Return how many bars Hull's average looks at."""
    return n + math.isqrt(n) - 1


def ema_alpha(n: int) -> float:
    """Return the share of the newest value in an EMA of n bars."""
    return 2.0 / (n + 1.0)


def wilder_alpha(n: int) -> float:
    """Return the share of the newest value in Wilder's average of n bars."""
    return 1.0 / n


def dema_weights(bars: int, n: int) -> Floats:
    """Return the weights of 2 · ema - ema(ema) over a history of so many bars."""
    once = through_ema(latest(bars - n + 1), n)
    twice = through_ema(through_ema(latest(bars - 2 * n + 2), n), n)
    return 2.0 * once - twice


def dema_bars(n: int) -> int:
    """Return how many bars an average of an average needs."""
    return 2 * n - 1


def tema_weights(bars: int, n: int) -> Floats:
    """Return the weights of 3 · ema - 3 · ema(ema) + ema(ema(ema))."""
    once = through_ema(latest(bars - n + 1), n)
    twice = through_ema(through_ema(latest(bars - 2 * n + 2), n), n)
    thrice = through_ema(through_ema(through_ema(latest(bars - 3 * n + 3), n), n), n)
    return 3.0 * (once - twice) + thrice


def tema_bars(n: int) -> int:
    """Return how many bars an average of an average of an average needs."""
    return 3 * n - 2


def straightness(path: Floats, now: Floats, before: Floats) -> Floats:
    """Return how far the price came in n bars, as a part of the way it went: 0 to 1.

    A market that stood still has gone straight, as TA-Lib has it.
    """
    return np.where(path == 0.0, 1.0, np.minimum(np.abs(now - before) / path, 1.0))


def kama(
    sources: Sequence[tuple[Floats, Floats]], periods: Sequence[tuple[int]], last: int
) -> Floats:
    """Return Kaufman's average of several n; it starts from the n-th known value."""
    straights, lengths = [straight for _, straight in sources], [n for (n,) in periods]
    alphas = ema_alpha(_KAMA_FAST), ema_alpha(_KAMA_SLOW)
    return compiled.kaufman(sources[0][0], straights, lengths, alphas, last)


def kama_bars(n: int) -> int:
    """Return how many bars Kaufman's average needs: the first of them only starts it."""
    return 1 if n == 1 else n + 1


def moved_by_volume(source: Floats, volume: Floats, n: int) -> Floats:
    """Return the mean of (source - source now) · volume over the last n."""
    moved: Floats = np.add.reduce((source - source[-1]) * volume, axis=0) / n
    return moved


def vwap_today(
    sources: Sequence[tuple[Floats, Floats, Floats]], periods: Sequence[tuple[()]], last: int
) -> Floats:
    """Return the average weighted by volume since each bar's day began.

    As a deviation from the day's first value, so that a flat price is exactly its own average.
    """
    return compiled.daily(*sources[0], last)


def highest(source: Floats, n: int) -> Floats:
    """Return the largest of the last n."""
    result: Floats = source.max(axis=0)
    return result


def lowest(source: Floats, n: int) -> Floats:
    """Return the smallest of the last n."""
    result: Floats = source.min(axis=0)
    return result


def _expand_dema(source: Node, n: int) -> Node:
    once = Call("ema", (source, n))
    twice = Call("ema", (once, n))
    return Arithmetic("+", once, Arithmetic("-", once, twice))


def _expand_tema(source: Node, n: int) -> Node:
    once = Call("ema", (source, n))
    twice = Call("ema", (once, n))
    thrice = Call("ema", (twice, n))
    bend = Arithmetic("*", Number(3.0), Arithmetic("-", once, twice))
    return Arithmetic("+", thrice, bend)


def _expand_vwma(source: Node, n: int) -> Node:
    moved = Call("_moved_by_volume", (source, VOLUME, n))
    return Arithmetic("+", source, Arithmetic("/", moved, Call("sma", (VOLUME, n))))


def _expand_kama(source: Node, n: int) -> Node:
    if n == 1:
        return source  # TA-Lib's meaning of it
    step = Call("abs", (Arithmetic("-", source, earlier(source)),))
    # The path first: where it is unknown, so is the newest bar that is to blame.
    straight = Call("_straightness", (Call("_sum", (step, n)), source, earlier(source, n)))
    return Call("_kama", (source, straight, n))


def _known_by_then(n: int) -> int:
    return 1  # straightness is known later than the first n bars


def _expand_vwap(source: Node, n: int) -> Node:
    if n == 0:
        return Call("_vwap_today", (source, VOLUME, Series("_day")))
    return Call("vwma", (source, n))


def _vwap_bars(n: int) -> int:
    return max(n, 1)


def _one() -> int:
    return 1


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
        name="wma",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the last n",
        definition="average of the last n, weighted 1, 2, … n: the newest counts most",
        source=f"{TA_LIB} WMA",
        example="wma(10) > wma(30)",
        kernel=Weighted(wma_weights),
        aliases=("ta.wma",),
    ),
    Function(
        name="hma",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="Hull's average: wma(2 · wma(n/2) - wma(n), root of n), both rounded down",
        source="Alan Hull (2005)",
        example="hma(20) > hma(20)[1]",
        kernel=Weighted(hma_weights),
        aliases=("ta.hma",),
    ),
    Function(
        name="dema",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="double EMA: 2 · ema(n) - ema(ema(n), n)",
        source=f"{TA_LIB} DEMA",
        example="close > dema(20)",
        kernel=Linear(dema_weights, dema_bars, _expand_dema),
    ),
    Function(
        name="tema",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="any",
        definition="triple EMA: 3 · ema(n) - 3 · ema(ema(n), n) + ema(ema(ema(n), n), n)",
        source=f"{TA_LIB} TEMA",
        example="close > tema(20)",
        kernel=Linear(tema_weights, tema_bars, _expand_tema),
    ),
    Function(
        name="kama",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the window",
        definition="Kaufman's average: quick (2 bars) if the last n went straight, else slow (30)",
        source=f"{TA_LIB} KAMA",
        example="crosses_above(close, kama(10))",
        kernel=Expansion(_expand_kama, kama_bars),
    ),
    Function(
        name="vwma",
        parameters=(source(), bars()),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the last n",
        definition="average of the last n, each weighted by its volume",
        source="Closebell: sum(source · volume) / sum(volume)",
        example="vwma(20) > sma(20)",
        kernel=Expansion(_expand_vwma, same),
        aliases=("ta.vwma",),
    ),
    Function(
        name="vwap",
        parameters=(source("hlc3"), bars(default=0)),
        gives=Kind.NUMBER,
        unit=AS_SOURCE,
        range="between the lowest and highest of the bars",
        definition="average weighted by volume of the last n; without n since 00:00 UTC, "
        "or since the window's first bar if that is later",
        source="Closebell: sum(source · volume) / sum(volume)",
        example="crosses_above(close, vwap())",
        kernel=Expansion(_expand_vwap, _vwap_bars),
        aliases=("ta.vwap",),
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
)
PARTS = (
    part(
        "_moved_by_volume",
        Rolling(moved_by_volume, same),
        (*numbers("x", "volume"), bars()),
        "mean of (x - x now) · volume",
    ),
    part(
        "_straightness",
        Elementwise(straightness),
        numbers("path", "now", "before"),
        "how much of its way the price came",
    ),
    part(
        "_kama",
        Recursion(kama, _known_by_then, shared=1),
        (*numbers("x", "straight"), bars()),
        "see kama",
    ),
    part(
        "_vwap_today",
        Recursion(vwap_today, _one, shared=3),
        numbers("x", "volume", "day"),
        "average weighted by volume since 00:00 UTC",
    ),
)
