"""Counts the Redis commands a process sends, and projects them to a month.

The free tier of the hosted store is counted in commands, so the count is part of the product.
Not here: what a command costs in money, and the store's own count (the two are compared in tests).
"""

from __future__ import annotations

from collections import Counter

# A month of 30 days, as the store's bills use.
MONTH_S = 30 * 24 * 3600


class CommandMeter:
    """Commands by name since `started_s` (a monotonic clock's reading, in seconds)."""

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.commands: Counter[str] = Counter()

    def count(self, name: str) -> None:
        """Count one command, named as Redis names it ("HSET")."""
        self.commands[name] += 1

    @property
    def total(self) -> int:
        """Return the number of commands so far."""
        return self.commands.total()

    def per_month(self, now_s: float) -> float:
        """Return the month's projection at the rate since the start; 0 before the first second."""
        elapsed_s = now_s - self.started_s
        return self.total * MONTH_S / elapsed_s if elapsed_s >= 1 else 0.0
