"""A recording becomes a market: same values, other time, an end."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from local.venue.market_protocol import CLOSE, OPEN, TRADES, VOLUME
from local.venue.recording import read_recording
from local.venue.replay import ReplayMarket
from local.venue.start import open_market
from local.venue.wire import KlineTexts
from shared.errors import ConfigError
from shared.market.interval import MINUTE_MS, Interval

RECORDED_MS = 1_700_000_040_000
ANCHOR_MS = 1_795_231_062_512
MINUTE_NOW_MS = ANCHOR_MS - ANCHOR_MS % MINUTE_MS


def csv_row(minute: int) -> str:
    open_ms = RECORDED_MS + minute * MINUTE_MS
    price = 100 + minute
    prices = f"{price}.5,{price + 2},{price},{price + 1}.25"
    return f"{open_ms},{prices},3.001,{open_ms + 59_999},330.4,4,1.5,160"


def write_csv(folder: Path, symbol: str, minutes: list[int]) -> None:
    text = "open_time,open,high,low,close,volume,close_time,quote_asset_volume,trades,"
    text += "taker_buy_base,taker_buy_quote\n" + "\n".join(csv_row(m) for m in minutes) + "\n"
    with gzip.open(folder / f"{symbol}_1m.csv.gz", "wt") as file:
        file.write(text)


def event(symbol: str, minute: int, closed: bool) -> dict[str, Any]:
    open_ms = RECORDED_MS + minute * MINUTE_MS
    k = {"t": open_ms, "T": open_ms + 59_999, "s": symbol, "i": "1m", "f": 1, "L": 2}
    k |= {"o": "0.00000500", "c": "0.00000520", "h": "0.00000530", "l": "0.00000490"}
    k |= {"v": "2000000000000.00000000", "n": 3, "x": closed, "q": "10.40000000"}
    k |= {"V": "1000000000000.00000000", "Q": "5.20000000", "B": "0"}
    data = {"e": "kline", "E": open_ms + 60_010, "s": symbol, "k": k}
    return {"stream": f"{symbol.lower()}@kline_1m", "data": data}


def message(kind: str, url: str, raw: object, minute: int = 0) -> str:
    line = {"receive_time_ms": RECORDED_MS + minute * MINUTE_MS + 60_020, "kind": kind}
    # As the recorder and the venue write: no spaces.
    raw_text = raw if isinstance(raw, str) else json.dumps(raw, separators=(",", ":"))
    return json.dumps(line | {"url": url, "raw": raw_text}) + "\n"


def test_csv_plays_from_the_present_minute_and_ends(tmp_path: Path) -> None:
    write_csv(tmp_path, "AAAUSDT", list(range(10)))
    market = ReplayMarket(read_recording(tmp_path), ANCHOR_MS)
    assert market.ends_at_ms == MINUTE_NOW_MS + 2 * MINUTE_MS
    assert market.history_from_ms == MINUTE_NOW_MS - 8 * MINUTE_MS
    history = market.rows(0, Interval.M1, 0, MINUTE_NOW_MS - 1, ANCHOR_MS)
    text = KlineTexts(market.instruments).rows_json(0, history, MINUTE_MS)
    first = json.loads(text)[0]
    start_ms = MINUTE_NOW_MS - 8 * MINUTE_MS
    assert first == [
        start_ms,
        "100.50000000",
        "102.00000000",
        "100.00000000",
        "101.25000000",
        "3.00100000",
        start_ms + 59_999,
        "330.40000000",
        4,
        "1.50000000",
        "160.00000000",
        "0",
    ]
    assert len(history.open_times_ms) == 8
    present = market.minute(MINUTE_NOW_MS)
    assert present.columns[OPEN, 0] == 10_850
    assert present.present.all()
    assert not market.minute(market.ends_at_ms).present.any()


def test_gap_is_flat_for_rest_and_silent_on_the_socket(tmp_path: Path) -> None:
    write_csv(tmp_path, "AAAUSDT", [0, 1, 4, 5])
    market = ReplayMarket(read_recording(tmp_path), ANCHOR_MS, history_share=0.0)
    gap_ms = MINUTE_NOW_MS + 2 * MINUTE_MS
    assert not market.minute(gap_ms).present[0]
    now_ms = MINUTE_NOW_MS + 6 * MINUTE_MS
    found = market.rows(0, Interval.M1, 0, now_ms, now_ms)
    assert found.columns[CLOSE].tolist() == [10_125, 10_225, 10_225, 10_225, 10_525, 10_625]
    assert found.columns[TRADES].tolist() == [4, 4, 0, 0, 4, 4]


def test_forming_kline_of_a_longer_interval_holds_nothing_of_the_future(tmp_path: Path) -> None:
    write_csv(tmp_path, "AAAUSDT", list(range(30)))
    market = ReplayMarket(read_recording(tmp_path), ANCHOR_MS, history_share=0.0)
    # Two minutes and a half into a kline of five, wherever the anchor fell.
    bucket_ms = Interval.M5.floor_ms(MINUTE_NOW_MS + 6 * MINUTE_MS)
    now_ms = bucket_ms + 2 * MINUTE_MS + 30_000
    forming = market.rows(0, Interval.M5, bucket_ms, bucket_ms, now_ms)
    assert forming.open_times_ms.tolist() == [bucket_ms]
    # Two whole minutes of 3,001 lots, and half of the third.
    assert forming.columns[VOLUME].tolist() == [2 * 3_001 + 1_500]
    past = market.rows(0, Interval.M1, now_ms, now_ms + 5 * MINUTE_MS, now_ms)
    assert len(past.open_times_ms) == 0


def test_symbols_start_and_end_at_their_own_minutes(tmp_path: Path) -> None:
    write_csv(tmp_path, "AAAUSDT", list(range(10)))
    write_csv(tmp_path, "BBBBTC", [3, 4, 5])
    market = ReplayMarket(read_recording(tmp_path), ANCHOR_MS, history_share=0.0)
    assert [one.symbol for one in market.instruments] == ["AAAUSDT", "BBBBTC"]
    assert market.instruments[1].quote_asset == "BTC"
    now_ms = MINUTE_NOW_MS + 20 * MINUTE_MS
    found = market.rows(1, Interval.M1, 0, now_ms, now_ms)
    expected = [MINUTE_NOW_MS + minute * MINUTE_MS for minute in (3, 4, 5)]
    assert found.open_times_ms.tolist() == expected
    rolled = market.rows(0, Interval.M5, 0, now_ms, now_ms)
    assert rolled.columns[VOLUME].sum() == 10 * 3_001


def test_recorded_messages_give_closed_klines_only(tmp_path: Path) -> None:
    socket_url, rest = "wss://venue/stream", "https://venue/api/v3"
    bars = [event("PEPEUSDT", minute, True)["data"]["k"] for minute in (0, 1)]
    answer = [
        [b["t"], b["o"], b["h"], b["l"], b["c"], b["v"], b["T"], b["q"], 3, b["V"], b["Q"], "0"]
        for b in bars
    ]
    info = {"symbols": [{"symbol": "PEPEUSDT", "baseAsset": "PEPE", "quoteAsset": "USDT"}]}
    lines = [
        message("rest", f"{rest}/exchangeInfo", info),
        message("rest", f"{rest}/klines?symbol=PEPEUSDT&interval=1m&limit=2", answer, 0),
        message("ws", socket_url, event("PEPEUSDT", 2, False), 2),
        message("ws", socket_url, event("PEPEUSDT", 2, True), 2),
        message("ws", socket_url, '{"data":{"e":"kline","k":{"x":true,', 2),
        message("ws", socket_url, event("PEPEUSDT", 3, False), 3),
        "not json\n",
    ]
    (tmp_path / "0.jsonl").write_text("".join(lines))
    recording = read_recording(tmp_path)
    # Of the answer only the first had closed when it was received; minute 3 never closed.
    opens = sorted(recording.minutes["PEPEUSDT"])
    assert opens == [RECORDED_MS, RECORDED_MS + 2 * MINUTE_MS]
    assert recording.skipped == {"line_unreadable": 2}
    assert recording.assets == {"PEPEUSDT": ("PEPE", "USDT")}
    market = ReplayMarket(recording, ANCHOR_MS, history_share=0.0)
    assert (market.instruments[0].price_decimals, market.instruments[0].lot_decimals) == (7, 0)
    # 2·10^12 coins are 2·10^20 of 10^-8 coins: more than 63 bits hold.
    assert market.day_rows(market.ends_at_ms)[VOLUME, 0] == 4 * 10**12


def test_file_cut_short_gives_what_came_before(tmp_path: Path) -> None:
    text = "".join(message("ws", "wss://v", event("AUSDT", m, True), m) for m in range(300))
    whole = gzip.compress(text.encode())
    (tmp_path / "0.jsonl.gz").write_bytes(whole[: len(whole) * 3 // 4])
    recording = read_recording(tmp_path)
    assert recording.skipped["file_cut_short"] == 1
    assert 0 < len(recording.minutes["AUSDT"]) < 300


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("A_1m.csv", "1700000040000,1,2,0.5,x,3\n", "line 1 of A_1m.csv"),
        ("A_1m.csv", "1700000040001,1,2,0.5,1,3\n", "line 1 of A_1m.csv"),
        ("readme.txt", "nothing", "was none"),
    ],
)
def test_folder_without_a_readable_recording_is_refused(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_recording(tmp_path)


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a folder with a recording"):
        read_recording(tmp_path / "nowhere")


def test_restart_goes_on_with_the_same_market(tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    recording.mkdir()
    write_csv(recording, "AAAUSDT", list(range(100)))

    def start(name: str, now_ms: int) -> Any:
        return open_market(
            name,
            tmp_path / "state",
            now_ms=now_ms,
            seed=1,
            symbols=20,
            history_days=2,
            history_share=0.5,
        )

    for name in ("simulated", f"replay:{recording}"):
        first, second = start(name, ANCHOR_MS), start(name, ANCHOR_MS + 20 * MINUTE_MS)
        assert first.history_from_ms == second.history_from_ms
        at_ms = MINUTE_NOW_MS + 30 * MINUTE_MS
        np.testing.assert_array_equal(first.minute(at_ms).columns, second.minute(at_ms).columns)
    # Played to its end: from the beginning again.
    later_ms = ANCHOR_MS + 200 * MINUTE_MS
    assert start(f"replay:{recording}", later_ms).ends_at_ms > later_ms


def test_market_of_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected the market"):
        open_market(
            "casino",
            tmp_path,
            now_ms=0,
            seed=1,
            symbols=1,
            history_days=1,
            history_share=0.8,
        )
