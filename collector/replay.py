"""Plays a recording through the real parser and closer: `python -m collector.replay <folder>`.

Pure but for reading files. The clock is the recorded receive time; REST answers count when they
were recorded. What comes out are the frames the collector made, or would make today.
Not here: serving a recording as a venue (local/venue does), writing to Redis.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog

from collector.actions import (
    Action,
    ClockTicked,
    CloserConfig,
    KlineClosed,
    KlinesFetched,
    PublishFrame,
)
from collector.klines import KlineCloser
from collector.malformed import MalformedLog
from collector.record import RecordedMessage
from collector.venues.binance.parse import parse_klines, parse_message
from shared.errors import ConfigError, MalformedMessage
from shared.market.frame import Feed, Frame
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import Kline

log = structlog.get_logger()
_decoder = msgspec.json.Decoder(RecordedMessage)


def read_recording(folder: Path) -> Iterator[RecordedMessage]:
    """Yield the messages of all files of a folder, oldest first.

    A file that a crash cut short is read as far as it goes, and named in the log.
    Raises: ConfigError if there is no recording.
    """
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise ConfigError(
            f"expected a recording (*.jsonl.gz) in {folder}, was none",
            hint="record one with RECORD_DIR",
        )
    for path in paths:
        try:
            with gzip.open(path, "rb") as file:
                for line in file:
                    yield _decoder.decode(line)
        except (EOFError, zlib.error, gzip.BadGzipFile, msgspec.DecodeError) as error:
            log.warning("recording_cut_short", path=path.name, error=str(error))


def symbols_of(messages: Iterable[RecordedMessage]) -> tuple[str, ...]:
    """Return the symbols that have kline events, in the order of their first."""
    found: dict[str, None] = {}
    for message in messages:
        if message.kind == "ws":
            kline = _kline_of(message, MalformedLog())
            if kline is not None:
                found[kline.symbol] = None
    return tuple(found)


def replay_messages(
    messages: Iterable[RecordedMessage],
    symbols: Sequence[str],
    config: CloserConfig,
    malformed: MalformedLog,
) -> Iterator[Frame]:
    """Yield the frames that the messages make, in the order of publishing."""
    closer: KlineCloser | None = None
    for message in messages:
        now_ms = message.receive_time_ms
        if closer is None:
            live_from_ms = Interval.M1.floor_ms(now_ms)
            closer = KlineCloser(config, tuple(symbols), frozenset(symbols), live_from_ms)
            closer.go_live()
        yield from _frames(closer.feed(ClockTicked(now_ms)))
        if message.kind == "ws":
            kline = _kline_of(message, malformed)
            if kline is not None and kline.is_closed:
                yield from _frames(closer.feed(KlineClosed(kline)))
        else:
            fetched = _fetched_of(message, malformed)
            if fetched is not None and fetched.symbol in symbols:
                yield from _frames(closer.feed(fetched))


def _frames(actions: Iterable[Action]) -> Iterator[Frame]:
    for action in actions:
        if isinstance(action, PublishFrame):
            yield action.frame


def _kline_of(message: RecordedMessage, malformed: MalformedLog) -> Kline | None:
    raw = message.raw.encode()
    try:
        parsed = parse_message(raw, message.receive_time_ms)
    except MalformedMessage as error:
        malformed.add(error, raw, message.receive_time_ms)
        return None
    return parsed if isinstance(parsed, Kline) else None


def _fetched_of(message: RecordedMessage, malformed: MalformedLog) -> KlinesFetched | None:
    """Return a recorded answer to a question for minutes, else None."""
    url = urlsplit(message.url)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if not url.path.endswith("/klines") or query.get("interval") != Interval.M1:
        return None
    symbol, now_ms = query["symbol"], message.receive_time_ms
    raw = message.raw.encode()
    try:
        klines = parse_klines(raw, symbol, Interval.M1, receive_time_ms=now_ms)
    except MalformedMessage as error:
        malformed.add(error, raw, now_ms)
        return None
    return KlinesFetched(
        symbol=symbol,
        interval=Interval.M1,
        from_ms=int(query.get("startTime", 0)),
        to_ms=Interval.M1.floor_ms(now_ms) - MINUTE_MS,
        klines=tuple(klines),
        asked_at_ms=now_ms,
    )


def main(arguments: Sequence[str]) -> int:
    """Print one JSON line a frame; return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m collector.replay <folder>\n")
        return 2
    folder = Path(arguments[0])
    config = CloserConfig(
        venue="binance",
        feed=Feed.REPLAY,
        intervals=(Interval.M5, Interval.M15, Interval.H1, Interval.D1),
    )
    malformed = MalformedLog()
    try:
        symbols = symbols_of(read_recording(folder))
        for frame in replay_messages(read_recording(folder), symbols, config, malformed):
            line = {
                "interval": frame.interval,
                "open_time_ms": frame.open_time_ms,
                "revision": frame.revision,
                "complete": frame.complete,
                "present": int(frame.present.sum()),
                "symbols": len(symbols),
            }
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if malformed.counts:
        sys.stderr.write(f"malformed: {dict(malformed.counts)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
