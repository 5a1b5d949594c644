"""Klines of 1 minute → klines of higher intervals, exactly. Pure.

Volumes are integers of 10⁻⁸ units, so the sums equal the venue's own whatever their order.
A higher kline is given out only if every minute of it was seen, or is known not to exist.
Called by collector/klines.py (live) and collector/backfill.py (at the start).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from shared.market.interval import Interval
from shared.market.kline import Kline


class ClosedSpan(msgspec.Struct, frozen=True):
    """A higher kline whose time is over.

    `kline` is None if the venue had none (no minute of it exists) or, with `is_covered` false,
    if its beginning was not seen: then the venue's own must be asked for.
    """

    interval: Interval
    open_time_ms: int
    kline: Kline | None
    is_covered: bool


class RollUp:
    """The forming kline of one symbol and one higher interval.

    `covered_from_ms` .. `covered_to_ms` is what has been added since the kline opened.
    """

    def __init__(self, interval: Interval, from_ms: int) -> None:
        self.interval = interval
        self.covered_from_ms = from_ms
        self.covered_to_ms = from_ms
        self.open_time_ms = interval.floor_ms(from_ms)
        self._forming: Kline | None = None

    def add_minute(self, minute: Kline) -> list[ClosedSpan]:
        """Add the next minute; minutes skipped since the last one do not exist at the venue."""
        closed = self.pass_time(minute.open_time_ms)
        self._forming = _merge(self._forming, minute, self.interval, self.open_time_ms)
        self.covered_to_ms = minute.closed_at_ms
        return closed + self._close_if_over()

    def pass_time(self, to_ms: int) -> list[ClosedSpan]:
        """Know that no minute exists up to `to_ms` beyond those added; returns what closed."""
        closed = []
        while to_ms >= self.open_time_ms + self.interval.duration_ms:
            self.covered_to_ms = self.open_time_ms + self.interval.duration_ms
            closed += self._close_if_over()
        self.covered_to_ms = max(self.covered_to_ms, to_ms)
        return closed

    def prepend(self, earlier: Sequence[Kline], from_ms: int, to_ms: int) -> bool:
        """Add what came before the first minute: klines that cover [from_ms, to_ms) together.

        Returns False, changing nothing, if they do not join exactly.
        """
        if from_ms > self.open_time_ms or to_ms != self.covered_from_ms:
            return False
        merged: Kline | None = None
        for kline in earlier:
            if self.open_time_ms <= kline.open_time_ms and kline.closed_at_ms <= to_ms:
                merged = _merge(merged, kline, self.interval, self.open_time_ms)
        if merged is not None and self._forming is not None:
            merged = _merge(merged, self._forming, self.interval, self.open_time_ms)
        self._forming = merged if merged is not None else self._forming
        self.covered_from_ms = self.open_time_ms
        return True

    def forget(self) -> None:
        """Distrust what was added (a minute was corrected): the kline counts as not covered."""
        self._forming = None
        self.covered_from_ms = self.covered_to_ms

    @property
    def is_covered(self) -> bool:
        """Return whether everything since the forming kline opened has been added."""
        return self.covered_from_ms <= self.open_time_ms

    def _close_if_over(self) -> list[ClosedSpan]:
        end_ms = self.open_time_ms + self.interval.duration_ms
        if self.covered_to_ms < end_ms:
            return []
        kline = self._forming if self.is_covered else None
        span = ClosedSpan(self.interval, self.open_time_ms, kline, self.is_covered)
        self.open_time_ms = self.covered_from_ms = end_ms
        self._forming = None
        return [span]


class SymbolRollUps:
    """The forming klines of one symbol, of all higher intervals."""

    def __init__(self, intervals: Iterable[Interval], from_ms: int) -> None:
        self.roll_ups = tuple(RollUp(interval, from_ms) for interval in intervals)

    def add_minute(self, minute: Kline) -> list[ClosedSpan]:
        """Add the next minute to every interval; returns what closed, in interval order."""
        return [span for roll_up in self.roll_ups for span in roll_up.add_minute(minute)]

    def pass_time(self, to_ms: int) -> list[ClosedSpan]:
        """Know that no minute exists up to `to_ms` beyond those added; returns what closed."""
        return [span for roll_up in self.roll_ups for span in roll_up.pass_time(to_ms)]


def _merge(first: Kline | None, then: Kline, interval: Interval, open_time_ms: int) -> Kline:
    """Return the kline of two neighbouring ones; `then` is the later.

    A minute without a trade carries the price of the minute before. The venue's higher kline is
    made of trades, so that price counts only where there is no trade at all.
    """
    if first is None:
        return msgspec.structs.replace(
            then, interval=interval, open_time_ms=open_time_ms, is_closed=True
        )
    early, late = first, then
    if _is_flat(then):
        late = first
    elif _is_flat(first):
        early = then
    return Kline(
        symbol=then.symbol,
        interval=interval,
        open_time_ms=open_time_ms,
        open=early.open,
        high=max(early.high, late.high),
        low=min(early.low, late.low),
        close=late.close,
        volume_e8=first.volume_e8 + then.volume_e8,
        quote_volume_e8=first.quote_volume_e8 + then.quote_volume_e8,
        trades=first.trades + then.trades,
        taker_buy_volume_e8=first.taker_buy_volume_e8 + then.taker_buy_volume_e8,
        is_closed=True,
        event_time_ms=then.event_time_ms,
        receive_time_ms=then.receive_time_ms,
    )


def _is_flat(kline: Kline) -> bool:
    return kline.trades == 0 and kline.volume_e8 == 0
