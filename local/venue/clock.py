"""The venue's clock: real, compressed, or advanced by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


def real_now_ms() -> int:
    """Return this machine's clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class VenueClock(Protocol):
    """What the server asks of time."""

    @property
    def stepped(self) -> bool:
        """Return whether time moves only by `advance_to_ms`."""
        ...

    @property
    def speed(self) -> float:
        """Return venue milliseconds per real millisecond."""
        ...

    def now_ms(self) -> int:
        """Return the venue's time."""
        ...


class RunningClock:
    """venue now = start + (real now − real start) · speed; the real clock itself by default."""

    stepped = False

    def __init__(
        self,
        speed: float = 1.0,
        start_ms: int | None = None,
        read_real_ms: Callable[[], int] = real_now_ms,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"expected a speed above 0, was {speed}")
        self.speed = speed
        self._read_real_ms = read_real_ms
        self._real_start_ms = read_real_ms()
        self._start_ms = self._real_start_ms if start_ms is None else start_ms

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self._start_ms + int((self._read_real_ms() - self._real_start_ms) * self.speed)


class SteppedClock:
    """Stands still until it is moved."""

    stepped = True
    speed = 1.0

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self._now_ms

    def advance_to_ms(self, at_ms: int) -> None:
        """Move forward to `at_ms`."""
        if at_ms < self._now_ms:
            raise ValueError(f"expected a time from {self._now_ms} on, was {at_ms}")
        self._now_ms = at_ms
