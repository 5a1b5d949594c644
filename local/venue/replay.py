"""A recording as a market: its minutes, moved by whole minutes so that they happen now. Pure.

The first share of it is history for REST; the rest plays minute by minute from the anchor on and
then ends. A minute that a symbol lacks between its first and last had no trade: REST shows it flat,
the socket says nothing, as at the venue.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from local.venue.forming import forming_bars
from local.venue.market_protocol import (
    CLOSE,
    COLUMN_COUNT,
    HIGH,
    LOW,
    OPEN,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    Columns,
    Instrument,
    MinuteBars,
    Rows,
)
from local.venue.recording import MinuteValues, Recording
from local.venue.rollup import merge_bars, roll_up_rows
from shared.market.interval import DAY_MS, MINUTE_MS, Interval

_DECIMALS = 8
_MINUTES_PER_DAY = DAY_MS // MINUTE_MS
# Tried in turn where the recording holds no exchangeInfo.
_QUOTE_ASSETS = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "USD")


class ReplayMarket:
    """See the module. `anchor_ms`: the venue time at which it was first started."""

    feed = "replay"

    def __init__(self, recording: Recording, anchor_ms: int, history_share: float = 0.8) -> None:
        if not 0 <= history_share < 1:
            raise ValueError(f"expected a history share in [0, 1), was {history_share}")
        symbols = _by_quote_volume(recording)
        bars = [recording.minutes[symbol] for symbol in symbols]
        recorded_from_ms = min(min(one) for one in bars)
        self._minutes = (max(max(one) for one in bars) - recorded_from_ms) // MINUTE_MS + 1
        played = math.floor(self._minutes * history_share)
        # Venue time of the recording's first minute: the first played one opens with the anchor's.
        self.history_from_ms = Interval.M1.floor_ms(anchor_ms) - played * MINUTE_MS
        self.shift_ms = self.history_from_ms - recorded_from_ms
        self.ends_at_ms: int = self.history_from_ms + self._minutes * MINUTE_MS
        self._columns = np.zeros((COLUMN_COUNT, len(symbols), self._minutes), dtype=np.int64)
        self._first = np.zeros(len(symbols), dtype=np.int64)
        self._last = np.zeros(len(symbols), dtype=np.int64)
        instruments: list[Instrument] = []
        for index, symbol in enumerate(symbols):
            first, last, price_decimals, lot_decimals = _fill(
                self._columns[:, index], bars[index], recorded_from_ms
            )
            self._first[index], self._last[index] = first, last
            base, quote = recording.assets.get(symbol) or _split(symbol)
            instruments.append(
                Instrument(
                    symbol=symbol,
                    base_asset=base,
                    quote_asset=quote,
                    price_decimals=price_decimals,
                    lot_decimals=lot_decimals,
                    listed_at_ms=self.history_from_ms + first * MINUTE_MS,
                )
            )
        self.instruments: tuple[Instrument, ...] = tuple(instruments)

    def minute(self, open_time_ms: int) -> MinuteBars:
        """Return one minute; only symbols with trades in it are present."""
        at = self._at(open_time_ms)
        if not 0 <= at < self._minutes:
            empty = np.zeros(self._columns.shape[:2], dtype=np.int64)
            return MinuteBars(open_time_ms, empty, np.zeros(len(self.instruments), dtype=np.bool_))
        columns = self._columns[:, :, at]
        return MinuteBars(open_time_ms, columns, columns[TRADES] > 0)

    def rows(
        self, index: int, interval: Interval, first_ms: int, last_ms: int, now_ms: int
    ) -> Rows:
        """Return the klines with `first_ms <= open time <= last_ms`, the last perhaps forming."""
        start_ms = interval.floor_ms(max(first_ms, 0) + interval.duration_ms - 1)
        end_ms = interval.floor_ms(last_ms) + interval.duration_ms
        start = max(self._at(start_ms), int(self._first[index]))
        now = self._at(now_ms)
        end = min(self._at(end_ms), now + 1, int(self._last[index]) + 1)
        if start >= end:
            return Rows(np.empty(0, np.int64), np.empty((COLUMN_COUNT, 0), np.int64))
        times = self.history_from_ms + MINUTE_MS * np.arange(start, end, dtype=np.int64)
        columns = self._columns[:, index, start:end].copy()
        if end == now + 1:
            columns[:, -1:] = forming_bars(
                columns[:, -1:],
                np.array([index]),
                int(times[-1]),
                now_ms - int(times[-1]),
            )
        return roll_up_rows(Rows(times, columns), interval.duration_ms)

    def day_rows(self, now_ms: int) -> Columns:
        """Return int64[9, symbols]: one kline over the last 1,440 minutes (fewer at the start)."""
        end = min(max(self._at(now_ms) + 1, 1), self._minutes)
        return merge_bars(self._columns[:, :, max(end - _MINUTES_PER_DAY, 0) : end])

    def set_no_trade(self, index: int, open_time_ms: int) -> None:
        """Make one minute of one symbol flat and empty."""
        at = self._at(open_time_ms)
        if 0 <= at < self._minutes:
            column = self._columns[:, index, at]
            column[: CLOSE + 1] = self._columns[CLOSE, index, max(at - 1, 0)]
            column[VOLUME:] = 0

    def _at(self, time_ms: int) -> int:
        return (time_ms - self.history_from_ms) // MINUTE_MS


def _fill(
    columns: Columns, bars: dict[int, MinuteValues], recorded_from_ms: int
) -> tuple[int, int, int, int]:
    """Write one symbol's minutes into int64[9, minutes], the gaps flat.

    Returns its first and last minute and the decimals of its prices and base volumes.
    """
    opens = sorted(bars)
    places = (np.array(opens, dtype=np.int64) - recorded_from_ms) // MINUTE_MS
    price_unit, price_decimals = _unit(p for o in opens for p in bars[o][: CLOSE + 1])
    lot_unit, lot_decimals = _unit(bars[o][at] for o in opens for at in (VOLUME, TAKER_VOLUME))
    units = [price_unit] * 4 + [lot_unit, 1, 1, lot_unit, 1]
    # Divided before they become 64 bits: a day of a tiny coin does not fit in 10^-8 units.
    table = [[value // unit for value, unit in zip(bars[o], units, strict=True)] for o in opens]
    columns[:, places] = np.array(table, dtype=np.int64).T
    minutes = columns.shape[1]
    known: NDArray[np.bool_] = np.zeros(minutes, dtype=np.bool_)
    known[places] = True
    # For each minute the newest known one at or before it; before the first, the first's open.
    newest = np.maximum.accumulate(np.where(known, np.arange(minutes), -1))
    flat = np.where(newest >= 0, columns[CLOSE, newest], columns[OPEN, places[0]])
    for column in (OPEN, HIGH, LOW, CLOSE):
        columns[column, ~known] = flat[~known]
    return int(places[0]), int(places[-1]), price_decimals, lot_decimals


def _unit(values_e8: Iterable[int]) -> tuple[int, int]:
    """Return the largest power of ten that divides all values, and the decimals that leaves."""
    common = math.gcd(*values_e8)
    decimals = _DECIMALS
    while decimals > 0 and common % 10 ** (_DECIMALS - decimals + 1) == 0:
        decimals -= 1
    return 10 ** (_DECIMALS - decimals), decimals


def _by_quote_volume(recording: Recording) -> list[str]:
    def volume(symbol: str) -> tuple[int, str]:
        return (-sum(bar[5] for bar in recording.minutes[symbol].values()), symbol)

    return sorted(recording.minutes, key=volume)


def _split(symbol: str) -> tuple[str, str]:
    for quote in _QUOTE_ASSETS:
        if symbol.endswith(quote) and symbol != quote:
            return symbol.removesuffix(quote), quote
    return symbol, "USDT"
