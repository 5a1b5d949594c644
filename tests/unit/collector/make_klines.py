"""Klines for tests: a market small enough to check by hand, and one to check by arithmetic."""

from __future__ import annotations

import random

from shared.market.interval import DAY_MS, MINUTE_MS, Interval
from shared.market.kline import Kline

# Midnight UTC of a Saturday.
MIDNIGHT_MS = 1_795_219_200_000
assert MIDNIGHT_MS % DAY_MS == 0


def make_minute(
    symbol: str, minute: int, close: float = 100.0, *, trades: int = 3, event_delay_ms: int = 50
) -> Kline:
    """Return the closed minute number `minute` after MIDNIGHT_MS."""
    open_time_ms = MIDNIGHT_MS + minute * MINUTE_MS
    closed_at_ms = open_time_ms + MINUTE_MS
    return Kline(
        symbol=symbol,
        interval=Interval.M1,
        open_time_ms=open_time_ms,
        open=close - 0.5,
        high=close + 1.0,
        low=close - 1.0,
        close=close,
        volume_e8=trades * 150_000_000,
        quote_volume_e8=trades * 15_000_000_001,
        trades=trades,
        taker_buy_volume_e8=trades * 50_000_000,
        is_closed=True,
        event_time_ms=closed_at_ms + event_delay_ms,
        receive_time_ms=closed_at_ms + event_delay_ms + 5,
    )


def random_minutes(symbol: str, first: int, count: int, seed: int) -> list[Kline]:
    """Return a random walk of `count` minutes; volumes beyond what a float can add exactly."""
    rng = random.Random(f"{symbol}{seed}")
    price = rng.uniform(1, 1000)
    klines = []
    for minute in range(first, first + count):
        steps = [price * (1 + rng.gauss(0, 0.001)) for _ in range(4)]
        low, high = min(price, *steps), max(price, *steps)
        base = make_minute(symbol, minute)
        klines.append(
            Kline(
                symbol=symbol,
                interval=Interval.M1,
                open_time_ms=base.open_time_ms,
                open=price,
                high=high,
                low=low,
                close=steps[-1],
                volume_e8=rng.randrange(10**18),
                quote_volume_e8=rng.randrange(10**19),
                trades=rng.randrange(1, 5000),
                taker_buy_volume_e8=rng.randrange(10**17),
                is_closed=True,
                event_time_ms=base.event_time_ms,
                receive_time_ms=base.receive_time_ms,
            )
        )
        price = steps[-1]
    return klines
