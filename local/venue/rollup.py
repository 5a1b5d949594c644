"""Exact roll-up of integer klines to a longer interval. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from local.venue.market_protocol import (
    CLOSE,
    COLUMN_COUNT,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    Columns,
    Rows,
)


def roll_up_rows(rows: Rows, duration_ms: int) -> Rows:
    """Return the klines of `duration_ms` that the given (shorter, ordered) klines make up."""
    if len(rows.open_times_ms) == 0:
        return rows
    buckets = rows.open_times_ms // duration_ms
    starts = np.flatnonzero(np.concatenate(([True], buckets[1:] != buckets[:-1])))
    ends = np.concatenate((starts[1:], [len(buckets)])) - 1
    columns = rows.columns
    result = np.empty((COLUMN_COUNT, len(starts)), dtype=np.int64)
    result[OPEN] = columns[OPEN, starts]
    result[HIGH] = np.maximum.reduceat(columns[HIGH], starts)
    result[LOW] = np.minimum.reduceat(columns[LOW], starts)
    result[CLOSE] = columns[CLOSE, ends]
    result[VOLUME:] = np.add.reduceat(columns[VOLUME:], starts, axis=1)
    return Rows(buckets[starts] * duration_ms, result)


def roll_up_block(block: Columns, factor: int) -> Columns:
    """Return int64[9, symbols, bars / factor] from int64[9, symbols, bars], all symbols at once."""
    _, symbol_count, bars = block.shape
    parts = block.reshape(COLUMN_COUNT, symbol_count, bars // factor, factor)
    result = np.empty(parts.shape[:3], dtype=np.int64)
    result[OPEN] = parts[OPEN, :, :, 0]
    result[HIGH] = parts[HIGH].max(axis=2)
    result[LOW] = parts[LOW].min(axis=2)
    result[CLOSE] = parts[CLOSE, :, :, -1]
    result[VOLUME:] = parts[VOLUME:].sum(axis=3)
    return result


def merge_bars(columns: Columns) -> NDArray[np.int64]:
    """Return int64[9, symbols]: one kline over int64[9, symbols, bars], oldest first."""
    return roll_up_block(columns, columns.shape[2])[:, :, 0]
