"""What the venue says → our words, by value; and what it must not say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.venues.binance.messages import ControlReply, ServerShutdown
from collector.venues.binance.parse import parse_kline_columns, parse_klines, parse_message
from shared.errors import MalformedMessage
from shared.market.interval import Interval
from shared.market.kline import Kline

WIRE_KLINE = {
    "t": 1672515780000,
    "T": 1672515839999,
    "s": "BNBBTC",
    "i": "1m",
    "f": 100,
    "L": 200,
    "o": "0.0010",
    "c": "0.0020",
    "h": "0.0025",
    "l": "0.0010",
    "v": "1000",
    "n": 100,
    "x": True,
    "q": "1.0000",
    "V": "500",
    "Q": "0.500",
    "B": "123456",
}
EVENT = {"e": "kline", "E": 1672515840136, "s": "BNBBTC", "k": WIRE_KLINE}
KLINE = Kline(
    symbol="BNBBTC",
    interval=Interval.M1,
    open_time_ms=1672515780000,
    open=0.001,
    high=0.0025,
    low=0.001,
    close=0.002,
    volume_e8=1000 * 10**8,
    quote_volume_e8=10**8,
    trades=100,
    taker_buy_volume_e8=500 * 10**8,
    is_closed=True,
    event_time_ms=1672515840136,
    receive_time_ms=7,
)
ROW = [
    1499040000000,
    "0.01634790",
    "0.80000000",
    "0.01575800",
    "0.01577100",
    "148976.11427815",
    1499040059999,
    "2434.19055334",
    308,
    "1756.87402397",
    "28.46694368",
    "0",
]


def combined(event: object) -> bytes:
    return json.dumps({"stream": "bnbbtc@kline_1m", "data": event}).encode()


@pytest.mark.parametrize("raw", [combined(EVENT), json.dumps(EVENT).encode()])
def test_kline_event_combined_or_raw_is_the_kline(raw: bytes) -> None:
    assert parse_message(raw, 7) == KLINE


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
            ServerShutdown(1770123456789),
        ),
        (b'{"e":"serverShutdown","E":1770123456789}', ServerShutdown(1770123456789)),
        (b'{"result":null,"id":1}', ControlReply(1)),
        (b'{"result":null,"id":"abc"}', ControlReply("abc")),
    ],
)
def test_other_message_is_recognised(raw: bytes, expected: object) -> None:
    assert parse_message(raw, 0) == expected


def test_control_error_is_told_with_its_code() -> None:
    reply = parse_message(b'{"error":{"code":2,"msg":"Invalid request"},"id":1}', 0)
    assert isinstance(reply, ControlReply) and reply.error is not None
    assert (reply.error.code, reply.error.message) == (2, "Invalid request")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "not_json"),
        (b'{"stream":"a","data":{"e":"kli', "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[1,2]", "wrong_shape"),
        (b"null", "wrong_shape"),
        (b'{"stream":"a","data":{"e":"depthUpdate","E":1}}', "unknown_event"),
        (b'{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT"}}', "unknown_event"),
        (combined(EVENT | {"k": {}}), "wrong_shape"),
        (combined(EVENT | {"E": "soon"}), "wrong_shape"),
        (combined(EVENT | {"k": WIRE_KLINE | {"o": 0.001}}), "wrong_shape"),
        (json.dumps(EVENT | {"k": 1}).encode(), "wrong_shape"),
        (combined(EVENT | {"k": WIRE_KLINE | {"o": "abc"}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"v": "NaN"}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"c": "nan"}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"h": "inf"}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"h": "0.0001"}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"l": "-1"}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"i": "1s"}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"t": 1672515780001}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"T": 1672515839998}}), "bad_value"),
        (combined(EVENT | {"k": WIRE_KLINE | {"n": -1}}), "bad_value"),
    ],
)
def test_malformed_message_is_named_by_kind(raw: bytes, kind: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(raw, 0)
    assert caught.value.context["kind"] == kind


@given(st.binary(max_size=200) | st.from_regex(r'\{"(stream|e|data|id)":.*\}').map(str.encode))
def test_any_bytes_are_a_message_or_malformed_never_another_error(raw: bytes) -> None:
    try:
        parse_message(raw, 0)
    except MalformedMessage as error:
        assert error.context["kind"]


def test_rest_klines_last_one_is_forming_while_its_time_is_not_over() -> None:
    later = [ROW[0] + 60_000, *ROW[1:6], ROW[6] + 60_000, *ROW[7:]]  # type: ignore[operator]
    raw = json.dumps([ROW, later]).encode()
    now_ms = 1499040060000 + 5
    first, second = parse_klines(raw, "BNBBTC", Interval.M1, receive_time_ms=now_ms)
    assert (first.is_closed, second.is_closed) == (True, False)
    assert first.volume_e8 == 14_897_611_427_815
    assert first.row() == (
        0.0163479,
        0.8,
        0.015758,
        0.015771,
        148976.11427815,
        2434.19055334,
        308.0,
        1756.87402397,
    )
    only = parse_klines(
        raw, "BNBBTC", Interval.M1, receive_time_ms=now_ms, from_ms=second.open_time_ms
    )
    assert only == [second]


@pytest.mark.parametrize(
    "raw", [b"{}", b"[[1]]", b"", b'{"code":-1121,"msg":"Invalid symbol."}', b'[["a"]]']
)
def test_rest_klines_of_another_shape_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_klines(raw, "X", Interval.M1, receive_time_ms=0)
    with pytest.raises(MalformedMessage):
        parse_kline_columns(raw, "X")


def decimal_text() -> st.SearchStrategy[str]:
    """Decimal texts as the venue writes them: up to 15 digits, eight decimals."""
    return st.tuples(st.integers(0, 10**9), st.integers(0, 10**8 - 1)).map(
        lambda parts: f"{parts[0]}.{parts[1]:08d}"
    )


@given(st.lists(st.tuples(decimal_text(), decimal_text(), decimal_text()), max_size=20))
def test_columns_of_history_equal_the_rows_of_klines(texts: list[tuple[str, str, str]]) -> None:
    """The quick path and the exact path round every number the same way."""
    rows = []
    for number, (price, volume, quote) in enumerate(texts):
        open_ms = 1499040000000 + number * 60_000
        prices = [price] * 4
        rows.append(
            [open_ms, *prices, volume, open_ms + 59_999, quote, 3, volume, "0.00000000", "0"]
        )
    raw = json.dumps(rows).encode()
    times, columns = parse_kline_columns(raw, "X")
    klines = parse_klines(raw, "X", Interval.M1, receive_time_ms=0)
    assert times == [kline.open_time_ms for kline in klines]
    expected = np.array([kline.row() for kline in klines]).reshape(-1, 8).T
    assert np.array_equal(columns, expected)
