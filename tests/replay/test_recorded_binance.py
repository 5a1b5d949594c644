"""Recordings from the world through the real parser, closer and roll-up, compared by value."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from collector.actions import CloserConfig
from collector.malformed import MalformedLog
from collector.record import RecordedMessage
from collector.replay import replay_messages, symbols_of
from collector.rollup import RollUp
from collector.universe import UniverseRule, choose_universe
from collector.venues.binance.messages import ExchangeInfo, Ticker
from collector.venues.binance.parse import parse_message
from shared.errors import MalformedMessage
from shared.market.frame import Feed
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import UNITS_PER_COIN, Kline, parse_e8

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SOCKETS = DATA / "binance_ws_cryptofeed"
MINUTES = DATA / "klines_1m" / "BTCUSDT_1m_2025-12-12_2025-12-19.json.gz"

needs_sockets = pytest.mark.skipif(
    not SOCKETS.is_dir(), reason="no recorded socket frames (../shared/data) on this machine"
)
needs_minutes = pytest.mark.skipif(
    not MINUTES.is_file(), reason="no recorded minutes (../shared/data) on this machine"
)


def read_socket_lines(name: str) -> Iterator[RecordedMessage]:
    """Yield the frames of a cryptofeed recording: `<unix s>: <json>`, URLs on their own lines."""
    with gzip.open(SOCKETS / name, "rt") as file:
        url = ""
        for line in file:
            if line.startswith("wss://"):
                url = line.partition(" ")[0]
                continue
            if line == "\n":
                continue
            at_s, _, raw = line.rstrip("\n").partition(": ")
            yield RecordedMessage(int(Decimal(at_s) * 1000), "ws", url.partition("?")[0], raw)


def expected_row(wire: dict[str, str | int]) -> tuple[float, ...]:
    """Return the row of a wire kline without our parser: text → Decimal → float."""
    return tuple(float(Decimal(str(wire[name]))) for name in "ohlcvqnV")


@needs_sockets
@pytest.mark.parametrize(
    ("name", "klines", "closed"),
    [("BINANCE.ws.1.0.gz", 2, 0), ("BINANCE_US.ws.1.0.gz", 5, 1)],
)
def test_recorded_socket_frames_give_every_kline_by_value(
    name: str, klines: int, closed: int
) -> None:
    found: list[Kline] = []
    others: Counter[str] = Counter()
    for message in read_socket_lines(name):
        try:
            parsed = parse_message(message.raw.encode(), message.receive_time_ms)
        except MalformedMessage as error:
            others[str(error.context["kind"])] += 1
            continue
        assert isinstance(parsed, Kline)
        wire = json.loads(message.raw)["data"]
        assert (parsed.symbol, parsed.event_time_ms) == (wire["s"], wire["E"])
        assert (parsed.open_time_ms, parsed.is_closed) == (wire["k"]["t"], wire["k"]["x"])
        assert parsed.row() == expected_row(wire["k"])
        assert parsed.receive_time_ms == message.receive_time_ms
        found.append(parsed)
    assert (len(found), sum(kline.is_closed for kline in found)) == (klines, closed)
    # Books and trades are not ours: named as such, never guessed at.
    assert set(others) == {"unknown_event"}


@needs_sockets
def test_recorded_close_becomes_a_frame() -> None:
    messages = list(read_socket_lines("BINANCE_US.ws.1.0.gz"))
    symbols = symbols_of(messages)
    assert symbols == ("OMGBUSD",)
    config = CloserConfig(venue="binance", feed=Feed.REPLAY, intervals=(Interval.M5,))
    malformed = MalformedLog()
    frames = list(replay_messages(messages, symbols, config, malformed))
    [minute] = [frame for frame in frames if frame.interval is Interval.M1]
    assert (minute.open_time_ms, minute.complete) == (1633998240000, True)
    [wire] = [json.loads(m.raw)["data"]["k"] for m in messages if '"x":true' in m.raw]
    assert tuple(minute.columns[:, 0]) == expected_row(wire)
    assert minute.received_at_ms == 1633998301680
    # The five minutes began before the recording: not made up.
    assert [frame.interval for frame in frames] == [Interval.M1]
    assert malformed.counts["unknown_event"] == len(messages) - 5


@needs_sockets
def test_recorded_exchange_info_gives_a_universe() -> None:
    with gzip.open(SOCKETS / "BINANCE.0.gz", "rt") as file:
        lines = [line for line in file if "exchangeInfo ->" in line]
    info = msgspec.json.decode(lines[0].partition(": ")[2], type=ExchangeInfo)
    assert (len(info.symbols), info.rate_limits[0].limit) == (1695, 1200)
    tickers = [Ticker(s.symbol, str(n)) for n, s in enumerate(info.symbols)]
    rule = UniverseRule(size=100, quote="USDT", volume_min=1)
    universe = choose_universe(rule, info, tickers, None)
    assert len(universe.symbols) == 100
    known = {s.symbol: s for s in info.symbols}
    assert all(known[s].status == "TRADING" for s in universe.symbols)
    assert all(known[s].quote_asset == "USDT" for s in universe.symbols)


def recorded_minutes() -> list[Kline]:
    with gzip.open(MINUTES, "rt") as file:
        bars = json.loads(file.read(), parse_float=str, parse_int=str)["data"]
    return [
        Kline(
            symbol="BTCUSDT",
            interval=Interval.M1,
            open_time_ms=int(bar["timestamp"]),
            open=float(bar["open"]),
            high=float(bar["high"]),
            low=float(bar["low"]),
            close=float(bar["close"]),
            volume_e8=parse_e8(bar["volume"]),
            quote_volume_e8=0,
            trades=1,
            taker_buy_volume_e8=0,
            is_closed=True,
            event_time_ms=0,
            receive_time_ms=0,
        )
        for bar in bars
    ]


@needs_minutes
@pytest.mark.parametrize("interval", [i for i in Interval if i is not Interval.M1])
def test_recorded_minutes_roll_up_to_what_decimal_arithmetic_gives(interval: Interval) -> None:
    minutes = recorded_minutes()
    roll_up = RollUp(interval, minutes[0].open_time_ms)
    spans = [span for minute in minutes for span in roll_up.add_minute(minute)]
    # The first one began before the recording, unless it starts on its grid.
    covered = [span.kline for span in spans if span.is_covered and span.kline is not None]
    count = interval.duration_ms // MINUTE_MS
    first_ms = -(-minutes[0].open_time_ms // interval.duration_ms) * interval.duration_ms
    first = (first_ms - minutes[0].open_time_ms) // MINUTE_MS
    assert len(covered) == (len(minutes) - first) // count
    for number, kline in enumerate(covered):
        part = minutes[first + number * count : first + (number + 1) * count]
        volume = sum(Decimal(minute.volume_e8) for minute in part) / UNITS_PER_COIN
        expected = (
            part[0].open,
            max(minute.high for minute in part),
            min(minute.low for minute in part),
            part[-1].close,
            float(volume),
        )
        assert kline.open_time_ms == part[0].open_time_ms
        assert np.array_equal(kline.row()[:5], expected)
