"""Oscillators: where a price stands between bounds.

Not here: how fast it moves, without bounds (momentum).
"""

from __future__ import annotations

import numpy as np

from shared.rules.entries.arrays import sliding
from shared.rules.entries.words import (
    CLOSE,
    HIGH,
    LOW,
    TA_LIB,
    VOLUME,
    bars,
    numbers,
    one_more,
    part,
    same,
    source,
    two,
)
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Elementwise, Expansion, Floats, Rolling, Sequential
from shared.rules.tree import Call, Node

# Two numbers are the same within this share of their sum, as in TA-Lib 0.8 (found by trying).
_ROUNDING = 1e-14


def gains(source: Floats) -> Floats:
    """Return how much each bar rose over the one before, 0 where it fell."""
    result = np.full_like(source, np.nan)
    np.maximum(source[1:] - source[:-1], 0.0, out=result[1:])
    return result


def losses(source: Floats) -> Floats:
    """Return how much each bar fell from the one before, 0 where it rose."""
    result = np.full_like(source, np.nan)
    np.maximum(source[:-1] - source[1:], 0.0, out=result[1:])
    return result


def rsi_of_averages(up: Floats, down: Floats) -> Floats:
    """Return 100 · up / (up + down); 0 where nothing moved, as TA-Lib has it."""
    moved = up + down
    return np.where(moved == 0.0, 0.0, 100.0 * (up / moved))


def cmo_of_averages(up: Floats, down: Floats) -> Floats:
    """Return 100 · (up - down) / (up + down); 0 where nothing moved, as TA-Lib has it."""
    moved = up + down
    return np.where(moved == 0.0, 0.0, 100.0 * ((up - down) / moved))


def place_within(x: Floats, lowest: Floats, highest: Floats) -> Floats:
    """Return where x lies from lowest (0) to highest (100); 0 where they are equal, as TA-Lib."""
    width = highest - lowest
    return np.where(width == 0.0, 0.0, 100.0 * ((x - lowest) / width))


def place_in_range(source: Floats, k: int) -> Floats:
    """Return where the last value lies between the lowest and the highest of the last k."""
    return place_within(source[-1], source.min(axis=0), source.max(axis=0))


def stoch_k(high: Floats, low: Floats, close: Floats, n: int, smooth: int) -> Floats:
    """Return the mean of the last `smooth` places of the close within the range of n bars."""
    result: Floats = np.add.reduce(_places(high, low, close, n), axis=0) / smooth
    return result


def stoch_d(high: Floats, low: Floats, close: Floats, n: int, smooth: int, d: int) -> Floats:
    """Return the mean of the last d of stoch_k."""
    smoothed = sliding(_places(high, low, close, n), smooth, np.add) / smooth
    result: Floats = np.add.reduce(smoothed, axis=0) / d
    return result


def _places(high: Floats, low: Floats, close: Floats, n: int) -> Floats:
    tops, bottoms = sliding(high, n, np.maximum), sliding(low, n, np.minimum)
    return place_within(close[n - 1 :], bottoms, tops)


def cci(source: Floats, n: int) -> Floats:
    """Return the last value's deviation from the mean, in 0.015 mean absolute deviations.

    All are taken relative to the last value, so that a flat source is exactly its own mean.
    """
    relative = source - source[-1]
    mean = np.add.reduce(relative, axis=0) / n
    spread = np.add.reduce(np.abs(relative - mean), axis=0) / n
    return np.where((spread == 0.0) | (mean == 0.0), 0.0, -mean / (0.015 * spread))


def mfi(source: Floats, volume: Floats, n: int) -> Floats:
    """Return the share of money that flowed on rising bars; 0 where none flowed.

    A step within rounding is none, as TA-Lib has it: two bars of the same mean price may differ in
    their last digit.
    """
    before, now = source[:-1], source[1:]
    flow = now * volume[1:]
    change = now - before
    within_rounding = _ROUNDING * (np.abs(now) + np.abs(before))
    # Times 0, rather than replaced by it: an unknown bar stays unknown.
    up = np.add.reduce(flow * (change > within_rounding), axis=0)
    down = np.add.reduce(flow * (change < -within_rounding), axis=0)
    moved = up + down
    known = np.isfinite(change).all(axis=0)
    return np.where(known, np.where(moved == 0.0, 0.0, 100.0 * (up / moved)), np.nan)


def willr(close: Floats, lowest: Floats, highest: Floats) -> Floats:
    """Return where the close lies from lowest (-100) to highest (0); 0 where they are equal."""
    width = highest - lowest
    return np.where(width == 0.0, 0.0, -100.0 * ((highest - close) / width))


def ultosc(high: Floats, low: Floats, close: Floats, short: int, middle: int, long: int) -> Floats:
    """Return buying pressure over true range, of three spans, the shortest weighing most."""
    bottom = np.minimum(low[1:], close[:-1])
    pressure = close[1:] - bottom
    true_range = np.maximum(high[1:], close[:-1]) - bottom
    total = np.zeros(pressure.shape[1:])
    for n, weight in zip(sorted((short, middle, long)), (4.0, 2.0, 1.0), strict=True):
        bought = np.add.reduce(pressure[-n:], axis=0)
        moved = np.add.reduce(true_range[-n:], axis=0)
        total = total + np.where(moved == 0.0, 0.0, weight * (bought / moved))
    return 100.0 * (total / 7.0)


def ultosc_bars(short: int, middle: int, long: int) -> int:
    """Return how many bars the longest span looks at, and the one before it."""
    return max(short, middle, long) + 1


def _moves(source: Node, n: int) -> tuple[Node, Node]:
    up = Call("rma", (Call("_gains", (source,)), n))
    down = Call("rma", (Call("_losses", (source,)), n))
    return up, down


def _expand_rsi(source: Node, n: int) -> Node:
    return Call("_rsi_of_averages", _moves(source, n))


def _expand_cmo(source: Node, n: int) -> Node:
    return Call("_cmo_of_averages", _moves(source, n))


def _expand_stoch_k(n: int, smooth: int) -> Node:
    return Call("_stoch_k", (HIGH, LOW, CLOSE, n, smooth))


def _expand_stoch_d(n: int, smooth: int, d: int) -> Node:
    return Call("_stoch_d", (HIGH, LOW, CLOSE, n, smooth, d))


def _stoch_k_bars(n: int, smooth: int) -> int:
    return n + smooth - 1


def _stoch_d_bars(n: int, smooth: int, d: int) -> int:
    return n + smooth + d - 2


def _expand_stochrsi(source: Node, n: int, k: int) -> Node:
    return Call("_place_in_range", (Call("rsi", (source, n)), k))


def _stochrsi_bars(n: int, k: int) -> int:
    return n + k


def _expand_willr(n: int) -> Node:
    return Call("_willr", (CLOSE, Call("lowest", (LOW, n)), Call("highest", (HIGH, n))))


def _expand_mfi(source: Node, n: int) -> Node:
    return Call("_mfi", (source, VOLUME, n))


def _expand_ultosc(short: int, middle: int, long: int) -> Node:
    return Call("_ultosc", (HIGH, LOW, CLOSE, short, middle, long))


ENTRIES = (
    Function(
        name="rsi",
        parameters=(source(), bars(least=2)),
        gives=Kind.NUMBER,
        unit="none",
        range="0 to 100",
        definition="100 · rma(rises, n) / (rma(rises, n) + rma(falls, n)); 0 if nothing moved",
        source=f"Wilder, as {TA_LIB} RSI",
        example="rsi(14) < 30",
        kernel=Expansion(_expand_rsi, one_more),
        aliases=("ta.rsi",),
    ),
    Function(
        name="stoch_k",
        parameters=(bars(default=14), bars("smooth", default=3)),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="where the close lies in the range of the last n (low 0, high 100; 0 if there "
        "is none), averaged over `smooth` bars",
        source=f"Lane, as {TA_LIB} STOCH with simple averages, known without waiting for its %D",
        example="stoch_k(14, 3) < 20",
        kernel=Expansion(_expand_stoch_k, _stoch_k_bars),
    ),
    Function(
        name="stoch_d",
        parameters=(bars(default=14), bars("smooth", default=3), bars("d", default=3)),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="stoch_k(n, smooth), averaged over d bars",
        source=f"Lane, as {TA_LIB} STOCH with simple averages",
        example="crosses_above(stoch_k(), stoch_d())",
        kernel=Expansion(_expand_stoch_d, _stoch_d_bars),
    ),
    Function(
        name="stochrsi",
        parameters=(source(), bars(least=2, default=14), bars("k", least=2, default=14)),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="where rsi(n) lies between its lowest (0) and highest (100) of the last k; "
        "0 if it did not move",
        source=f"Chande and Kroll, as {TA_LIB} STOCHRSI's unsmoothed line",
        example="stochrsi(14, 14) < 20",
        kernel=Expansion(_expand_stochrsi, _stochrsi_bars),
    ),
    Function(
        name="cci",
        parameters=(source("hlc3"), bars(least=2)),
        gives=Kind.NUMBER,
        unit="none",
        range="any; mostly -200 to 200",
        definition="(source - sma(n)) / (0.015 · its mean distance from sma(n)); 0 if flat",
        source=f"Lambert, as {TA_LIB} CCI",
        example="cci(20) > 100",
        kernel=Rolling(cci, same),
        aliases=("ta.cci",),
    ),
    Function(
        name="mfi",
        parameters=(source("hlc3"), bars(least=2)),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="share of source · volume that fell on rising bars, of all that moved, in the "
        "last n; 0 if none did",
        source=f"Quong and Soudack, as {TA_LIB} MFI",
        example="mfi(14) < 20",
        kernel=Expansion(_expand_mfi, one_more),
        aliases=("ta.mfi",),
    ),
    Function(
        name="willr",
        parameters=(bars(least=2),),
        gives=Kind.NUMBER,
        unit="percent",
        range="-100 to 0",
        definition="where the close lies in the range of the last n: low -100, high 0; "
        "0 if there is none",
        source=f"Williams, as {TA_LIB} WILLR",
        example="willr(14) < -80",
        kernel=Expansion(_expand_willr, same),
        aliases=("ta.wpr", "williams_r"),
    ),
    Function(
        name="cmo",
        parameters=(source(), bars(least=2)),
        gives=Kind.NUMBER,
        unit="none",
        range="-100 to 100",
        definition="100 · (rma(rises, n) - rma(falls, n)) / (both together); 0 if nothing moved",
        source=f"Chande, as {TA_LIB} CMO: with Wilder's averages, where Pine has sums",
        example="cmo(14) < -50",
        kernel=Expansion(_expand_cmo, one_more),
    ),
    Function(
        name="ultosc",
        parameters=(
            bars("short", default=7),
            bars("middle", default=14),
            bars("long", default=28),
        ),
        gives=Kind.NUMBER,
        unit="percent",
        range="0 to 100",
        definition="buying pressure (close above the low or the close before) over true range, "
        "of three spans, weighing 4, 2, 1",
        source=f"Williams, as {TA_LIB} ULTOSC",
        example="ultosc(7, 14, 28) < 30",
        kernel=Expansion(_expand_ultosc, ultosc_bars),
    ),
)
PARTS = (
    part(
        "_gains",
        Sequential(gains, two, steps=1, is_movement=True),
        numbers("x"),
        "rise of each bar, or 0",
    ),
    part(
        "_losses",
        Sequential(losses, two, steps=1, is_movement=True),
        numbers("x"),
        "fall of each bar, or 0",
    ),
    part(
        "_rsi_of_averages",
        Elementwise(rsi_of_averages),
        numbers("up", "down"),
        "100 · up / (up + down)",
    ),
    part(
        "_cmo_of_averages",
        Elementwise(cmo_of_averages),
        numbers("up", "down"),
        "100 · (up - down) / (up + down)",
    ),
    part(
        "_place_in_range",
        Rolling(place_in_range, same),
        (*numbers("x"), bars("k")),
        "100 · (x - lowest(x, k)) / (highest(x, k) - lowest(x, k))",
    ),
    part(
        "_willr",
        Elementwise(willr),
        numbers("close", "lowest", "highest"),
        "-100 · (highest - close) / (highest - lowest)",
    ),
    part(
        "_stoch_k",
        Rolling(stoch_k, _stoch_k_bars),
        (*numbers("high", "low", "close"), bars(), bars("smooth")),
        "see stoch_k",
    ),
    part(
        "_stoch_d",
        Rolling(stoch_d, _stoch_d_bars),
        (*numbers("high", "low", "close"), bars(), bars("smooth"), bars("d")),
        "see stoch_d",
    ),
    part("_mfi", Rolling(mfi, one_more), (*numbers("x", "volume"), bars()), "see mfi"),
    part(
        "_ultosc",
        Rolling(ultosc, ultosc_bars),
        (*numbers("high", "low", "close"), bars("short"), bars("middle"), bars("long")),
        "see ultosc",
    ),
)
