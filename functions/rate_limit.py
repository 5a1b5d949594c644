"""A token bucket a caller, in the memory of one process.

Bounded and approximate on purpose: with n instances a caller has up to n times the rate. It
protects the evaluator from a loop in a script; quotas that matter are kept in Postgres.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from shared.errors import TooManyRequests

CALLERS_MAX = 10_000


class RateLimiter:
    """Lets each caller pass `per_minute` times a minute, at most `burst` of them at once."""

    def __init__(self, per_minute: float, burst: int) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self.refused_count = 0
        # Caller → (tokens left, monotonic second at which they were counted); oldest use first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, now_s: float) -> None:
        """Count one request at `now_s` (monotonic).

        Raises: TooManyRequests with `retry_after_s`.
        """
        tokens, counted_s = self._buckets.pop(caller, (float(self._burst), now_s))
        tokens = min(float(self._burst), tokens + (now_s - counted_s) * self._per_s)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now_s)
        # The least recently seen caller has had the longest time to fill up again.
        while len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        if not allowed:
            self.refused_count += 1
            wait_s = math.ceil((1 - tokens) / self._per_s)
            raise TooManyRequests(
                f"expected at most {self._burst} requests at once",
                hint=f"try again in {wait_s} s",
                retry_after_s=wait_s,
            )
