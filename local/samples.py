"""The eight traders of the demo account: one of each kind, on four intervals. Values only."""

from __future__ import annotations

import msgspec


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A trader as `save_trader` takes it."""

    name: str
    description: str
    rule: str
    interval: str
    trigger: str = "enter"
    cooldown_s: int
    venue: str = "binance"
    universe: tuple[str, ...] | None = None
    enabled: bool = True


SAMPLES = (
    Sample(
        name="Oversold",
        description="RSI falls below 30: sold hard, sometimes too hard.",
        rule="rsi(14) < 30",
        interval="1m",
        cooldown_s=3600,
    ),
    Sample(
        name="Averages cross up",
        description="The 9-bar average crosses above the 21-bar one.",
        rule="crosses_above(ema(9), ema(21))",
        interval="5m",
        cooldown_s=3600,
    ),
    Sample(
        name="Averages cross down",
        description="The 9-bar average crosses below the 21-bar one.",
        rule="crosses_below(ema(9), ema(21))",
        interval="1h",
        cooldown_s=4 * 3600,
    ),
    Sample(
        name="Breakout on volume",
        description="A close above the last 20 highs, on twice the usual volume.",
        rule="close > highest(20)[1] and volume > 2 * sma(volume, 20)",
        interval="5m",
        cooldown_s=1800,
    ),
    Sample(
        name="Up 1% in five minutes",
        description="A fast move: more than one percent above the close of five bars ago.",
        rule="change(close, 5) / close[5] > 0.01",
        interval="1m",
        cooldown_s=900,
    ),
    Sample(
        name="Volume burst",
        description="Eight times the usual volume in one minute, and the price rises.",
        rule="volume > 8 * sma(volume, 30) and close > open",
        interval="1m",
        cooldown_s=1800,
    ),
    Sample(
        name="Breakdown, not oversold yet",
        description="A close below the last 50 lows while RSI still has room to fall.",
        rule="close < lowest(50)[1] and not rsi(14) < 30",
        interval="15m",
        cooldown_s=2 * 3600,
    ),
    Sample(
        name="Overheated",
        description="RSI above 75, told again every two hours while it lasts.",
        rule="rsi(14) > 75",
        interval="1h",
        trigger="while",
        cooldown_s=2 * 3600,
    ),
)
