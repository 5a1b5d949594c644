"""What Binance spot says, in its own meaning; every name is translated here, once.

Unknown fields are tolerated: the venue adds some from time to time. Numbers that the venue sends
as text stay text; parse.py turns them into ours. Not here: any judgement about the values.

Source: https://developers.binance.com/docs/binance-spot-api-docs (web-socket-streams.md,
rest-api.md), checked 2026-11-21.
"""

from __future__ import annotations

import msgspec


class WireKline(msgspec.Struct, frozen=True):
    """The `k` object of a kline event; volumes in base and quote units as decimal text."""

    open_time_ms: int = msgspec.field(name="t")
    close_time_ms: int = msgspec.field(name="T")
    interval: str = msgspec.field(name="i")
    open: str = msgspec.field(name="o")
    close: str = msgspec.field(name="c")
    high: str = msgspec.field(name="h")
    low: str = msgspec.field(name="l")
    volume: str = msgspec.field(name="v")
    trades: int = msgspec.field(name="n")
    is_closed: bool = msgspec.field(name="x")
    quote_volume: str = msgspec.field(name="q")
    taker_buy_volume: str = msgspec.field(name="V")


class KlineEvent(msgspec.Struct, frozen=True, tag_field="e", tag="kline"):
    """A kline update, pushed every 2 s while there are trades, and once when it closes."""

    event_time_ms: int = msgspec.field(name="E")
    symbol: str = msgspec.field(name="s")
    kline: WireKline = msgspec.field(name="k")


class _GlanceKline(msgspec.Struct, frozen=True, gc=False):
    is_closed: bool = msgspec.field(name="x")


class _GlanceEvent(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="kline"):
    symbol: str = msgspec.field(name="s")
    kline: _GlanceKline = msgspec.field(name="k")


class Glance(msgspec.Struct, frozen=True, gc=False):
    """The little of a combined-stream kline message that says whether it needs a full reading."""

    data: _GlanceEvent


class ServerShutdown(msgspec.Struct, frozen=True, tag_field="e", tag="serverShutdown"):
    """The server of this connection is about to stop: open a new connection at once."""

    event_time_ms: int = msgspec.field(name="E")


class CombinedMessage(msgspec.Struct, frozen=True):
    """The wrapper of `/stream?streams=…`: `{"stream": "<name>", "data": <event>}`."""

    stream: str
    data: KlineEvent | ServerShutdown


class ControlError(msgspec.Struct, frozen=True):
    """Why a control request was refused."""

    code: int
    message: str = msgspec.field(name="msg", default="")


class ControlReply(msgspec.Struct, frozen=True):
    """The answer to SUBSCRIBE and the like; `error` is None when it was accepted."""

    id: int | str | None
    error: ControlError | None = None


class RateLimit(msgspec.Struct, frozen=True, rename="camel"):
    """One limit of exchangeInfo; REQUEST_WEIGHT over one MINUTE is the one we live under."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class SymbolInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One instrument of exchangeInfo; status is TRADING, HALT, BREAK, END_OF_DAY, CANCEL_ONLY."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str


class ExchangeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The part of exchangeInfo we use."""

    server_time: int
    symbols: list[SymbolInfo]
    rate_limits: list[RateLimit] = []


class Ticker(msgspec.Struct, frozen=True, rename="camel"):
    """24 h statistics of one instrument; `quote_volume` is decimal text in quote units."""

    symbol: str
    quote_volume: str


class ServerTime(msgspec.Struct, frozen=True, rename="camel"):
    """The venue's clock, ms since the epoch."""

    server_time: int


class RestError(msgspec.Struct, frozen=True):
    """The body of a refused REST call."""

    code: int = 0
    message: str = msgspec.field(name="msg", default="")
