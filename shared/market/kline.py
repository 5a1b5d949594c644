"""One kline of one symbol, and the columns every frame and window share."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

import msgspec

from shared.market.interval import Interval

# The order of the rows of Frame.columns and Window.columns.
COLUMNS = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_volume",
)

# Binance publishes eight decimals; sums of integers are exact, so a roll-up equals the venue's own.
UNITS_PER_COIN = 10**8


def parse_e8(text: str) -> int:
    """Return a decimal text ("12.34500000") as an integer of 10⁻⁸ units, exactly.

    Raises: ValueError if it is not a finite decimal number, or has more than eight decimals.
    """
    # The venue's own spelling, on the hot path: digits, a point, eight digits.
    if text[-9:-8] == "." and len(text) > 9:
        digits = text.replace(".", "", 1)
        if digits.isdecimal():
            return int(digits)
    try:
        scaled = Decimal(text).scaleb(8)
    except InvalidOperation as error:
        raise ValueError(f"expected a decimal number, was {text!r}") from error
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"expected at most eight decimals, was {text!r}")
    return int(scaled)


class Kline(msgspec.Struct, frozen=True, kw_only=True):
    """A kline (candle, bar) over `[open_time_ms, open_time_ms + interval)`.

    Prices are float64 in quote per base (indicator input, never money). Volumes are integers of
    10⁻⁸ base (or quote) units. `event_time_ms` is the venue's clock, `receive_time_ms` ours.
    """

    symbol: str
    interval: Interval
    open_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume_e8: int
    quote_volume_e8: int
    trades: int
    taker_buy_volume_e8: int
    is_closed: bool
    event_time_ms: int
    receive_time_ms: int

    @property
    def closed_at_ms(self) -> int:
        """Return the instant at which it closes (exclusive end)."""
        return self.open_time_ms + self.interval.duration_ms

    def row(self) -> tuple[float, ...]:
        """Return the values in the order of COLUMNS; int / int is correctly rounded."""
        return (
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume_e8 / UNITS_PER_COIN,
            self.quote_volume_e8 / UNITS_PER_COIN,
            float(self.trades),
            self.taker_buy_volume_e8 / UNITS_PER_COIN,
        )
