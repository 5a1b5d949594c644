"""The simulated market: a seed, a list of symbols, and klines for any minute ever asked for.

Pure but for the optional disk of `blocks.py`: `minute` and `rows` depend on (seed, symbol, time)
alone, in any order, before and after a restart. `anchor_ms` (when this market was first started)
decides only when the youngest symbols were listed and how far back history reaches.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from local.venue.blocks import HOURS_PER_DAY, Blocks, DayStore, hour_of, level_of
from local.venue.forming import forming_bars
from local.venue.instruments import build_instruments, first_kline_ms
from local.venue.market_protocol import (
    CLOSE,
    COLUMN_COUNT,
    OPEN,
    VOLUME,
    Columns,
    Instrument,
    MinuteBars,
    Rows,
)
from local.venue.paths import PathModel
from local.venue.rollup import merge_bars, roll_up_rows
from shared.market.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval

HISTORY_DAYS = 120
TRADING = "TRADING"


class SimulatedMarket:
    """See the module. `symbols`: how many trade against USDT; a dozen others come on top."""

    feed = "simulated"
    ends_at_ms: int | None = None

    def __init__(
        self,
        seed: int,
        symbols: int = 500,
        *,
        anchor_ms: int,
        history_days: int = HISTORY_DAYS,
    ) -> None:
        self.seed = seed
        self.instruments: tuple[Instrument, ...]
        self.instruments, character = build_instruments(seed, symbols, anchor_ms)
        self.history_from_ms = anchor_ms - anchor_ms % DAY_MS - history_days * DAY_MS
        self._first_ms = np.array(
            [first_kline_ms(one, anchor_ms, history_days) for one in self.instruments]
        )
        self._trades = np.array([one.status == TRADING for one in self.instruments])
        price_units = np.array([10.0**-one.price_decimals for one in self.instruments])
        lot_units = np.array([10.0**-one.lot_decimals for one in self.instruments])
        self._paths = PathModel(seed, character, price_units, lot_units)
        self._no_trade: set[tuple[int, int]] = set()
        self._blocks = Blocks(self._hour_block, len(self.instruments), None)

    def minute(self, open_time_ms: int) -> MinuteBars:
        """Return the finished klines of one minute."""
        block = self._blocks.hour(Interval.M1, hour_of(open_time_ms))
        columns = block[:, :, open_time_ms % HOUR_MS // MINUTE_MS]
        return MinuteBars(open_time_ms, columns, self._trades & (self._first_ms <= open_time_ms))

    def rows(
        self, index: int, interval: Interval, first_ms: int, last_ms: int, now_ms: int
    ) -> Rows:
        """Return the klines with `first_ms <= open time <= last_ms`, the last perhaps forming."""
        start_ms = max(interval.floor_ms(first_ms - 1 + interval.duration_ms), 0)
        start_ms = max(start_ms, int(self._first_ms[index]))
        end_ms = min(interval.floor_ms(last_ms) + interval.duration_ms, now_ms + 1)
        if start_ms >= end_ms or not self._trades[index]:
            return Rows(np.empty(0, np.int64), np.empty((COLUMN_COUNT, 0), np.int64))
        self._blocks.keep_for(interval)
        hour_start_ms = Interval.H1.floor_ms(now_ms)
        finished_end_ms = min(end_ms, hour_start_ms)
        times, pieces = [], []
        if start_ms < finished_end_ms:
            level = level_of(interval)
            for piece in self._finished(index, level, start_ms, finished_end_ms):
                times.append(piece.open_times_ms)
                pieces.append(piece.columns)
        if end_ms > hour_start_ms:
            piece = self._this_hour(index, hour_start_ms, max(start_ms, hour_start_ms), now_ms)
            times.append(piece.open_times_ms)
            pieces.append(piece.columns)
        found_times = np.concatenate(times)
        # Blocks are whole hours or days: what they hold after the range does not belong to it.
        count = int(np.searchsorted(found_times, end_ms))
        found = Rows(found_times[:count], np.concatenate(pieces, axis=1)[:, :count])
        return roll_up_rows(found, interval.duration_ms)

    def day_rows(self, now_ms: int) -> Columns:
        """Return int64[9, symbols]: one kline over the 1,440 minutes that end with `now_ms`'s."""
        end_ms = Interval.M1.floor_ms(now_ms) + MINUTE_MS
        first_ms = end_ms - DAY_MS
        first_hour, last_hour = hour_of(first_ms), hour_of(end_ms - 1)
        skipped = first_ms % HOUR_MS // MINUTE_MS
        parts = [merge_bars(self._blocks.hour(Interval.M1, first_hour)[:, :, skipped:])]
        for hour in range(first_hour + 1, last_hour):
            day, of_day = divmod(hour, HOURS_PER_DAY)
            parts.append(self._blocks.day(day, of_day + 1)[:, :, of_day])
        count = (end_ms - 1) % HOUR_MS // MINUTE_MS + 1
        if last_hour > first_hour:
            parts.append(merge_bars(self._blocks.hour(Interval.M1, last_hour)[:, :, :count]))
        rows = merge_bars(np.stack(parts, axis=2))
        rows[:, ~self._trades] = 0
        return rows

    def set_no_trade(self, index: int, open_time_ms: int) -> None:
        """Make one minute of one symbol flat and empty."""
        self._no_trade.add((index, open_time_ms))
        self._blocks.forget(hour_of(open_time_ms))

    def use_store(self, store: DayStore) -> None:
        """Keep whole days of 1h klines in `store` from now on."""
        self._blocks = Blocks(self._hour_block, len(self.instruments), store)

    def warm_hour(self, hour: int, age_hours: int) -> None:
        """Compute an hour ahead of need (a few milliseconds); newest hours first."""
        self._blocks.warm_hour(hour, age_hours)

    def _hour_block(self, hour: int) -> Columns:
        block = self._paths.hour_block(hour)
        for index, open_time_ms in self._no_trade:
            if hour_of(open_time_ms) == hour:
                minute = open_time_ms % HOUR_MS // MINUTE_MS
                # The venue repeats the previous close; here that is this minute's open.
                block[: CLOSE + 1, index, minute] = block[OPEN, index, minute]
                block[VOLUME:, index, minute] = 0
        return block

    def _finished(self, index: int, level: Interval, start_ms: int, end_ms: int) -> list[Rows]:
        """Return rows of hours before this one: of `level`, and of 1h for the present day."""
        if level in (Interval.M1, Interval.M5, Interval.M15):
            return [
                _cut(self._blocks.hour(level, hour)[:, index], hour * HOUR_MS, level, start_ms)
                for hour in range(hour_of(start_ms), hour_of(end_ms - 1) + 1)
            ]
        pieces: list[Rows] = []
        for day in range(start_ms // DAY_MS, (end_ms - 1) // DAY_MS + 1):
            day_ms = day * DAY_MS
            if level is Interval.D1 and start_ms <= day_ms and day_ms + DAY_MS <= end_ms:
                row = self._blocks.day_row(day)[:, index, None]
                pieces.append(Rows(np.array([day_ms]), row))
                continue
            hours = min((end_ms - day_ms) // HOUR_MS, HOURS_PER_DAY)
            columns = self._blocks.day(day, hours)[:, index, :hours]
            pieces.append(_cut(columns, day_ms, Interval.H1, start_ms))
        return pieces

    def _this_hour(self, index: int, hour_ms: int, start_ms: int, now_ms: int) -> Rows:
        """Return the minutes of the present hour: finished ones, and the forming one."""
        minutes = (now_ms - hour_ms) // MINUTE_MS
        columns = self._blocks.hour(Interval.M1, hour_of(hour_ms))[:, index, : minutes + 1].copy()
        minute_ms = hour_ms + minutes * MINUTE_MS
        columns[:, minutes:] = forming_bars(
            columns[:, minutes:], _one(index), minute_ms, now_ms - minute_ms
        )
        return _cut(columns, hour_ms, Interval.M1, start_ms)


def _cut(columns: Columns, first_open_ms: int, step: Interval, start_ms: int) -> Rows:
    """Return the rows from `start_ms` on of columns that start at `first_open_ms`."""
    skipped = max((start_ms - first_open_ms) // step.duration_ms, 0)
    count = columns.shape[1]
    times = first_open_ms + step.duration_ms * np.arange(skipped, count, dtype=np.int64)
    return Rows(times, columns[:, skipped:])


def _one(index: int) -> NDArray[np.int64]:
    return np.array([index], dtype=np.int64)
