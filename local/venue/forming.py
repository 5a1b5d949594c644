"""A minute while it forms: what its kline looks like part of the way through. Pure.

The price walks open → one extreme → the other → close on straight lines whose corners depend on
the symbol and minute only. So a partial high never exceeds the final one, volumes only grow, and
a restarted server shows the same path.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from local.venue.market_protocol import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    QUOTE_VOLUME,
    TAKER_QUOTE_VOLUME,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    Columns,
)
from shared.market.interval import MINUTE_MS


def forming_bars(
    final: Columns, indexes: NDArray[np.int64], open_time_ms: int, elapsed_ms: int
) -> Columns:
    """Return int64[9, k]: the klines `elapsed_ms` (0 … 60,000) into their minute.

    `final` is int64[9, k], the finished klines of the symbols `indexes`. From the first
    millisecond a kline has at least one trade (if its minute has any).
    """
    fraction = min(max(elapsed_ms / MINUTE_MS, 0.0), 1.0)
    if fraction == 1.0:
        return final.copy()
    first_share, second_share = _shares(indexes, open_time_ms // MINUTE_MS)
    first_at, second_at = 0.15 + 0.3 * first_share, 0.55 + 0.3 * second_share
    rises = final[CLOSE] >= final[OPEN]
    first = np.where(rises, final[LOW], final[HIGH])
    second = np.where(rises, final[HIGH], final[LOW])
    price = np.where(
        fraction < first_at,
        final[OPEN] + (first - final[OPEN]) * (fraction / first_at),
        np.where(
            fraction < second_at,
            first + (second - first) * ((fraction - first_at) / (second_at - first_at)),
            second + (final[CLOSE] - second) * ((fraction - second_at) / (1 - second_at)),
        ),
    )
    result = np.empty_like(final)
    result[OPEN] = final[OPEN]
    result[CLOSE] = np.rint(price)
    seen_first = np.where(fraction >= first_at, first, final[OPEN])
    seen_second = np.where(fraction >= second_at, second, final[OPEN])
    corners = np.stack((final[OPEN], result[CLOSE], seen_first, seen_second))
    result[HIGH] = corners.max(axis=0)
    result[LOW] = corners.min(axis=0)
    for column in (VOLUME, TRADES):
        least = np.minimum(final[column], 1)
        result[column] = np.maximum((final[column] * fraction).astype(np.int64), least)
    share = result[VOLUME] / np.maximum(final[VOLUME], 1)
    for column in (QUOTE_VOLUME, TAKER_VOLUME, TAKER_QUOTE_VOLUME):
        result[column] = np.minimum((final[column] * share).astype(np.int64), final[column])
    return result


def _shares(
    indexes: NDArray[np.int64], minute: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two numbers in [0, 1) for each symbol of this minute (splitmix64's mixing steps)."""
    mixed = indexes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(minute)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(32)) / 2.0**32, (mixed & np.uint64(0xFFFFFFFF)) / 2.0**32
