"""The words between the closer (pure) and those who act for it: events in, actions out.

Not here: any behaviour. Events are fed to collector/klines.py; actions are carried out by
collector/session.py.
"""

from __future__ import annotations

import msgspec

from shared.market.frame import Feed, Frame
from shared.market.interval import Interval
from shared.market.kline import Kline


class CloserConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a closer waits. `intervals`: all but 1m.

    Waits are in ms of the venue's time, counted from the close.
    `fetch_after_ms`: REST is asked for missing closes. `grace_ms`: the frame is published
    incomplete. `settle_ms`: a REST answer asked earlier than this may still be about to change,
    unless it shows a later kline (and in any case unless the market has been seen to go on).
    `retry_ms`: first wait before asking again (doubles, 16 times at most). `revision_gap_ms`:
    least time between two incomplete revisions of a frame.
    """

    venue: str
    feed: Feed
    intervals: tuple[Interval, ...]
    fetch_after_ms: int = 1000
    grace_ms: int = 2000
    settle_ms: int = 1500
    retry_ms: int = 600
    revision_gap_ms: int = 1000


class KlineClosed(msgspec.Struct, frozen=True):
    """The venue's close event of a 1m kline; may come twice, late, out of order, or never."""

    kline: Kline


class ClockTicked(msgspec.Struct, frozen=True):
    """The venue's time, told several times a second."""

    now_ms: int


class KlinesFetched(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to FetchKlines: all klines the venue has from `from_ms` on, oldest first.

    The forming one may come last. `asked_at_ms`: the venue's time when the call was sent.
    """

    symbol: str
    interval: Interval
    from_ms: int
    to_ms: int
    klines: tuple[Kline, ...]
    asked_at_ms: int


class FetchFailed(msgspec.Struct, frozen=True, kw_only=True):
    """FetchKlines got no answer; it will be asked for again."""

    symbol: str
    interval: Interval
    from_ms: int
    to_ms: int


class TradingKnown(msgspec.Struct, frozen=True):
    """The answer to CheckTrading: which of the symbols asked for trade now."""

    asked: frozenset[str]
    trading: frozenset[str]


Event = KlineClosed | ClockTicked | KlinesFetched | FetchFailed | TradingKnown


class PublishFrame(msgspec.Struct, frozen=True):
    """Store this frame; a higher revision of the same open time replaces a lower one."""

    frame: Frame


class FetchKlines(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the venue for the klines that open in [from_ms, to_ms]."""

    symbol: str
    interval: Interval
    from_ms: int
    to_ms: int


class CheckTrading(msgspec.Struct, frozen=True):
    """Ask the venue which instruments trade: these have no klines."""

    symbols: tuple[str, ...]


class ReplaceStream(msgspec.Struct, frozen=True):
    """The stream of this symbol is silent while the venue has trades: open a new connection."""

    symbol: str


class Resync(msgspec.Struct, frozen=True):
    """Too much was missed to repair minute by minute: start again from history."""

    reason: str


Action = PublishFrame | FetchKlines | CheckTrading | ReplaceStream | Resync
