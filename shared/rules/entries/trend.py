"""Trend: its strength and its direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.rules import compiled
from shared.rules.entries.words import (
    HIGH,
    LOW,
    TA_LIB,
    WILDER,
    bars,
    earlier,
    numbers,
    one_more,
    part,
    same,
)
from shared.rules.entry import Function, Kind
from shared.rules.kernels import (
    Elementwise,
    Expansion,
    Floats,
    Linear,
    Recursion,
    Rolling,
    Sequential,
)
from shared.rules.recursions import ages, always_known, keep_sums, only_from
from shared.rules.tree import Call, Node


def moved_up(high: Floats, high_before: Floats, low: Floats, low_before: Floats) -> Floats:
    """Return how far the high rose, if further than the low fell; else 0."""
    return _larger_move(high - high_before, low_before - low)


def moved_down(high: Floats, high_before: Floats, low: Floats, low_before: Floats) -> Floats:
    """Return how far the low fell, if further than the high rose; else 0."""
    return _larger_move(low_before - low, high - high_before)


def _larger_move(move: Floats, other: Floats) -> Floats:
    is_larger = move > other
    np.maximum(move, 0.0, out=move)
    move *= is_larger
    # Adds nothing where it is known; else the result is unknown, too.
    other -= other
    move += other
    return move


def wilder_weights(bars: int, n: int) -> Floats:
    """Return the weights of Wilder's sum, divided by n, over a history of so many steps.

    The first n - 1 steps are added up plainly; from then on 1/n of the sum goes with every step.
    """
    decay = np.full(bars - n + 2, 1.0 - 1.0 / n)
    decay[0] = 1.0 / n
    np.multiply.accumulate(decay, out=decay)
    return np.concatenate([np.full(n - 1, decay[-1]), decay[-2::-1]])


def wilder_sums(steps: Floats, n: int) -> Floats:
    """Return the same at every bar, for histories that do not fill the window."""
    since = ages(steps)
    values = steps.copy()
    if not always_known(since):
        np.copyto(values, 0.0, where=since < 0)
    kept = np.where(since < n - 1, 1.0, 1.0 - 1.0 / n)
    kept[since < 1] = 0.0
    sums = keep_sums(values, kept)
    sums /= n
    return only_from(sums, since, n - 1)


def indicator(moved: Floats, spread: Floats, n: int) -> Floats:
    """Return what part of the true ranges was movement in one direction, in percent."""
    # TA-Lib gives a fraction instead of percent where nothing is smoothed.
    scale = 100.0 if n > 1 else 1.0
    return np.where(spread == 0.0, 0.0, scale * (moved / spread))


def adx(
    sources: Sequence[tuple[Floats, Floats]], periods: Sequence[tuple[int]], last: int
) -> Floats:
    """Return Wilder's average of 100 · |plus - minus| / (plus + minus), of several n.

    The moves up and down are the same for all. A bar that says nothing, because nothing moved yet,
    leaves the average as it is.
    """
    return compiled.directional(*sources[0], [n for (n,) in periods], last)


def aroon_up(high: Floats, n: int) -> Floats:
    """Return 100 for a high of n bars now, 0 for one n bars ago; of equal highs the latest."""
    newest_first = high[::-1]
    ago = newest_first.argmax(axis=0)
    known = np.isfinite(np.add.reduce(high, axis=0))
    return np.where(known, (100.0 / n) * (n - ago), np.nan)


def aroon_down(low: Floats, n: int) -> Floats:
    """Return 100 for a low of n bars now, 0 for one n bars ago; of equal lows the latest."""
    newest_first = low[::-1]
    ago = newest_first.argmin(axis=0)
    known = np.isfinite(np.add.reduce(low, axis=0))
    return np.where(known, (100.0 / n) * (n - ago), np.nan)


def _moves(name: str) -> Node:
    return Call(name, (HIGH, earlier(HIGH), LOW, earlier(LOW)))


def _expand_adx(n: int) -> Node:
    return Call("_adx", (_moves("_moved_up"), _moves("_moved_down"), n))


def _expand_indicator(moves: str, n: int) -> Node:
    moved = Call("_wilder_sum", (_moves(moves), n))
    return Call("_indicator", (moved, Call("_wilder_sum", (Call("tr", ()), n)), n))


def _expand_plus_di(n: int) -> Node:
    return _expand_indicator("_moved_up", n)


def _expand_minus_di(n: int) -> Node:
    return _expand_indicator("_moved_down", n)


def _expand_wilder_sum(steps: Node, n: int) -> Node:
    return Call("_wilder_sum_by_bar", (steps, n))


def _expand_aroon_up(n: int) -> Node:
    return Call("_aroon_up", (HIGH, n))


def _expand_aroon_down(n: int) -> Node:
    return Call("_aroon_down", (LOW, n))


def _twice(n: int) -> int:
    return 2 * n


def _twice_less_one(n: int) -> int:
    return 2 * n - 1


_STEPS = numbers("high", "high_before", "low", "low_before")
ENTRIES = (
    Function(
        name="adx",
        parameters=(bars(least=2, default=14),),
        gives=Kind.NUMBER,
        unit="none",
        range="0 to 100",
        definition="strength of the trend, up or down: average of"
        " 100 · |plus_di - minus_di| / (plus_di + minus_di)",
        source=f"{WILDER}, as {TA_LIB} ADX",
        example="adx(14) > 25",
        kernel=Expansion(_expand_adx, _twice),
    ),
    Function(
        name="plus_di",
        parameters=(bars(default=14),),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="part of the true range that was movement up; for n = 1 a fraction, as TA-Lib",
        source=f"{WILDER}, as {TA_LIB} PLUS_DI",
        example="crosses_above(plus_di(14), minus_di(14))",
        kernel=Expansion(_expand_plus_di, one_more),
    ),
    Function(
        name="minus_di",
        parameters=(bars(default=14),),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="part of the true range that was movement down; for n = 1 a fraction, as TA-Lib",
        source=f"{WILDER}, as {TA_LIB} MINUS_DI",
        example="minus_di(14) > 30 and adx(14) > 25",
        kernel=Expansion(_expand_minus_di, one_more),
    ),
    Function(
        name="aroon_up",
        parameters=(bars(least=2, default=14),),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="100 if the highest high of n bars is this bar's, 0 if it is n bars old",
        source=f"{TA_LIB} AROON",
        example="aroon_up(25) > 70 and aroon_down(25) < 30",
        kernel=Expansion(_expand_aroon_up, one_more),
    ),
    Function(
        name="aroon_down",
        parameters=(bars(least=2, default=14),),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="100 if the lowest low of n bars is this bar's, 0 if it is n bars old",
        source=f"{TA_LIB} AROON",
        example="crosses_above(aroon_up(25), aroon_down(25))",
        kernel=Expansion(_expand_aroon_down, one_more),
    ),
)
PARTS = (
    part(
        "_moved_up",
        Elementwise(moved_up, is_movement=True),
        _STEPS,
        "rise of the high, if the larger move",
    ),
    part(
        "_moved_down",
        Elementwise(moved_down, is_movement=True),
        _STEPS,
        "fall of the low, if the larger move",
    ),
    part(
        "_wilder_sum",
        Linear(wilder_weights, same, _expand_wilder_sum),
        (*numbers("x"), bars()),
        "Wilder's sum of n steps, divided by n",
    ),
    part(
        "_wilder_sum_by_bar",
        Sequential(wilder_sums, same),
        (*numbers("x"), bars()),
        "the same, bar by bar",
    ),
    part("_indicator", Elementwise(indicator), (*numbers("moved", "spread"), bars()), "a part"),
    part(
        "_adx",
        Recursion(adx, _twice_less_one, shared=2),
        (*numbers("up", "down"), bars()),
        "see adx",
    ),
    part("_aroon_up", Rolling(aroon_up, one_more), (*numbers("high"), bars()), "see aroon_up"),
    part("_aroon_down", Rolling(aroon_down, one_more), (*numbers("low"), bars()), "see aroon_down"),
)
