"""Milliseconds by stage, for the stats of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Adds up the time spent in named stages; `stats` is in milliseconds, two decimals."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self.stats: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what happens inside as `<name>_ms`."""
        started = perf_counter()
        try:
            yield
        finally:
            elapsed_ms = (perf_counter() - started) * 1000
            self.stats[f"{name}_ms"] = round(self.stats.get(f"{name}_ms", 0.0) + elapsed_ms, 2)

    @property
    def total_ms(self) -> float:
        """Return the time since the start."""
        return round((perf_counter() - self._started) * 1000, 2)
