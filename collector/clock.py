"""The collector's clock: the venue's time, as this machine can tell it.

Edge: the only reader of the wall clock in the collector. Everything else gets `now_ms` passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.market.interval import MINUTE_MS

# The forming kline of a quiet symbol, and the way of its answer, may be late by so much.
FORMING_SLACK_MS = 5_000
# A local clock that differs by more is worth a warning: certificates and signatures depend on it.
OFFSET_WARN_MS = 1000


def wall_ms() -> int:
    """Return this machine's clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


def wall_s() -> float:
    """Return this machine's clock, seconds since the epoch."""
    return time.time_ns() / 1e9


class VenueClock:
    """now = this machine's clock + the measured offset; for a simulated venue also its speed.

    `offset_ms` is venue minus machine at the last measurement; `follows_venue` is False while the
    venue's clock contradicts its own klines and ours does not.
    """

    def __init__(self, speed: float = 1.0, read_wall_ms: Callable[[], int] = wall_ms) -> None:
        self.speed = speed
        self.offset_ms = 0
        self.follows_venue = True
        self._read_wall_ms = read_wall_ms
        self._wall_base_ms = self._venue_base_ms = read_wall_ms()

    def now_ms(self) -> int:
        """Return the venue's time, ms since the epoch."""
        elapsed_ms = self._read_wall_ms() - self._wall_base_ms
        return self._venue_base_ms + int(elapsed_ms * self.speed)

    def set_by(self, venue_ms: int, asked_wall_ms: int, answered_wall_ms: int) -> None:
        """Follow the venue: it said `venue_ms` halfway between asking and its answer."""
        middle_ms = (asked_wall_ms + answered_wall_ms) // 2
        self._wall_base_ms = middle_ms
        self._venue_base_ms = venue_ms
        self.offset_ms = venue_ms - middle_ms
        self.follows_venue = True

    def judge_by(self, forming_open_ms: int) -> None:
        """Decide whom to follow when the clocks differ: the kline that is forming now knows.

        The venue's clock is followed unless it is outside that minute and this machine's is not.
        """
        wall_ms = self._read_wall_ms()
        if not _is_within(self.now_ms(), forming_open_ms) and _is_within(wall_ms, forming_open_ms):
            self._wall_base_ms = self._venue_base_ms = wall_ms
            self.follows_venue = False

    @property
    def is_wrong(self) -> bool:
        """Return whether this machine's clock is off (never said of compressed time)."""
        return self.speed == 1.0 and abs(self.offset_ms) > OFFSET_WARN_MS


def _is_within(at_ms: int, open_ms: int) -> bool:
    return open_ms <= at_ms < open_ms + MINUTE_MS + FORMING_SLACK_MS
