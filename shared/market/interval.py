"""Kline intervals. All of them divide a UTC day, so every one aligns with the epoch."""

from __future__ import annotations

from enum import StrEnum

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


class Interval(StrEnum):
    """The length of a kline, in the venue's own spelling (Binance: 1m … 1d)."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"

    @property
    def duration_ms(self) -> int:
        """Return the length in milliseconds."""
        return _DURATIONS_MS[self]

    def floor_ms(self, at_ms: int) -> int:
        """Return the open time of the kline that contains `at_ms` (half-open, UTC)."""
        return at_ms - at_ms % _DURATIONS_MS[self]


_DURATIONS_MS = {
    Interval.M1: MINUTE_MS,
    Interval.M3: 3 * MINUTE_MS,
    Interval.M5: 5 * MINUTE_MS,
    Interval.M15: 15 * MINUTE_MS,
    Interval.M30: 30 * MINUTE_MS,
    Interval.H1: HOUR_MS,
    Interval.H2: 2 * HOUR_MS,
    Interval.H4: 4 * HOUR_MS,
    Interval.H6: 6 * HOUR_MS,
    Interval.H8: 8 * HOUR_MS,
    Interval.H12: 12 * HOUR_MS,
    Interval.D1: DAY_MS,
}
