"""How much memory the functions take: which machine holds them (prices.toml).

Pure. What was measured in their process, libraries in full: docs/functions.md has the figures.
"""

from __future__ import annotations

from shared.cost.plan import WINDOW_BARS, Configuration

# Started, with its connections and the first plan.
PROCESS_BYTES = 100e6
# Eight columns of float64, and the bars that a window's memory can grow by.
BAR_BYTES, SPARE_BARS = 64, 8
# An evaluation's series and rows, a trader's plan, who matches what; all may be on one interval.
BYTES_PER_SYMBOL, BYTES_PER_TRADER, BYTES_PER_MATCH = 56_000, 5_000, 15


def function_memory_bytes(asked: Configuration) -> float:
    """Return what the process of the functions has in memory at most."""
    windows = len(asked.intervals) * (WINDOW_BARS + SPARE_BARS) * BAR_BYTES
    a_symbol = windows + BYTES_PER_SYMBOL + BYTES_PER_MATCH * asked.traders
    return PROCESS_BYTES + asked.symbols * a_symbol + BYTES_PER_TRADER * asked.traders
