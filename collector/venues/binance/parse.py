"""Binance's messages → our words. Pure: bytes in, values out.

Called by collector/session.py (live), collector/replay.py (recordings) and
collector/backfill.py (REST). Not here: sockets, clocks, what is done with a kline.

Source: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams and
…/rest-api/market-data-endpoints, checked 2026-11-21.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from collector.venues.binance.messages import (
    CombinedMessage,
    ControlReply,
    Glance,
    KlineEvent,
    ServerShutdown,
)
from shared.errors import MalformedMessage
from shared.market.interval import Interval
from shared.market.kline import Kline, parse_e8

# One row of GET /api/v3/klines: open time, open, high, low, close, volume, close time,
# quote volume, trades, taker buy base volume, taker buy quote volume, unused.
RestRow = tuple[int, str, str, str, str, str, int, str, int, str, str, str]
# The same with the texts read as float64 by the decoder (lax mode): prices and volumes only.
_RestFloats = tuple[
    int, float, float, float, float, float, int, float, int, float, float, msgspec.Raw
]

_COMBINED = msgspec.json.Decoder(CombinedMessage)

# Read whether a message is a forming kline, and of which symbol; msgspec.DecodeError for all that
# is no kline. 29 of 30 messages only say that their stream is alive: their JSON is checked, their
# prices are not, as nobody uses them. Several times quicker than reading them whole, and a bare
# decoder because a function around it would cost a tenth of that.
read_glance = msgspec.json.Decoder(Glance).decode
_RAW_EVENT: msgspec.json.Decoder[KlineEvent | ServerShutdown] = msgspec.json.Decoder(
    KlineEvent | ServerShutdown
)
_REPLY = msgspec.json.Decoder(ControlReply)
_ROWS = msgspec.json.Decoder(list[RestRow])
_FLOATS = msgspec.json.Decoder(list[_RestFloats], strict=False)

# Calling the enum takes ten times as long.
_INTERVALS = {str(interval): interval for interval in Interval}

SocketMessage = Kline | ServerShutdown | ControlReply


def parse_message(raw: bytes, receive_time_ms: int) -> SocketMessage:
    """Return what one socket message means.

    The wire (combined stream; the raw stream sends `data` alone):
    ```
    {"stream":"bnbbtc@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{
      "t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010",
      "c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500",
      "Q":"0.500","B":"123456"}}}
    {"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}
    {"e":"serverShutdown","E":1770123456789}
    {"result":null,"id":1}
    {"error":{"code":2,"msg":"Invalid request: …"},"id":1}
    ```
    Raises: MalformedMessage with `kind` not_json, unknown_event, wrong_shape or bad_value.
    """
    try:
        event = _COMBINED.decode(raw).data
    except msgspec.DecodeError as error:
        other = _parse_other(raw, error)
        if isinstance(other, ControlReply):
            return other
        event = other
    if isinstance(event, ServerShutdown):
        return event
    return _kline_of_event(event, receive_time_ms)


def _parse_other(
    raw: bytes, error: msgspec.DecodeError
) -> KlineEvent | ServerShutdown | ControlReply:
    """Return a message that is not a known combined one; the slow and rare path."""
    try:
        loose = msgspec.json.decode(raw)
    except msgspec.DecodeError as not_json:
        raise MalformedMessage(f"expected JSON, was {raw[:80]!r}", kind="not_json") from not_json
    if isinstance(loose, dict):
        event = loose.get("data", loose)
        name = event.get("e") if isinstance(event, dict) else None
        try:
            if "id" in loose and ("result" in loose or "error" in loose):
                return _REPLY.decode(raw)
            if "data" not in loose and name in ("kline", "serverShutdown"):
                return _RAW_EVENT.decode(raw)
        except msgspec.DecodeError as wrong:
            raise MalformedMessage(str(wrong), kind="wrong_shape") from wrong
        if isinstance(name, str) and name not in ("kline", "serverShutdown"):
            raise MalformedMessage(
                f"expected a kline, was event {name[:40]!r}", kind="unknown_event"
            ) from error
        if name is None and "data" in loose:
            raise MalformedMessage(
                f"expected a kline, was stream {str(loose.get('stream'))[:40]!r}",
                kind="unknown_event",
            ) from error
    raise MalformedMessage(str(error), kind="wrong_shape") from error


def _kline_of_event(event: KlineEvent, receive_time_ms: int) -> Kline:
    wire = event.kline
    try:
        kline = Kline(
            symbol=event.symbol,
            interval=_INTERVALS[wire.interval],
            open_time_ms=wire.open_time_ms,
            open=float(wire.open),
            high=float(wire.high),
            low=float(wire.low),
            close=float(wire.close),
            volume_e8=parse_e8(wire.volume),
            quote_volume_e8=parse_e8(wire.quote_volume),
            trades=wire.trades,
            taker_buy_volume_e8=parse_e8(wire.taker_buy_volume),
            is_closed=wire.is_closed,
            event_time_ms=event.event_time_ms,
            receive_time_ms=receive_time_ms,
        )
    except (ValueError, KeyError) as error:
        raise MalformedMessage(
            f"expected decimal numbers and a known interval, was {error}",
            kind="bad_value",
            symbol=event.symbol,
        ) from error
    return _checked(kline, wire.close_time_ms)


def _checked(kline: Kline, close_time_ms: int) -> Kline:
    """Return the kline if its times and values can be true; NaN fails every comparison."""
    duration_ms = kline.interval.duration_ms
    open_time_ms = kline.open_time_ms
    if open_time_ms % duration_ms or close_time_ms != open_time_ms + duration_ms - 1:
        raise MalformedMessage(
            f"expected a {kline.interval} kline on its grid, was "
            f"[{kline.open_time_ms}, {close_time_ms}]",
            kind="bad_value",
            symbol=kline.symbol,
        )
    low, high = kline.low, kline.high
    ordered = 0 <= low <= kline.open <= high and low <= kline.close <= high and high < math.inf
    if not ordered or kline.trades < 0 or kline.volume_e8 < 0:
        raise MalformedMessage(
            f"expected low ≤ open, close ≤ high, was {kline.row()}",
            kind="bad_value",
            symbol=kline.symbol,
        )
    return kline


def parse_klines(
    raw: bytes, symbol: str, interval: Interval, *, receive_time_ms: int, from_ms: int = 0
) -> list[Kline]:
    """Return the klines of one REST reply that open at `from_ms` or later, oldest first.

    The last may still be forming: one has closed if its time was over at `receive_time_ms`
    (the venue's time). The wire:
    ```
    [[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",
      1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","0"]]
    ```
    Raises: MalformedMessage (kind as in parse_message).
    """
    try:
        rows: Sequence[RestRow] = _ROWS.decode(raw)
    except msgspec.DecodeError as error:
        raise MalformedMessage(f"klines of {symbol}: {error}", kind="wrong_shape") from error
    try:
        return [
            _checked(
                Kline(
                    symbol=symbol,
                    interval=interval,
                    open_time_ms=row[0],
                    open=float(row[1]),
                    high=float(row[2]),
                    low=float(row[3]),
                    close=float(row[4]),
                    volume_e8=parse_e8(row[5]),
                    quote_volume_e8=parse_e8(row[7]),
                    trades=row[8],
                    taker_buy_volume_e8=parse_e8(row[9]),
                    is_closed=row[6] < receive_time_ms,
                    event_time_ms=row[6],
                    receive_time_ms=receive_time_ms,
                ),
                row[6],
            )
            for row in rows
            if row[0] >= from_ms
        ]
    except ValueError as error:
        raise MalformedMessage(f"klines of {symbol}: {error}", kind="bad_value") from error


def parse_kline_columns(raw: bytes, symbol: str) -> tuple[list[int], NDArray[np.float64]]:
    """Return the open times and float64[8, bars] (rows as COLUMNS) of one REST reply.

    The quick way for history: no object a bar. The values equal `Kline.row()` of parse_klines,
    because both round the decimal text once. Raises: MalformedMessage.
    """
    try:
        rows = _FLOATS.decode(raw)
    except msgspec.DecodeError as error:
        raise MalformedMessage(f"klines of {symbol}: {error}", kind="wrong_shape") from error
    if not rows:
        return [], np.empty((8, 0))
    columns = np.array(
        [(r[1], r[2], r[3], r[4], r[5], r[7], r[8], r[9]) for r in rows], dtype=np.float64
    ).T
    if not np.isfinite(columns).all() or (columns[2] > columns[1]).any() or (columns < 0).any():
        raise MalformedMessage(f"klines of {symbol}: not finite or low > high", kind="bad_value")
    return [r[0] for r in rows], columns
