"""Traders whose alerts are rare, as people want them: a few signals a close from a thousand.

For the latency of a signal. The engine's own benchmark draws from all that people write
(traders.py), noisy rules included: a close there brings hundreds of signals, and the time to write
those would be measured.
"""

from __future__ import annotations

import random

# Periods people type, with how often; the rest of the draws take any period from 2 to 200.
POPULAR_PERIODS = (9, 14, 14, 14, 20, 20, 21, 50, 50, 100, 200)
POPULAR_SHARE = 0.8


def draw_alerts(count: int, seed: int = 7) -> list[str]:
    """Return rule texts: mostly two conditions that are seldom true together, as alerts are."""
    source = random.Random(seed)

    def period(low: int = 2, high: int = 200) -> int:
        popular = [p for p in POPULAR_PERIODS if low <= p <= high]
        if source.random() < POPULAR_SHARE:
            return source.choice(popular)
        return source.randint(low, high)

    def condition() -> str:
        kind = source.randrange(6)
        if kind == 0:
            return f"rsi({period(2, 50)}) < {source.choice((18, 20, 22, 25, 30))}"
        if kind == 1:
            return f"rsi({period(2, 50)}) > {source.choice((70, 75, 78, 80, 82))}"
        if kind == 2:
            fast = period(2, 50)
            return f"crosses_above(ema({fast}), ema({fast + period(2, 100)}))"
        if kind == 3:
            return f"close > highest({period(5, 200)})[1]"
        if kind == 4:
            return f"volume > {source.choice((3, 4, 5))} * sma(volume, {period(5, 100)})"
        return f"close < sma({period(5, 200)}) * {source.choice(('0.97', '0.98', '0.985'))}"

    rules = []
    for _ in range(count):
        parts = [condition() for _ in range(source.choice((2, 2, 3)))]
        rules.append(" and ".join(parts))
    return rules
