"""A seeded population of traders that resembles what people write: popular and rare nodes mixed.

A rule joins one to four conditions. At least one is an *event* (seldom true, what an alert is
for), the others are events or *filters* (a trend, a level). Periods are mostly the defaults of
the textbooks, with a tail of any. Used by the engine's benchmark.
"""

from __future__ import annotations

import random
from collections.abc import Callable

# Draws of a period that take a usual one; of the rest half take a multiple of 5, half any.
POPULAR_SHARE = 0.85
# How many conditions a rule has.
SIZES, SIZE_WEIGHTS = (1, 2, 3, 4), (5, 40, 40, 15)
# Conditions after the first: filters, else events again.
FILTER_SHARE = 0.33
OR_SHARE, NOT_SHARE = 0.08, 0.08

Condition = Callable[["Drawing"], str]


class Drawing:
    """The random choices of one population."""

    def __init__(self, seed: int, popular_share: float = POPULAR_SHARE) -> None:
        self.random = random.Random(seed)
        self.popular_share = popular_share

    def bars(self, *popular: int, low: int = 2, high: int = 200) -> int:
        """Return a number of bars: a usual one (repeated ones more often), or any."""
        if self.random.random() < self.popular_share:
            return self.random.choice(popular)
        if self.random.random() < 0.5:
            return 5 * self.random.randint(-(-low // 5), high // 5)
        return self.random.randint(low, high)

    def pick(self, *choices: str) -> str:
        """Return one of these."""
        return self.random.choice(choices)

    def average(self, *popular: int) -> str:
        """Return a moving average of the close."""
        return f"{self.pick('ema', 'ema', 'sma')}({self.bars(*popular, low=5)})"

    def rsi(self) -> str:
        """Return an RSI, mostly of 14 bars."""
        return f"rsi({self.bars(14, 14, 14, 14, 14, 7, 9, 21, low=5, high=50)})"

    def macd_periods(self) -> str:
        """Return the three periods of a MACD, mostly the textbook's."""
        if self.random.random() < self.popular_share:
            return self.pick(*["12, 26, 9"] * 8, "8, 21, 5", "5, 35, 5")
        if self.random.random() < 0.5:
            return self.pick("10, 20, 5", "6, 13, 5", "3, 10, 16", "19, 39, 9", "24, 52, 18")
        fast = self.random.randint(3, 30)
        return f"{fast}, {fast + self.random.randint(4, 60)}, {self.random.randint(3, 20)}"

    def band_periods(self) -> str:
        """Return bars and width of Bollinger bands."""
        return f"{self.bars(20, 20, 20, 20, 50, high=100)}, {self.pick('2', '2', '2', '2.5', '3')}"

    def stochastic(self) -> str:
        """Return bars and smoothing of a stochastic."""
        return f"{self.bars(14, 14, 14, 5, 9, low=3, high=50)}, 3"

    def trend_line(self) -> str:
        """Return a supertrend, mostly of 10 bars and factor 3."""
        factor = self.pick("3", "3", "3", "2")
        return f"supertrend({self.bars(10, 10, 10, 10, 7, 14, low=5, high=30)}, {factor})"


def _rsi_event(d: Drawing) -> str:
    n = d.bars(14, 14, 14, 14, 14, 7, 9, 21, 2, high=50)
    # A short one reaches the usual thresholds at every turn.
    if n < 5:
        return d.pick(f"rsi({n}) < {d.pick('2', '5')}", f"rsi({n}) > {d.pick('95', '98')}")
    low, high = d.pick("20", "25", "30", "30", "15"), d.pick("80", "75", "70", "70", "85")
    return d.pick(
        f"rsi({n}) < {low}",
        f"rsi({n}) < {low}",
        f"rsi({n}) > {high}",
        f"crosses_above(rsi({n}), {low})",
        f"crosses_below(rsi({n}), {high})",
    )


def _average_cross(d: Drawing) -> str:
    fast = d.bars(9, 9, 12, 20, 50, 50, low=3, high=60)
    slow = fast + (d.bars(12, 14, 30, 50, 150, low=3, high=120))
    kind, way = (
        d.pick("ema", "ema", "sma"),
        d.pick("crosses_above", "crosses_above", "crosses_below"),
    )
    return f"{way}({kind}({fast}), {kind}({slow}))"


def _price_cross(d: Drawing) -> str:
    return f"{d.pick('crosses_above', 'crosses_below')}(close, {d.average(20, 50, 50, 200, 200)})"


def _breakout(d: Drawing) -> str:
    n = d.bars(20, 20, 20, 50, 55, 100, 10, low=5)
    return d.pick(f"close > highest({n})[1]", f"close > highest({n})[1]", f"close < lowest({n})[1]")


def _volume_spike(d: Drawing) -> str:
    of = d.pick("volume", "volume", "volume", "volume", "quote_volume")
    return f"{of} > {d.pick('3', '3', '4', '5', '10')} * sma({of}, {d.bars(20, 20, 20, 50, 100)})"


def _macd_cross(d: Drawing) -> str:
    p = d.macd_periods()
    way = d.pick("crosses_above", "crosses_above", "crosses_below")
    return d.pick(f"{way}(macd({p}), macd_signal({p}))", f"{way}(macd_hist({p}), 0)")


def _band_event(d: Drawing) -> str:
    p = d.band_periods()
    return d.pick(
        f"close < bb_lower({p})",
        f"close > bb_upper({p})",
        f"bb_pct({p}) < {d.pick('0', '-0.1', '0.02')}",
        f"crosses_above(close, bb_lower({p}))",
    )


def _stochastic_event(d: Drawing) -> str:
    p = d.stochastic()
    return d.pick(
        f"stoch_k({p}) < {d.pick('10', '20', '5')}",
        f"stoch_k({p}) > {d.pick('90', '80', '95')}",
        f"crosses_above(stoch_k({p}), stoch_d({p}, 3)) and stoch_k({p}) < {d.pick('20', '30')}",
    )


def _oscillator_event(d: Drawing) -> str:
    n = d.bars(14, 14, 14, 20, high=60)
    return d.pick(
        f"mfi({n}) < {d.pick('10', '20')}",
        f"mfi({n}) > {d.pick('80', '90')}",
        f"cci({d.bars(20, 20, 20, 14, high=60)}) {d.pick('< -200', '> 200', '< -150')}",
        f"willr({n}) < {d.pick('-90', '-95', '-80')}",
    )


def _move(d: Drawing) -> str:
    n = d.bars(1, 1, 5, 10, 12, 24, 60, low=1, high=120)
    return d.pick(f"roc({n}) > {d.pick('3', '5', '10')}", f"roc({n}) < {d.pick('-3', '-5', '-10')}")


def _range_event(d: Drawing) -> str:
    n = d.bars(14, 14, 14, 10, 20, high=60)
    return d.pick(
        f"high - low > {d.pick('2', '2.5', '3')} * atr({n})", f"change(close, 1) > atr({n})"
    )


def _stop_event(d: Drawing) -> str:
    line = d.trend_line() if d.random.random() < 0.7 else "psar(0.02, 0.2)"
    return f"{d.pick('crosses_above', 'crosses_below')}(close, {line})"


def _candle(d: Drawing) -> str:
    return d.pick("hammer", "bullish_engulfing", "bearish_engulfing", "morning_star", "doji")


def _trend_filter(d: Drawing) -> str:
    sign = d.pick(">", ">", "<")
    return d.pick(
        f"close {sign} {d.average(200, 200, 50, 50, 100, 20)}",
        f"close {sign} {d.average(200, 200, 50, 50, 100, 20)}",
        f"{d.average(9, 12, 20, 50)} {sign} {d.average(26, 50, 100, 200)}",
    )


def _strength_filter(d: Drawing) -> str:
    n = d.bars(14, 14, 14, 14, 14, 20, 7, high=50)
    way = d.pick(f"plus_di({n}) > minus_di({n})", f"minus_di({n}) > plus_di({n})")
    return d.pick(f"adx({n}) > {d.pick('20', '25', '25', '30')}", way)


def _level_filter(d: Drawing) -> str:
    return d.pick(
        f"{d.rsi()} < {d.pick('40', '45', '50', '60')}",
        f"{d.rsi()} > {d.pick('40', '50', '50', '60')}",
        f"macd_hist({d.macd_periods()}) {d.pick('> 0', '< 0')}",
        f"{d.pick('stoch_k')}({d.stochastic()}) < {d.pick('30', '50', '80')}",
    )


def _activity_filter(d: Drawing) -> str:
    return d.pick(
        f"volume > {d.pick('1', '1.5', '2')} * sma(volume, {d.bars(20, 20, 20, 50, 10)})",
        f"volume > {d.pick('1', '1.5', '2')} * sma(volume, {d.bars(20, 20, 20, 50, 10)})",
        f"natr({d.bars(14, 14, 14, 20, high=60)}) > {d.pick('0.5', '1', '2')}",
    )


def _bar_filter(d: Drawing) -> str:
    return d.pick(
        "close > open", "close > open", "close < open", "close > close[1]", "close > high[1]"
    )


def _line_filter(d: Drawing) -> str:
    return f"close {d.pick('>', '>', '<')} {d.trend_line()}"


# Each condition with its weight.
EVENTS: tuple[tuple[Condition, int], ...] = (
    (_rsi_event, 22),
    (_average_cross, 14),
    (_breakout, 13),
    (_volume_spike, 13),
    (_macd_cross, 9),
    (_band_event, 9),
    (_price_cross, 6),
    (_stochastic_event, 5),
    (_move, 6),
    (_oscillator_event, 5),
    (_range_event, 3),
    (_stop_event, 2),
    (_candle, 2),
)
# What people leave alone in a rule: the rest would alert all the time.
ALONE = (_rsi_event, _volume_spike, _move, _band_event)
FILTERS: tuple[tuple[Condition, int], ...] = (
    (_trend_filter, 36),
    (_activity_filter, 20),
    (_level_filter, 18),
    (_bar_filter, 12),
    (_strength_filter, 9),
    (_line_filter, 2),
)


def draw_rules(count: int, seed: int = 7, *, popular_share: float = POPULAR_SHARE) -> list[str]:
    """Return so many rule texts; the first n of a longer list are those of a shorter one."""
    drawing = Drawing(seed, popular_share)
    return [_rule(drawing) for _ in range(count)]


def _rule(d: Drawing) -> str:
    (size,) = d.random.choices(SIZES, SIZE_WEIGHTS)
    left = dict(EVENTS), dict(FILTERS)
    if size == 1:
        return _take(d, {condition: left[0][condition] for condition in ALONE})
    parts = [_take(d, left[0])]
    while len(parts) < size:
        is_filter = d.random.random() < FILTER_SHARE
        part = _take(d, left[is_filter])
        kind = d.random.random()
        if kind < OR_SHARE:
            part = f"({part} or {_take(d, left[is_filter])})"
        elif kind < OR_SHARE + NOT_SHARE and is_filter:
            part = f"not {part}"
        parts.append(part)
    d.random.shuffle(parts)
    return " and ".join(parts)


def _take(d: Drawing, left: dict[Condition, int]) -> str:
    """Return a condition of a kind that the rule does not have yet."""
    (condition,) = d.random.choices(list(left), list(left.values()))
    del left[condition]
    return condition(d)
