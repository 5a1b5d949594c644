"""What a market is to the server: instruments, and klines as exact integers.

Pure values. `market.py` and `replay.py` implement `Market`; `wire.py` turns rows into text;
nobody outside `local/venue` imports this.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.market.interval import Interval

# Rows of every column array here: prices in units of 10^-price_decimals of the quote asset, base
# volumes in units of 10^-lot_decimals of the base asset, quote volumes in 10^-8 of the quote asset.
# Integers, so that sums over minutes are exact. Lots and not 10^-8 base units because a day of a
# coin worth 10^-6 dollars would not fit into 63 bits.
OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, TRADES, TAKER_VOLUME, TAKER_QUOTE_VOLUME = range(9)
COLUMN_COUNT = 9

Columns = NDArray[np.int64]


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol as exchangeInfo describes it. `listed_at_ms`: open time of its first kline."""

    symbol: str
    base_asset: str
    quote_asset: str
    status: str = "TRADING"
    price_decimals: int
    lot_decimals: int
    listed_at_ms: int = 0


class Rows(msgspec.Struct, frozen=True, eq=False):
    """Klines of one symbol, oldest first: int64[bars] open times, int64[9, bars] columns."""

    open_times_ms: NDArray[np.int64]
    columns: Columns


class MinuteBars(msgspec.Struct, frozen=True, eq=False):
    """One minute of all symbols: int64[9, symbols], and which of them have a kline there."""

    open_time_ms: int
    columns: Columns
    present: NDArray[np.bool_]


class Market(Protocol):
    """A source of klines. Deterministic: the same question has the same answer after a restart."""

    @property
    def feed(self) -> str:
        """Return `simulated` or `replay`."""
        ...

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Return all instruments; a symbol's index here is its index everywhere."""
        ...

    @property
    def history_from_ms(self) -> int:
        """Return the open time of the oldest kline there is."""
        ...

    @property
    def ends_at_ms(self) -> int | None:
        """Return when the last minute closes; None: never ends."""
        ...

    def minute(self, open_time_ms: int) -> MinuteBars:
        """Return the finished klines of one minute (of the future too: the caller must wait)."""
        ...

    def rows(
        self, index: int, interval: Interval, first_ms: int, last_ms: int, now_ms: int
    ) -> Rows:
        """Return the klines with `first_ms <= open time <= last_ms`; the last may be forming.

        Nothing after `now_ms` shows; the kline that contains `now_ms` is as far as it has come.
        """
        ...

    def day_rows(self, now_ms: int) -> Columns:
        """Return int64[9, symbols]: one kline over the 24 hours before `now_ms`, by whole minutes.

        A symbol without a trade in them has zero trades.
        """
        ...

    def set_no_trade(self, index: int, open_time_ms: int) -> None:
        """Make one minute of one symbol flat and empty (a fault; forgotten at restart)."""
        ...
