"""Reading a recording into minutes: JSON lines of the collector's recorder, or kline CSV files.

Edge: reads files, decides nothing about time. JSON lines (`*.jsonl`, `*.jsonl.gz`): one message
each, `{"receive_time_ms","kind":"ws"|"rest","url","raw"}`; closed 1m klines are taken from socket
events and from answers of `/api/v3/klines`, decimals from `/api/v3/exchangeInfo`. CSV
(`<SYMBOL>_1m.csv`, `.csv.gz`): open_time_ms, open, high, low, close, volume, and if present
close_time, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume; a header may name them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog

from shared.errors import ConfigError
from shared.market.interval import MINUTE_MS
from shared.market.kline import UNITS_PER_COIN, parse_e8

log = structlog.get_logger()

# Nine columns of eight bytes: 720 MB at most.
CELLS_MAX = 10_000_000
# Newer dumps of the venue count microseconds; milliseconds reach this in the year 5138.
_MICROSECONDS_FROM = 10**14

# open, high, low, close, volume, quote volume, trades, taker volume, taker quote volume: all but
# trades in 10^-8 units.
MinuteValues = tuple[int, int, int, int, int, int, int, int, int]

_CSV_NAMES = {
    "open_time_ms": 0, "open_time": 0, "timestamp": 0, "open": 1, "high": 2, "low": 3, "close": 4,
    "volume": 5, "close_time": 6, "close_time_ms": 6, "quote_volume": 7, "quote_asset_volume": 7,
    "trades": 8, "count": 8, "number_of_trades": 8, "taker_buy_volume": 9, "taker_buy_base": 9,
    "taker_buy_base_asset_volume": 9, "taker_buy_quote_volume": 10, "taker_buy_quote": 10,
    "taker_buy_quote_asset_volume": 10, "ignore": 11,
}  # fmt: skip


class Recording(msgspec.Struct, frozen=True, eq=False):
    """Closed minutes by symbol and open time; `assets`: symbol → (base, quote) where known."""

    minutes: dict[str, dict[int, MinuteValues]]
    assets: dict[str, tuple[str, str]]
    fingerprint: str
    skipped: dict[str, int]


class _Line(msgspec.Struct, frozen=True):
    receive_time_ms: int
    kind: str
    url: str
    raw: str


def read_recording(folder: Path) -> Recording:
    """Return what the files of `folder` hold.

    Raises: ConfigError if the folder is missing, holds no closed minute, or too much.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"expected a folder with a recording, was {str(folder)!r}",
            hint="FEED=replay:<folder> with *.jsonl.gz or <SYMBOL>_1m.csv files",
        )
    reader = _Reader()
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz")
        if name.endswith(".jsonl"):
            reader.read_messages(path)
        elif name.endswith("_1m.csv"):
            reader.read_csv(path, name.removesuffix("_1m.csv"))
        else:
            continue
        digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
    symbols = len(reader.minutes)
    if not symbols:
        raise ConfigError(
            f"expected closed 1m klines in {str(folder)!r}, was none",
            hint="record with the collector, or put <SYMBOL>_1m.csv files there",
        )
    opens = [open_ms for bars in reader.minutes.values() for open_ms in (min(bars), max(bars))]
    span = (max(opens) - min(opens)) // MINUTE_MS + 1
    if span * symbols > CELLS_MAX:
        raise ConfigError(
            f"expected at most {CELLS_MAX} minutes of all symbols, was {span} × {symbols}",
            hint="play fewer symbols or a shorter recording",
        )
    log.info("recording_read", symbols=symbols, minutes=span, skipped=dict(reader.skipped))
    return Recording(reader.minutes, reader.assets, digest.hexdigest()[:12], dict(reader.skipped))


class _Reader:
    def __init__(self) -> None:
        self.minutes: dict[str, dict[int, MinuteValues]] = {}
        self.assets: dict[str, tuple[str, str]] = {}
        self.skipped: Counter[str] = Counter()

    def read_messages(self, path: Path) -> None:
        """Take the closed minutes of one file; what cannot be read is counted."""
        decoder = msgspec.json.Decoder(_Line)
        for text in self._lines(path):
            try:
                line = decoder.decode(text)
                if line.kind == "ws":
                    # Most messages are forming klines: not worth decoding.
                    if '"x":true' in line.raw:
                        self._take_event(msgspec.json.decode(line.raw))
                elif line.kind == "rest":
                    self._take_answer(line)
            except (msgspec.MsgspecError, ValueError, KeyError, TypeError, IndexError):
                self.skipped["line_unreadable"] += 1

    def read_csv(self, path: Path, symbol: str) -> None:
        """Take the minutes of one file.

        Raises: ConfigError naming file and line if a row is no kline.
        """
        places: dict[int, int] = {place: place for place in range(12)}
        with _open_text(path) as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if number == 1 and not row[0][:1].isdigit():
                    names = [name.strip().lower() for name in row]
                    places = {
                        _CSV_NAMES[name]: at for at, name in enumerate(names) if name in _CSV_NAMES
                    }
                    continue
                try:
                    values = [row[places[at]] if at in places else "" for at in range(11)]
                    self._put(symbol, _time_ms(values[0]), values)
                except (ValueError, KeyError, IndexError) as error:
                    raise ConfigError(
                        f"expected a kline in line {number} of {path.name}, was {row!r}"
                    ) from error

    def _lines(self, path: Path) -> Iterator[str]:
        """Yield lines; a file cut short by a kill ends where it was cut."""
        with _open_text(path) as file:
            try:
                yield from file
            except (EOFError, zlib.error):
                self.skipped["file_cut_short"] += 1

    def _take_event(self, message: Any) -> None:
        event = message.get("data", message)
        if event.get("e") != "kline" or event["k"]["i"] != "1m" or not event["k"]["x"]:
            return
        k = event["k"]
        values = [k["t"], k["o"], k["h"], k["l"], k["c"], k["v"], k["T"], k["q"], k["n"]]
        self._put(k["s"], int(k["t"]), [*values, k["V"], k["Q"]])

    def _take_answer(self, line: _Line) -> None:
        address = urlsplit(line.url)
        if address.path.endswith("/exchangeInfo"):
            for one in msgspec.json.decode(line.raw)["symbols"]:
                self.assets[one["symbol"]] = (one["baseAsset"], one["quoteAsset"])
        elif address.path.endswith("/klines"):
            query = parse_qs(address.query)
            if query.get("interval") != ["1m"]:
                return
            for row in msgspec.json.decode(line.raw):
                # The last one was still forming.
                if row[6] < line.receive_time_ms:
                    self._put(query["symbol"][0], int(row[0]), row)

    def _put(self, symbol: str, open_time_ms: int, values: Iterable[Any]) -> None:
        if open_time_ms % MINUTE_MS:
            raise ValueError(f"expected a whole minute, was {open_time_ms}")
        _, o, h, low, c, v, _, q, n, taker, taker_quote = list(values)[:11]
        close_e8, volume_e8 = parse_e8(str(c)), parse_e8(str(v))
        # Files without the later columns: traded at the close, half of it bought by takers.
        quote_e8 = volume_e8 * close_e8 // UNITS_PER_COIN if q == "" else parse_e8(str(q))
        self.minutes.setdefault(symbol, {})[open_time_ms] = (
            parse_e8(str(o)),
            parse_e8(str(h)),
            parse_e8(str(low)),
            close_e8,
            volume_e8,
            quote_e8,
            int(volume_e8 > 0) if n == "" else int(n),
            volume_e8 // 2 if taker == "" else parse_e8(str(taker)),
            quote_e8 // 2 if taker_quote == "" else parse_e8(str(taker_quote)),
        )


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _time_ms(text: str) -> int:
    if text.isdigit():
        number = int(text)
        return number // 1_000 if number >= _MICROSECONDS_FROM else number
    return int(datetime.fromisoformat(text).timestamp() * 1_000)
