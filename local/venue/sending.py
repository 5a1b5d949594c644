"""What goes out on the sockets: forming klines, closes, damaged texts; silence holds them back.

Called by `venue.py`, which knows when; the hub knows to whom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from local.venue.connections import Hub
from local.venue.damage import damaged_frame
from local.venue.fault import Delivery, Fault, variant_of
from local.venue.faults import Faults
from local.venue.forming import forming_bars
from local.venue.market_protocol import Market, MinuteBars
from local.venue.wire import KlineTexts
from shared.market.interval import MINUTE_MS

Indexes = NDArray[np.int64]


class Sender:
    """Formats and offers events. `announced_ms` is the venue's claim of the time (`E`)."""

    def __init__(
        self,
        market: Market,
        hub: Hub,
        texts: KlineTexts,
        faults: Faults,
        announced_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._market = market
        self._hub = hub
        self._texts = texts
        self._faults = faults
        self._announced_ms = announced_ms
        self._monotonic_s = monotonic_s
        self._symbols = [one.symbol for one in market.instruments]
        self._index_of = {symbol: index for index, symbol in enumerate(self._symbols)}

    def send_forming(self, indexes: Indexes, at_ms: int, hush: set[tuple[int, int]]) -> None:
        """Offer the kline that forms at `at_ms`; `hush` holds (index, minute) without a trade."""
        open_time_ms = at_ms - at_ms % MINUTE_MS
        bars = self._market.minute(open_time_ms)
        heard = [
            index
            for index in indexes.tolist()
            if bars.present[index] and (index, open_time_ms) not in hush
        ]
        indexes = self._audible(np.array(heard, dtype=np.int64))
        if not len(indexes):
            return
        for index, text in self._forming_texts(bars, indexes, at_ms - open_time_ms):
            self._hub.offer(index, text)

    def send_closes(self, bars: MinuteBars, group: Sequence[Delivery]) -> None:
        """Offer closing klines as their deliveries say (their delay is over)."""
        wanted = [one for one in group if self._hub.wanted[one.index]]
        audible = set(self._audible(np.array([one.index for one in wanted], int)).tolist())
        wanted = [one for one in wanted if one.index in audible]
        if not wanted:
            return
        indexes = np.array([one.index for one in wanted], dtype=np.int64)
        early = indexes[[one.after_next for one in wanted]]
        if len(early):
            self.send_forming(early, bars.open_time_ms + MINUTE_MS + 1, set())
        texts = self._texts.events(
            indexes, bars.columns[:, indexes], bars.open_time_ms, self._announced_ms(), True
        )
        for one, text in zip(wanted, texts, strict=True):
            self._offer(one.index, text, one.variant)
        self.counts["closes_sent"] += len(wanted)

    def send_malformed(self, fault: Fault, at_ms: int) -> None:
        """Offer `fault.count` damaged events of each of its symbols (default: one heard)."""
        chosen = fault.symbols or [self._symbols[i] for i in np.flatnonzero(self._hub.wanted)[:1]]
        open_time_ms = at_ms - at_ms % MINUTE_MS
        bars = self._market.minute(open_time_ms)
        indexes = np.array([self._index_of[symbol] for symbol in chosen], dtype=np.int64)
        for index, text in self._forming_texts(bars, indexes, at_ms - open_time_ms):
            for number in range(fault.count or 1):
                self._offer(index, text, variant_of(fault, number))
                self._faults.struck["malformed"] += 1

    def _forming_texts(
        self, bars: MinuteBars, indexes: Indexes, elapsed_ms: int
    ) -> list[tuple[int, str]]:
        columns = forming_bars(bars.columns[:, indexes], indexes, bars.open_time_ms, elapsed_ms)
        texts = self._texts.events(
            indexes, columns, bars.open_time_ms, self._announced_ms(), is_closed=False
        )
        return list(zip(indexes.tolist(), texts, strict=True))

    def _offer(self, index: int, text: str, variant: str | None) -> None:
        if variant is None:
            self._hub.offer(index, text)
            return
        self._hub.offer(index, text, lambda whole: damaged_frame(whole, variant))
        self.counts["malformed_sent"] += 1

    def _audible(self, indexes: Indexes) -> Indexes:
        now_s = self._monotonic_s()
        if not self._faults.any_silence(now_s):
            return indexes
        heard = [i for i in indexes.tolist() if not self._faults.is_silent(self._symbols[i], now_s)]
        self._faults.struck["silence"] += len(indexes) - len(heard)
        return np.array(heard, dtype=np.int64)
