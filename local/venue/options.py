"""How a venue behaves, apart from its market and clock. Pure values."""

from __future__ import annotations

import msgspec
import numpy as np


class VenueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the venue behaves. Real seconds and milliseconds, whatever the venue's speed."""

    push_interval_s: float = 2.0
    close_jitter_ms: tuple[int, int] = (20, 150)
    weight_per_minute: int = 60_000
    connection_life_s: float = 86_400.0
    ping_interval_s: float = 20.0
    pong_timeout_s: float = 60.0
    shutdown_notice_s: float = 10.0


def jitters_ms(count: int, jitter_ms: tuple[int, int]) -> list[int]:
    """Return each symbol's delay, in steps of 10 ms: a close is a dozen writes, not hundreds."""
    low, high = jitter_ms
    steps = np.random.default_rng(1).integers(0, (high - low) // 10 + 1, size=count)
    delays: list[int] = (low + 10 * steps).tolist()
    return delays
