"""The parts of the engine's benchmark, by name: `python -m bench engine [PART …]`."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from bench.engine import growth, history, population, versus
from bench.figures import Figure

# From this load on, something else competes for the processor and times are too long.
BUSY_LOAD = 0.7


class Part(msgspec.Struct, frozen=True):
    """One part: what measures it, and prefixes of earlier figures that it replaces."""

    run: Callable[[], list[Figure]]
    replaces: tuple[str, ...] = ()

    def measure(self) -> list[Figure]:
        """Return its figures; say so if the machine is too busy for good ones."""
        load = os.getloadavg()[0]
        if load > BUSY_LOAD:
            print(f"  the machine is busy (load {load:.1f}): times will be too long", flush=True)
        return self.run()


PARTS = {
    "traders": Part(population.measure, ("engine_traders_",)),
    "growth": Part(growth.measure, ("engine_growth_",)),
    "backtest": Part(history.measure, ("engine_backtest_",)),
    "peers": Part(versus.measure, ("engine_vs_",)),
}
