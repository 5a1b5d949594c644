"""The venue's texts: kline arrays, kline events, tickers, errors. Pure.

Wire: https://developers.binance.com/docs/binance-spot-api-docs (rest-api, web-socket-streams),
checked 2026-11-21. Numbers are strings with eight decimals; `T` is the inclusive close time.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.venue.market_protocol import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    QUOTE_VOLUME,
    TAKER_QUOTE_VOLUME,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    Columns,
    Instrument,
    Rows,
)
from shared.market.interval import MINUTE_MS

_E8 = 10**8
_NUMBER = '"%d.%08d"'
_ROW = f"[%d,{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER},%d,{_NUMBER},%d,{_NUMBER},{_NUMBER},"
_ROW += '"0"]'
_STREAM_SUFFIX = "@kline_1m"
# Trade ids are made up but grow and fit the count: room for this many trades a minute.
_TRADE_IDS_PER_MINUTE = 10_000
_TEXT_FRAME = 0x81


def stream_name(symbol: str) -> str:
    """Return the stream that carries the symbol's minutes."""
    return symbol.lower() + _STREAM_SUFFIX


class KlineTexts:
    """Formats rows of known instruments; holds their scales and text templates only."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        price = np.array([one.price_decimals for one in instruments])
        lot = np.array([one.lot_decimals for one in instruments])
        self._price_unit, self._price_rest = 10**price, 10 ** (8 - price)
        self._lot_unit, self._lot_rest = 10**lot, 10 ** (8 - lot)
        self._events = [
            (_event(one.symbol, "false"), _event(one.symbol, "true")) for one in instruments
        ]

    def rows_json(self, index: int, rows: Rows, duration_ms: int) -> str:
        """Return the REST answer: a JSON array of arrays."""
        count = len(rows.open_times_ms)
        if count == 0:
            return "[]"
        numbers = np.empty((count, 19), dtype=np.int64)
        c = rows.columns
        numbers[:, 0] = rows.open_times_ms
        self._prices(numbers, 1, c[[OPEN, HIGH, LOW, CLOSE]], index)
        self._lots(numbers, 9, c[VOLUME], index)
        numbers[:, 11] = rows.open_times_ms + (duration_ms - 1)
        numbers[:, 12], numbers[:, 13] = np.divmod(c[QUOTE_VOLUME], _E8)
        numbers[:, 14] = c[TRADES]
        self._lots(numbers, 15, c[TAKER_VOLUME], index)
        numbers[:, 17], numbers[:, 18] = np.divmod(c[TAKER_QUOTE_VOLUME], _E8)
        template = ",".join([_ROW] * count)
        return "[" + template % tuple(numbers.ravel().tolist()) + "]"

    def events(
        self,
        indexes: NDArray[np.int64],
        columns: Columns,
        open_time_ms: int,
        event_time_ms: int,
        is_closed: bool,
    ) -> list[str]:
        """Return the `kline` event of each symbol: int64[9, k] columns of one minute."""
        c = columns
        numbers = np.empty((len(indexes), 22), dtype=np.int64)
        first_id = open_time_ms // MINUTE_MS * _TRADE_IDS_PER_MINUTE
        traded = c[TRADES] > 0
        numbers[:, 0] = event_time_ms
        numbers[:, 1] = open_time_ms
        numbers[:, 2] = open_time_ms + MINUTE_MS - 1
        numbers[:, 3] = np.where(traded, first_id, -1)
        numbers[:, 4] = np.where(traded, first_id + c[TRADES] - 1, -1)
        self._prices(numbers, 5, c[[OPEN, CLOSE, HIGH, LOW]], indexes)
        self._lots(numbers, 13, c[VOLUME], indexes)
        numbers[:, 15] = c[TRADES]
        numbers[:, 16], numbers[:, 17] = np.divmod(c[QUOTE_VOLUME], _E8)
        self._lots(numbers, 18, c[TAKER_VOLUME], indexes)
        numbers[:, 20], numbers[:, 21] = np.divmod(c[TAKER_QUOTE_VOLUME], _E8)
        events = self._events
        return [
            events[index][is_closed] % tuple(row)
            for index, row in zip(indexes.tolist(), numbers.tolist(), strict=True)
        ]

    def tickers(
        self, indexes: Sequence[int], columns: Columns, now_ms: int
    ) -> list[dict[str, Any]]:
        """Return `ticker/24hr` objects without their symbol; columns are int64[9, symbols]."""
        result: list[dict[str, Any]] = []
        for index in indexes:
            o, h, low, c, v, q, n, _, _ = columns[:, index].tolist()
            price = int(self._price_rest[index])
            vwap = q // max(v * int(self._lot_rest[index]), 1)
            result.append(
                {
                    "priceChange": e8_text((c - o) * price),
                    "priceChangePercent": f"{100 * (c - o) / o if o else 0:.3f}",
                    "weightedAvgPrice": e8_text(vwap * _E8 if v else 0),
                    "prevClosePrice": e8_text(o * price),
                    "lastPrice": e8_text(c * price),
                    "openPrice": e8_text(o * price),
                    "highPrice": e8_text(h * price),
                    "lowPrice": e8_text(low * price),
                    "volume": e8_text(v * int(self._lot_rest[index])),
                    "quoteVolume": e8_text(q),
                    "openTime": now_ms - 86_400_000,
                    "closeTime": now_ms,
                    "firstId": -1,
                    "lastId": -1,
                    "count": n,
                }
            )
        return result

    def _prices(
        self, numbers: Columns, at: int, prices: Columns, index: int | NDArray[np.int64]
    ) -> None:
        whole, rest = np.divmod(prices, self._price_unit[index])
        numbers[:, at : at + 8 : 2] = whole.T
        numbers[:, at + 1 : at + 9 : 2] = (rest * self._price_rest[index]).T

    def _lots(
        self,
        numbers: Columns,
        at: int,
        lots: NDArray[np.int64],
        index: int | NDArray[np.int64],
    ) -> None:
        whole, rest = np.divmod(lots, self._lot_unit[index])
        numbers[:, at] = whole
        numbers[:, at + 1] = rest * self._lot_rest[index]


def e8_text(value_e8: int) -> str:
    """Return an integer of 10⁻⁸ units as the venue writes it."""
    sign = "-" if value_e8 < 0 else ""
    whole, rest = divmod(abs(value_e8), _E8)
    return f"{sign}{whole}.{rest:08d}"


def combined_text(stream: str, data: str) -> str:
    """Return an event as a combined stream wraps it."""
    return f'{{"stream":"{stream}","data":{data}}}'


def shutdown_event(event_time_ms: int) -> str:
    """Return the event that announces the end of a connection."""
    return f'{{"e":"serverShutdown","E":{event_time_ms}}}'


def error_json(code: int, message: str) -> str:
    """Return the venue's error body."""
    return json.dumps({"code": code, "msg": message}, separators=(",", ":"))


def text_frame(payload: bytes, first_byte: int = _TEXT_FRAME) -> bytes:
    """Return an unmasked WebSocket frame (RFC 6455 5.2): equal for all clients, so made once."""
    length = len(payload)
    if length < 126:
        return bytes((first_byte, length)) + payload
    if length < 65_536:
        return struct.pack("!BBH", first_byte, 126, length) + payload
    return struct.pack("!BBQ", first_byte, 127, length) + payload


def _event(symbol: str, is_closed: str) -> str:
    n = _NUMBER
    return (
        f'{{"e":"kline","E":%d,"s":"{symbol}","k":{{"t":%d,"T":%d,"s":"{symbol}","i":"1m",'
        f'"f":%d,"L":%d,"o":{n},"c":{n},"h":{n},"l":{n},"v":{n},"n":%d,"x":{is_closed},'
        f'"q":{n},"V":{n},"Q":{n},"B":"0"}}}}'
    )
