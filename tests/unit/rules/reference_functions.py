"""What each function computes, for the reference: numbers in lists, one symbol, no unknowns.

Written out from the definitions; what is left to TA-Lib, and how many bars each needs, is in
reference_tables. ZeroDivisionError and ValueError mean that there is no such number.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

Values = list[float]
# CloseCallError stands for a value that rounding decides, ZeroDivisionError for none.
Run = list[Any]


class CloseCallError(Exception):
    """It depends on rounding: two numbers differ by less than two ways of computing them may."""


def mean(values: Values) -> float:
    """Return the average; of equal numbers, that number."""
    first = values[0]
    return first + math.fsum(value - first for value in values) / len(values)


def smoothed(values: Values, n: int, alpha: float) -> Run:
    """Return the exponential average that begins with the mean of the first n."""
    if len(values) < n:
        return [None] * len(values)
    average = mean(values[:n])
    run: Run = [*([None] * (n - 1)), average]
    for value in values[n:]:
        average += alpha * (value - average)
        run.append(average)
    return run


def ema(values: Values, n: int) -> Run:
    return smoothed(values, n, 2 / (n + 1))


def rma(values: Values, n: int) -> Run:
    return smoothed(values, n, 1 / n)


def weighted_mean(values: Values, n: int) -> float:
    last = values[-1]
    total = n * (n + 1) / 2
    return last + math.fsum((place + 1) * (v - last) for place, v in enumerate(values)) / total


def volume_average(volume: Values, values: Values, *_: object) -> float:
    """Return the average weighted by volume; of equal numbers, that number."""
    last = values[-1]
    above = math.fsum(v * (value - last) for v, value in zip(volume, values, strict=True))
    return last + above / math.fsum(volume)


def deviation(values: Values, *_: object) -> float:
    """Return the population deviation."""
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / len(values))


def slope(values: Values, n: int) -> float:
    middle = (n - 1) / 2
    last = values[-1]
    rise = math.fsum((place - middle) * (value - last) for place, value in enumerate(values))
    return rise / (n * (n * n - 1) / 12)


def correlation(a: Values, b: Values, n: int) -> float:
    ma, mb = mean(a), mean(b)
    together = math.fsum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True))
    return together / n / (deviation(a) * deviation(b))


def changed(before: float, now: float) -> float:
    """Return the change between two bars, unless it is that of rounding."""
    if 0 < abs(now - before) < 1e-12 * abs(now):
        raise CloseCallError
    return now - before


def rises_and_falls(values: Values, n: int) -> list[tuple[float, float] | None]:
    """Return Wilder's averages of the steps up and of the steps down."""
    changes = [changed(before, now) for before, now in pairwise(values)]
    ups = rma([max(step, 0.0) for step in changes], n)
    downs = rma([max(-step, 0.0) for step in changes], n)
    both = zip(ups, downs, strict=True)
    return [
        None,
        *((up, down) if up is not None and down is not None else None for up, down in both),
    ]


def rsi(values: Values, n: int) -> Run:
    return [
        pair and (100 * pair[0] / (pair[0] + pair[1]) if sum(pair) else 0.0)
        for pair in rises_and_falls(values, n)
    ]


def cmo(values: Values, n: int) -> Run:
    return [
        pair and (100 * (pair[0] - pair[1]) / (pair[0] + pair[1]) if sum(pair) else 0.0)
        for pair in rises_and_falls(values, n)
    ]


def place_in_range(high: Values, low: Values, close: float) -> float:
    lowest, highest = min(low), max(high)
    if 0 < highest - lowest <= 1e-10 * max(abs(highest), abs(lowest)):
        raise CloseCallError
    return 100 * (close - lowest) / (highest - lowest) if highest > lowest else 0.0


def cci(values: Values, n: int) -> float:
    middle = mean(values)
    distance = math.fsum(abs(value - middle) for value in values) / n
    above = values[-1] - middle
    return above / (0.015 * distance) if above and distance else 0.0


def money_share(values: Values, before: Values, volume: Values, n: int) -> float:
    """Return how much of the money of the last n bars moved on rising ones, in percent."""
    up = down = 0.0
    for bar in range(n):
        flow = values[bar] * volume[bar]
        if changed(before[bar], values[bar]) > 0:
            up += flow
        elif values[bar] < before[bar]:
            down += flow
    return 100 * up / (up + down) if up + down else 0.0


def fast_k(high: Values, low: Values, close: Values, n: int) -> float:
    return place_in_range(high, low, close[-1])


def stochrsi(close: Values, n: int, k: int) -> Run:
    strength = rsi(close, n)
    run: Run = []
    for bar in range(len(close)):
        last = [value for value in strength[max(bar - k + 1, 0) : bar + 1] if value is not None]
        if len(last) < k:
            run.append(None)
        elif last[-1] not in (0.0, 100.0) and max(last) - min(last) <= 1e-10 * max(last):
            # Both averages shrink by the same factor: only rounding moves their ratio.
            run.append(CloseCallError())
        else:
            run.append(place_in_range(last, last, last[-1]))
    return run


def macd_lines(close: Values, fast: int, slow: int, signal: int) -> tuple[Run, Run, Run]:
    """Return MACD, its signal and their difference; the fast average begins with the slow one."""
    fast, slow = min(fast, slow), max(fast, slow)
    nothing: Run = [None] * len(close)
    if len(close) < slow + signal - 1:
        return nothing, nothing, nothing
    slows = ema(close, slow)[slow - 1 :]
    fasts = ema(close[slow - fast :], fast)[fast - 1 :]
    line = [f - s for f, s in zip(fasts, slows, strict=True) if f is not None and s is not None]
    signals = ema(line, signal)
    shown: Run = [v if s is not None else None for v, s in zip(line, signals, strict=True)]
    histogram: Run = [None if s is None else v - s for v, s in zip(line, signals, strict=True)]
    before = nothing[: slow - 1]
    return before + shown, before + signals, before + histogram


def true_ranges(high: Values, low: Values, close: Values) -> Values:
    """Return the true range of every bar but the first."""
    return [
        max(h, before) - min(low_, before)
        for h, low_, before in zip(high[1:], low[1:], close, strict=False)
    ]


def tr(high: Values, low: Values, close: Values) -> float:
    return true_ranges(high, low, close)[0]


def atr(high: Values, low: Values, close: Values, n: int) -> Run:
    return [None, *rma(true_ranges(high, low, close), n)]


def supertrend(high: Values, low: Values, close: Values, n: int, k: float) -> Run:
    ranges = atr(high, low, close, n)
    run: Run = []
    upper = lower = 0.0
    rising = True
    for bar, width in enumerate(ranges):
        if width is None:
            run.append(None)
            continue
        middle = (high[bar] + low[bar]) / 2
        new_upper, new_lower = middle + k * width, middle - k * width
        if all(value is None for value in run):
            upper, lower = new_upper, new_lower
        else:
            before = close[bar - 1]
            if new_upper < upper or before > upper:
                upper = new_upper
            if new_lower > lower or before < lower:
                lower = new_lower
            rising = close[bar] >= lower if rising else close[bar] > upper
        run.append(lower if rising else upper)
    return run


def day_average(days: Values, volume: Values, values: Values) -> Run:
    """Return the average weighted by volume since the day's, or the run's, first bar."""
    run: Run = []
    for bar in range(len(values)):
        first = bar
        while first and days[first - 1] == days[bar]:
            first -= 1
        try:
            run.append(volume_average(volume[first : bar + 1], values[first : bar + 1]))
        except ZeroDivisionError as error:
            run.append(error)
    return run


def money_flow(high: float, low: float, close: float, volume: float) -> float:
    if high == low:
        return 0.0
    return ((close - low) - (high - close)) / (high - low) * volume


def ad(high: Values, low: Values, close: Values, volume: Values) -> Run:
    total = 0.0
    run: Run = []
    for bar in zip(high, low, close, volume, strict=True):
        total += money_flow(*bar)
        run.append(total)
    return run


def cmf(high: Values, low: Values, close: Values, volume: Values, n: int) -> float:
    flows = map(money_flow, high, low, close, volume)
    return math.fsum(flows) / math.fsum(volume)


def obv(close: Values, volume: Values) -> Run:
    total = volume[0]
    run: Run = [total]
    for bar in range(1, len(close)):
        if close[bar] != close[bar - 1]:
            total += volume[bar] if close[bar] > close[bar - 1] else -volume[bar]
        run.append(total)
    return run
