"""Finished hours of a market, at five interval levels, bounded in memory. Pure but for its disk.

A longer interval is rolled up from the largest level that divides it: 1m, 5m, 15m, 1h, 1d. Hours
of a level are kept newest-used first; 1h columns of whole days may also be kept on disk
(`DayStore`), so that the second start need not compute four months again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from local.venue.market_protocol import COLUMN_COUNT, Columns
from local.venue.rollup import roll_up_block
from shared.market.interval import HOUR_MS, Interval

HOURS_PER_DAY = 24
MINUTES_PER_HOUR = 60
# Level → hours kept: 1,000 klines (the venue's largest answer) where that is affordable.
_HOURS_KEPT = {Interval.M1: 20, Interval.M5: 88, Interval.M15: 160}
# Level → newest hours computed ahead: 600 klines of it, and some.
_HOURS_WARMED = {Interval.M1: 12, Interval.M5: 52, Interval.M15: 152}
# 3m is not served from a level of its own: 1,000 of them are 50 hours of minutes.
_MINUTE_HOURS_KEPT_FOR_3M = 53
_DAYS_KEPT = 32
_DAY_ROWS_KEPT = 1_000
LEVELS = (Interval.D1, Interval.H1, Interval.M15, Interval.M5, Interval.M1)


class DayStore(Protocol):
    """Where the 1h columns of whole days outlive the process."""

    def load(self, day: int) -> Columns | None:
        """Return int64[9, symbols, 24], or None if the day is not there."""
        ...

    def save(self, day: int, columns: Columns) -> None:
        """Keep a day."""
        ...


class FileDayStore:
    """Days as `hours-<day>.npy` in a folder of this market only (its name holds seed and symbols).

    Files are mapped, not read: the page cache holds them, not this process.
    """

    def __init__(self, folder: Path, symbol_count: int) -> None:
        self._folder = folder
        self._shape = (COLUMN_COUNT, symbol_count, HOURS_PER_DAY)
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, day: int) -> Columns | None:
        """Return the day; a damaged file counts as absent (it is computed and written again)."""
        try:
            columns: Columns = np.asarray(np.load(self._path(day), mmap_mode="r"))
        except FileNotFoundError:
            return None
        except (ValueError, EOFError):
            return None
        return columns if columns.shape == self._shape else None

    def save(self, day: int, columns: Columns) -> None:
        """Write the day under another name first, so that a kill leaves no half file."""
        temporary = self._folder / f"writing-{day}.npy"
        np.save(temporary, columns)
        temporary.replace(self._path(day))

    def _path(self, day: int) -> Path:
        return self._folder / f"hours-{day}.npy"


class _Day(msgspec.Struct, eq=False):
    """int64[9, symbols, 24] 1h klines, and bool[24]: which hours of it are computed."""

    columns: Columns
    filled: NDArray[np.bool_]


class Blocks:
    """Blocks of finished hours; `compute(hour)` gives int64[9, symbols, 60]."""

    def __init__(
        self, compute: Callable[[int], Columns], symbol_count: int, store: DayStore | None
    ) -> None:
        self._compute = compute
        self._symbol_count = symbol_count
        self._store = store
        self._hours_kept = dict(_HOURS_KEPT)
        self._levels: dict[Interval, OrderedDict[int, Columns]] = {
            level: OrderedDict() for level in _HOURS_KEPT
        }
        self._days: OrderedDict[int, _Day] = OrderedDict()
        self._day_rows: OrderedDict[int, Columns] = OrderedDict()

    def keep_for(self, interval: Interval) -> None:
        """Keep what this interval needs."""
        if interval is Interval.M3:
            self._hours_kept[Interval.M1] = _MINUTE_HOURS_KEPT_FOR_3M

    def hour(self, level: Interval, hour: int) -> Columns:
        """Return int64[9, symbols, 60 / level] of one hour; `level` is 1m, 5m or 15m."""
        kept = self._levels[level]
        block = kept.get(hour)
        if block is not None:
            kept.move_to_end(hour)
            return block
        if level is Interval.M1:
            block = self._compute(hour)
        else:
            factor = level.duration_ms // Interval.M1.duration_ms
            block = roll_up_block(self.hour(Interval.M1, hour), factor)
        self._put(kept, hour, block, self._hours_kept[level])
        return block

    def day(self, day: int, hours: int = HOURS_PER_DAY) -> Columns:
        """Return int64[9, symbols, 24] 1h klines; (at least) the first `hours` are filled."""
        kept = self._day(day)
        for hour in np.flatnonzero(~kept.filled[:hours]).tolist():
            self._fill(kept, day, hour, self._minutes(day * HOURS_PER_DAY + hour))
        return kept.columns

    def day_row(self, day: int) -> Columns:
        """Return int64[9, symbols]: the 1d klines of a finished day."""
        row = self._day_rows.get(day)
        if row is None:
            row = roll_up_block(self.day(day), HOURS_PER_DAY)[:, :, 0]
            self._put(self._day_rows, day, row, _DAY_ROWS_KEPT)
        return row

    def warm_hour(self, hour: int, age_hours: int) -> None:
        """Compute a finished hour for every level that a first backfill asks for."""
        day, of_day = divmod(hour, HOURS_PER_DAY)
        kept = self._day(day)
        levels = [level for level, age in _HOURS_WARMED.items() if age_hours < age]
        if kept.filled[of_day] and not levels:
            self._warm_day_row(day, kept)
            return
        minutes = self._minutes(hour)
        for level in levels:
            factor = level.duration_ms // Interval.M1.duration_ms
            block = minutes if factor == 1 else roll_up_block(minutes, factor)
            self._put(self._levels[level], hour, block, self._hours_kept[level])
        if not kept.filled[of_day]:
            self._fill(kept, day, of_day, minutes)
        self._warm_day_row(day, kept)

    def forget(self, hour: int) -> None:
        """Drop what was kept of this hour: its minutes have changed."""
        for kept in self._levels.values():
            kept.pop(hour, None)
        day = hour // HOURS_PER_DAY
        self._day_rows.pop(day, None)
        self._days.pop(day, None)

    def _day(self, day: int) -> _Day:
        kept = self._days.get(day)
        if kept is None:
            stored = None if self._store is None else self._store.load(day)
            shape = (COLUMN_COUNT, self._symbol_count, HOURS_PER_DAY)
            columns = np.zeros(shape, dtype=np.int64) if stored is None else stored
            kept = _Day(columns, np.full(HOURS_PER_DAY, stored is not None))
            self._days[day] = kept
            while len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        self._days.move_to_end(day)
        return kept

    def _fill(self, kept: _Day, day: int, hour: int, minutes: Columns) -> None:
        kept.columns[:, :, hour] = roll_up_block(minutes, MINUTES_PER_HOUR)[:, :, 0]
        kept.filled[hour] = True
        if self._store is not None and kept.filled.all():
            self._store.save(day, kept.columns)

    def _warm_day_row(self, day: int, kept: _Day) -> None:
        if kept.filled.all():
            self.day_row(day)

    def _minutes(self, hour: int) -> Columns:
        """Return the minutes of an hour without crowding out the newest ones."""
        known = self._levels[Interval.M1].get(hour)
        return self._compute(hour) if known is None else known

    @staticmethod
    def _put(kept: OrderedDict[int, Columns], hour: int, block: Columns, count_max: int) -> None:
        kept[hour] = block
        while len(kept) > count_max:
            kept.popitem(last=False)


def level_of(interval: Interval) -> Interval:
    """Return the largest level that divides `interval`."""
    return next(level for level in LEVELS if interval.duration_ms % level.duration_ms == 0)


def hour_of(time_ms: int) -> int:
    """Return the hour since the epoch that contains `time_ms`."""
    return time_ms // HOUR_MS
