"""A window of a longer interval from one of a shorter: for recorded history. Pure.

The live roll-up, which adds exactly and knows what the venue never traded, is the collector's
(collector/rollup.py). Called by the command line for `tf=` over files.
"""

from __future__ import annotations

import msgspec
import numpy as np

from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window

_OPEN, _HIGH, _LOW, _CLOSE = (COLUMNS.index(name) for name in ("open", "high", "low", "close"))


def roll_up(window: Window, interval: Interval) -> Window | None:
    """Return the bars of `interval` that the window covers wholly, None if there is none.

    `interval` must be a multiple of the window's. A bar of which a part is missing is NaN.
    Volumes are float64 sums: they may differ from the venue's own in the last digits.
    """
    parts, rest = divmod(interval.duration_ms, window.interval.duration_ms)
    assert rest == 0, f"{interval} is no multiple of {window.interval}"
    starts = np.flatnonzero(window.open_times_ms % interval.duration_ms == 0)
    first = int(starts[0]) if len(starts) else window.bars
    count = (window.bars - first) // parts
    if count == 0:
        return None
    span = slice(first, first + count * parts)
    split = window.columns[:, span].reshape(len(COLUMNS), count, parts, len(window.symbols))
    columns = split.sum(axis=2)
    columns[_OPEN] = split[_OPEN, :, 0]
    columns[_HIGH] = split[_HIGH].max(axis=1)
    columns[_LOW] = split[_LOW].min(axis=1)
    columns[_CLOSE] = split[_CLOSE, :, -1]
    # Open and close are single bars: they would hide a part that is missing between them.
    columns[:, np.isnan(split[_CLOSE]).any(axis=1)] = np.nan
    return msgspec.structs.replace(
        window,
        interval=interval,
        open_times_ms=window.open_times_ms[span][::parts].copy(),
        columns=columns,
    )
