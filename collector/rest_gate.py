"""Keeps the calls to one REST host within its weight limit, and silent while it refuses us.

Pure (time is an argument): a venue's rest.py asks it before each call and tells it each reply.
Not here: HTTP, and what a call weighs.
"""

from __future__ import annotations

# A window of the venue's counter; it starts with the venue's minute.
WINDOW_S = 60.0


class RestGate:
    """The budget of one host, shared by all its calls (limits are per IP address).

    Times are a monotonic clock's seconds, `wall_s` is Unix seconds (the venue's minute).
    """

    def __init__(self, weight_limit: int) -> None:
        self.weight_limit = weight_limit
        self.used_weight = 0
        self.refused_count = 0
        self.paused_until_s = 0.0
        self._window = -1

    def wait_s(self, weight: int, share: float, now_s: float, wall_s: float) -> float:
        """Return how long a call of this weight must wait; 0 reserves the weight.

        `share` is the part of the limit this kind of call may fill (history leaves room for
        repairs).
        """
        if now_s < self.paused_until_s:
            return self.paused_until_s - now_s
        self._roll(wall_s)
        if self.used_weight + weight > self.weight_limit * share:
            return WINDOW_S - wall_s % WINDOW_S
        self.used_weight += weight
        return 0.0

    def note_used(self, used_weight: int, wall_s: float) -> None:
        """Take over the venue's own count (X-MBX-USED-WEIGHT-1M), if it is higher than ours."""
        self._roll(wall_s)
        self.used_weight = max(self.used_weight, used_weight)

    def pause(self, for_s: float, now_s: float) -> None:
        """Send nothing for so long: the venue said so."""
        self.refused_count += 1
        self.paused_until_s = max(self.paused_until_s, now_s + for_s)

    def _roll(self, wall_s: float) -> None:
        window = int(wall_s // WINDOW_S)
        if window != self._window:
            self._window = window
            self.used_weight = 0
