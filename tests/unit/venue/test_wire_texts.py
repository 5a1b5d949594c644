"""The venue's texts carry exactly the integers they were made from."""

from __future__ import annotations

import json

import numpy as np
import pytest

from local.venue.damage import damaged_frame
from local.venue.fault import VARIANTS
from local.venue.listing import exchange_info
from local.venue.market import SimulatedMarket
from local.venue.market_protocol import Instrument, Rows
from local.venue.wire import KlineTexts, combined_text, e8_text, text_frame
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import parse_e8

NOW_MS = 1_795_231_062_512


def test_rows_json_of_known_integers_is_the_venues_text() -> None:
    instrument = Instrument(
        symbol="AAABBB", base_asset="AAA", quote_asset="BBB", price_decimals=2, lot_decimals=3
    )
    columns = np.array([[12345], [12400], [9], [12399], [1500], [18_000_000_001], [7], [4], [50]])
    text = KlineTexts([instrument]).rows_json(0, Rows(np.array([60_000]), columns), MINUTE_MS)
    assert text == (
        '[[60000,"123.45000000","124.00000000","0.09000000","123.99000000","1.50000000",119999,'
        '"180.00000001",7,"0.00400000","0.00000050","0"]]'
    )


def test_event_of_known_integers_is_the_venues_message() -> None:
    instrument = Instrument(
        symbol="AAABBB", base_asset="AAA", quote_asset="BBB", price_decimals=8, lot_decimals=0
    )
    columns = np.array([[1], [3], [1], [2], [5], [10], [2], [3], [6]])
    text = KlineTexts([instrument]).events(np.array([0]), columns, 120_000, 180_021, True)[0]
    assert json.loads(combined_text("aaabbb@kline_1m", text)) == {
        "stream": "aaabbb@kline_1m",
        "data": {
            "e": "kline",
            "E": 180_021,
            "s": "AAABBB",
            "k": {
                "t": 120_000,
                "T": 179_999,
                "s": "AAABBB",
                "i": "1m",
                "f": 20_000,
                "L": 20_001,
                "o": "0.00000001",
                "c": "0.00000002",
                "h": "0.00000003",
                "l": "0.00000001",
                "v": "5.00000000",
                "n": 2,
                "x": True,
                "q": "0.00000010",
                "V": "3.00000000",
                "Q": "0.00000006",
                "B": "0",
            },
        },
    }


def test_sums_of_minute_texts_equal_the_hour_texts() -> None:
    market = SimulatedMarket(3, 30, anchor_ms=NOW_MS, history_days=2)
    texts = KlineTexts(market.instruments)
    hour_ms = Interval.H1.floor_ms(NOW_MS) - Interval.H1.duration_ms
    last_ms = hour_ms + Interval.H1.duration_ms - 1
    for index in (0, 3, 11, 14, 29):
        minutes = json.loads(
            texts.rows_json(
                index, market.rows(index, Interval.M1, hour_ms, last_ms, NOW_MS), MINUTE_MS
            )
        )
        hours = market.rows(index, Interval.H1, hour_ms, hour_ms, NOW_MS)
        (hour,) = json.loads(texts.rows_json(index, hours, Interval.H1.duration_ms))
        assert len(minutes) == 60
        for column in (5, 7, 9, 10):
            assert sum(parse_e8(row[column]) for row in minutes) == parse_e8(hour[column])
        assert max(parse_e8(row[2]) for row in minutes) == parse_e8(hour[2])
        assert hour[6] == last_ms


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_text_frame_length_is_written_as_rfc_6455_says(length: int) -> None:
    frame = text_frame(b"x" * length)
    assert frame[0] == 0x81
    if length < 126:
        assert frame[1] == length
    elif length < 65_536:
        assert (frame[1], int.from_bytes(frame[2:4])) == (126, length)
    else:
        assert (frame[1], int.from_bytes(frame[2:10])) == (127, length)
    assert frame.endswith(b"x" * length)


def test_e8_text_keeps_sign_and_decimals() -> None:
    assert e8_text(-123_456_789) == "-1.23456789"
    assert e8_text(5) == "0.00000005"


@pytest.mark.parametrize("variant", VARIANTS)
def test_damaged_frame_differs_from_the_whole_one(variant: str) -> None:
    market = SimulatedMarket(3, 1, anchor_ms=NOW_MS, history_days=1)
    bars = market.minute(NOW_MS - NOW_MS % MINUTE_MS)
    text = KlineTexts(market.instruments).events(
        np.array([0]), bars.columns[:, :1], bars.open_time_ms, NOW_MS, True
    )[0]
    assert damaged_frame(text, variant) != text_frame(text.encode())


def test_damaged_frame_of_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of bad_json"):
        damaged_frame("{}", "melted")


def test_exchange_info_tells_steps_and_status() -> None:
    market = SimulatedMarket(3, 500, anchor_ms=NOW_MS)
    info = exchange_info(market.instruments, NOW_MS, 6_000)
    trading = [
        one["symbol"]
        for one in info["symbols"]
        if one["status"] == "TRADING" and one["quoteAsset"] == "USDT"
    ]
    assert len(trading) == len(set(trading)) == 500
    assert {one["status"] for one in info["symbols"]} == {
        "TRADING",
        "BREAK",
        "HALT",
        "CANCEL_ONLY",
    }
    filters = {one["filterType"]: one for one in info["symbols"][0]["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert info["rateLimits"][0]["limit"] == 6_000
