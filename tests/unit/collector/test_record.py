"""What is recorded plays back as the frames that were made live."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collector.actions import CloserConfig
from collector.malformed import MalformedLog
from collector.record import Recorder
from collector.replay import main, read_recording, replay_messages, symbols_of
from shared.errors import ConfigError
from shared.market.frame import Feed
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import Kline
from tests.unit.collector.make_klines import MIDNIGHT_MS, make_minute

URL = "wss://host/stream"
CONFIG = CloserConfig(venue="binance", feed=Feed.REPLAY, intervals=(Interval.M3,))


def number(value_e8: int) -> str:
    return f"{value_e8 // 10**8}.{value_e8 % 10**8:08d}"


def event_of(kline: Kline) -> bytes:
    """Return the socket message of a closed minute."""
    data = {
        "e": "kline",
        "E": kline.event_time_ms,
        "s": kline.symbol,
        "k": {
            "t": kline.open_time_ms,
            "T": kline.closed_at_ms - 1,
            "i": "1m",
            "o": str(kline.open),
            "c": str(kline.close),
            "h": str(kline.high),
            "l": str(kline.low),
            "v": number(kline.volume_e8),
            "n": kline.trades,
            "x": True,
            "q": number(kline.quote_volume_e8),
            "V": number(kline.taker_buy_volume_e8),
        },
    }
    return json.dumps({"stream": "x", "data": data}).encode()


def row_of(kline: Kline) -> list[object]:
    """Return the REST row of a minute."""
    prices = [str(kline.open), str(kline.high), str(kline.low), str(kline.close)]
    return [
        kline.open_time_ms,
        *prices,
        number(kline.volume_e8),
        kline.closed_at_ms - 1,
        number(kline.quote_volume_e8),
        kline.trades,
        number(kline.taker_buy_volume_e8),
        "0",
        "0",
    ]


class Clock:
    now_ms = MIDNIGHT_MS + 100

    def __call__(self) -> int:
        return self.now_ms


def test_recording_of_sockets_and_rest_plays_back_as_frames(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path, clock)
    recorder.record("ws", URL, b'{"stream":"a","data":{"e":"trade"}}')
    for minute in range(3):
        for symbol in ("AUSDT", "BUSDT"):
            kline = make_minute(symbol, minute, 10.0 + minute)
            clock.now_ms = kline.receive_time_ms
            # The middle minute of one symbol comes by REST only.
            if (symbol, minute) == ("BUSDT", 1):
                clock.now_ms = kline.closed_at_ms + 1200
                rows = [row_of(kline), row_of(make_minute(symbol, 2))]
                url = f"https://host/api/v3/klines?symbol=BUSDT&interval=1m&startTime={MIDNIGHT_MS}"
                recorder.record("rest", url, json.dumps(rows).encode())
            else:
                recorder.record("ws", URL, event_of(kline))
    recorder.close()

    messages = list(read_recording(tmp_path))
    assert [m.kind for m in messages].count("rest") == 1
    assert symbols_of(messages) == ("AUSDT", "BUSDT")
    malformed = MalformedLog()
    frames = list(replay_messages(messages, ("AUSDT", "BUSDT"), CONFIG, malformed))
    assert [(f.interval, (f.open_time_ms - MIDNIGHT_MS) // MINUTE_MS) for f in frames] == [
        (Interval.M1, 0),
        (Interval.M1, 1),
        (Interval.M1, 2),
        (Interval.M3, 0),
    ]
    assert all(frame.complete and frame.feed is Feed.REPLAY for frame in frames)
    assert tuple(frames[1].columns[:, 1]) == make_minute("BUSDT", 1, 11.0).row()
    assert malformed.counts == {"unknown_event": 1}


def test_recording_cut_short_by_a_crash_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path, clock)
    for minute in range(200):
        recorder.record("ws", URL, event_of(make_minute("AUSDT", minute)))
    recorder.close()
    [path] = tmp_path.glob("*.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-200])
    read = list(read_recording(tmp_path))
    assert 0 < len(read) < 200


def test_recording_is_in_files_of_an_hour_and_a_second_start_makes_another(tmp_path: Path) -> None:
    clock = Clock()
    for _ in range(2):
        recorder = Recorder(tmp_path, clock)
        recorder.record("ws", URL, b"{}")
        clock.now_ms += 3_600_000
        recorder.record("ws", URL, b"{}")
        recorder.close()
        clock.now_ms -= 3_600_000
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == 4
    assert len(list(read_recording(tmp_path))) == 4


def test_recording_stops_when_its_folder_is_full(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl.gz").write_bytes(b"x" * 2000)
    recorder = Recorder(tmp_path, Clock(), bytes_max=1000)
    recorder.record("ws", URL, b"{}")
    assert (recorder.is_full, recorder.messages_count) == (True, 0)


def test_replay_of_a_folder_without_recording_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError):
        list(read_recording(tmp_path))
    assert main([str(tmp_path)]) == 2
    assert "RECORD_DIR" in capsys.readouterr().err


def test_replay_command_prints_a_line_a_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path, clock)
    clock.now_ms = make_minute("AUSDT", 0).open_time_ms + 5
    recorder.record("ws", URL, b"garbage")
    clock.now_ms = make_minute("AUSDT", 0).receive_time_ms
    recorder.record("ws", URL, event_of(make_minute("AUSDT", 0)))
    recorder.close()
    assert main([str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    [line] = [json.loads(text) for text in out.splitlines() if text.startswith("{")]
    assert line == {
        "interval": "1m",
        "open_time_ms": MIDNIGHT_MS,
        "revision": 1,
        "complete": True,
        "present": 1,
        "symbols": 1,
    }
    assert "not_json" in err
