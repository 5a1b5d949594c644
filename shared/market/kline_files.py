"""Kline files: the text of one file → checked columns; several tables → one window. Pure.

Two forms, told apart by the caller:
- CSV: Binance's dump of 12 columns, or time, open, high, low, close, volume; with or without a
  header (with one, columns are found by name in any order).
  https://github.com/binance/binance-public-data; times in ms, in spot files from 2025 on in µs.
- JSON: a list of klines, or an object whose `data` is one; a kline is an object with the same
  names, or a list in the order of Binance's REST reply.

Not here: reading a disk (cli/files.py), longer intervals from shorter ones (roll_up.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidRequest
from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window

# Names seen in files, lower case with "_" for blanks → ours.
_TIME_NAMES = ("open_time", "time", "timestamp", "date", "datetime")
_COLUMN_NAMES = {
    "quote_asset_volume": "quote_volume",
    "count": "trades",
    "number_of_trades": "trades",
    "taker_buy_base": "taker_buy_volume",
    "taker_buy_base_volume": "taker_buy_volume",
    "taker_buy_base_asset_volume": "taker_buy_volume",
}
_REQUIRED = COLUMNS[:5]
# Without a header: Binance's own order, or the first six of it.
_BINANCE = (
    "open_time",
    *_REQUIRED,
    "close_time",
    "quote_volume",
    "trades",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
_PLAIN = _BINANCE[:6]
_PRICES = slice(0, 4)

# 2001 to 2286 in milliseconds and in microseconds: the two ranges cannot be taken for each other.
_MS_MIN, _MS_MAX = 10**12, 10**13
_US_PER_MS = 1_000

_FILE_NAME = re.compile(
    r"(?P<symbol>[A-Z0-9]{2,30})[_-](?P<interval>\d{1,2}[mhd])(?:[_-][\w-]*)?"
    r"\.(?P<form>csv|json)(?:\.gz)?",
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?")
_ZIP_NAME = re.compile(r"\.zip$")


class KlineFileName(msgspec.Struct, frozen=True):
    """What a file's name says: `BTCUSDT_1h.csv.gz`, `BTCUSDT-1m-2025-10.zip`, `…_1m_x.json`."""

    symbol: str
    interval: Interval
    is_json: bool


class KlineTable(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """The klines of one symbol: int64[n] open times, rising, and float64[8, n] as in COLUMNS.

    A column that the file does not have is NaN throughout. Counts of what was mended or found:
    `reordered_count` rows stood after a later one, `duplicates_count` rows were there twice,
    `inconsistent_count` bars have a high or low that does not contain the other prices.
    """

    open_times_ms: NDArray[np.int64]
    columns: NDArray[np.float64]
    reordered_count: int = 0
    duplicates_count: int = 0
    inconsistent_count: int = 0


def parse_file_name(name: str) -> KlineFileName | None:
    """Return what the name of a kline file says, None if it is not such a name."""
    match = _FILE_NAME.fullmatch(_ZIP_NAME.sub(".csv", name))
    if match is None or match["interval"] not in Interval.__members__.values():
        return None
    return KlineFileName(match["symbol"], Interval(match["interval"]), match["form"] == "json")


def parse_klines_csv(text: str, interval: Interval, name: str) -> KlineTable:
    """Return the klines of a CSV text; `name` is what errors call it.

    Raises: InvalidRequest naming the line that is wrong: columns, a time that is not one or lies
    between two bars, a price that is not positive, two different bars of one time.
    """
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows = [line.split(",") for _, line in lines]
    places = [f"{name}, line {number}" for number, _ in lines]
    header = None
    if rows and not rows[0][0].strip()[:1].isdigit():
        header, rows, places = tuple(rows[0]), rows[1:], places[1:]
    return _table(header, rows, places, interval, name)


def parse_klines_json(content: bytes, interval: Interval, name: str) -> KlineTable:
    """Return the klines of a JSON text. Raises: InvalidRequest, as parse_klines_csv."""
    try:
        document = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise _invalid(f"expected JSON, was damaged: {error}", name) from error
    klines = document.get("data") if isinstance(document, dict) else document
    if not isinstance(klines, list) or not klines:
        _refuse("expected a list of klines, or an object with one as its data", name)
    places = [f"{name}, kline {number}" for number in range(1, len(klines) + 1)]
    header = tuple(klines[0]) if isinstance(klines[0], dict) else None
    rows = [_json_row(kline, header, place) for kline, place in zip(klines, places, strict=True)]
    return _table(header, rows, places, interval, name)


def join_tables(tables: Sequence[KlineTable], interval: Interval, name: str) -> KlineTable:
    """Return one table of several files of a symbol. Raises: InvalidRequest if they disagree."""
    if len(tables) == 1:
        return tables[0]
    open_times_ms = np.concatenate([table.open_times_ms for table in tables])
    columns = np.concatenate([table.columns for table in tables], axis=1)
    joined = _in_order(open_times_ms, columns, interval, [name] * len(open_times_ms))
    return msgspec.structs.replace(
        joined,
        # Which file comes first means nothing.
        reordered_count=sum(table.reordered_count for table in tables),
        duplicates_count=joined.duplicates_count + sum(t.duplicates_count for t in tables),
        inconsistent_count=sum(table.inconsistent_count for table in tables),
    )


def window_of_tables(tables: Mapping[str, KlineTable], interval: Interval, venue: str) -> Window:
    """Return the window from the first bar of any table to the last, NaN where one has no bar."""
    first_ms = min(int(table.open_times_ms[0]) for table in tables.values())
    last_ms = max(int(table.open_times_ms[-1]) for table in tables.values())
    step_ms = interval.duration_ms
    open_times_ms = np.arange(first_ms, last_ms + step_ms, step_ms, dtype=np.int64)
    columns = np.full((len(COLUMNS), len(open_times_ms), len(tables)), np.nan)
    for place, table in enumerate(tables.values()):
        columns[:, (table.open_times_ms - first_ms) // step_ms, place] = table.columns
    return Window(
        venue=venue,
        interval=interval,
        symbols=tuple(tables),
        open_times_ms=open_times_ms,
        columns=columns,
        frame_revision=1,
        feed=Feed.REPLAY,
        complete=True,
    )


def _json_row(kline: Any, header: tuple[str, ...] | None, place: str) -> list[str]:
    if header is None and isinstance(kline, list):
        return [str(value) for value in kline]
    if header is None or not isinstance(kline, dict) or not set(header) <= kline.keys():
        _refuse("expected every kline with the names of the first", place)
    return [str(kline[key]) for key in header]


def _table(
    header: tuple[str, ...] | None,
    rows: list[list[str]],
    places: list[str],
    interval: Interval,
    name: str,
) -> KlineTable:
    if not rows:
        _refuse("expected klines, was empty", name)
    names = _names(header, len(rows[0]), name)
    for row, place in zip(rows, places, strict=True):
        if len(row) != len(names):
            _refuse(f"expected {len(names)} columns, was {len(row)}", place)
    cells = list(zip(*rows, strict=True))
    open_times_ms = _times(cells[names.index("open_time")], places)
    columns = np.full((len(COLUMNS), len(rows)), np.nan)
    for index, column in enumerate(COLUMNS):
        if column in names:
            columns[index] = _numbers(cells[names.index(column)], column, places)
    return _in_order(open_times_ms, columns, interval, places)


def _names(header: tuple[str, ...] | None, count: int, name: str) -> tuple[str, ...]:
    """Return our name for every column, the time's being open_time."""
    if header is None:
        if count not in (len(_PLAIN), len(_BINANCE)):
            _refuse(f"expected 6 or 12 columns without a header, was {count}", name)
        return _BINANCE[:count]
    plain = [cell.strip().strip('"').lower().replace(" ", "_") for cell in header]
    names = [_COLUMN_NAMES.get(cell, cell) for cell in plain]
    time = next((names.index(each) for each in _TIME_NAMES if each in names), None)
    if time is not None:
        names[time] = "open_time"
    missing = [each for each in ("open_time", *_REQUIRED) if each not in names]
    if missing:
        _refuse(f"expected the columns {', '.join(missing)}, was {', '.join(plain)}", name)
    return tuple(names)


def _times(cells: Sequence[str], places: Sequence[str]) -> NDArray[np.int64]:
    """Return open times in ms: of whole ms or µs since 1970, or of dates (UTC)."""
    stripped = [cell.strip() for cell in cells]
    if stripped[0].isdecimal():
        for cell, place in zip(stripped, places, strict=True):
            if not cell.isdecimal() or len(cell) not in (13, 16):
                _refuse(f"expected a time in ms or µs since 1970, was {cell!r}", place)
        times = np.array(stripped, dtype=np.int64)
        return np.where(times < _MS_MAX, times, times // _US_PER_MS)
    texts = [cell.removesuffix("Z").removesuffix("+00:00") for cell in stripped]
    try:
        # Checked first: numpy also reads "now", and drops what it takes for a time zone.
        wrong = next((i for i, text in enumerate(texts) if not _DATE.fullmatch(text)), None)
        times = np.array(texts[:wrong], dtype="datetime64[ms]").astype(np.int64)
    except ValueError as error:
        raise _invalid(f"expected times in UTC, were not: {error}", places[0]) from error
    if wrong is not None:
        _refuse(f"expected a time in UTC, was {stripped[wrong]!r}", places[wrong])
    if times.min() < _MS_MIN:
        _refuse("expected a time after 2001", places[int(times.argmin())])
    return times


def _numbers(cells: Sequence[str], column: str, places: Sequence[str]) -> NDArray[np.float64]:
    try:
        values = np.array(cells).astype(np.float64)
    except ValueError:
        values = np.array([_number_or_nan(cell) for cell in cells])
    is_price = column in COLUMNS[_PRICES]
    wrong = ~np.isfinite(values) | (values <= 0 if is_price else values < 0)
    if wrong.any():
        row = int(wrong.argmax())
        wanted = "a price above 0" if is_price else "a number from 0"
        _refuse(f"expected {wanted} as {column}, was {cells[row].strip()!r}", places[row])
    return values


def _number_or_nan(cell: str) -> np.float64:
    try:
        return np.float64(cell)
    except ValueError:
        return np.float64("nan")


def _in_order(
    open_times_ms: NDArray[np.int64],
    columns: NDArray[np.float64],
    interval: Interval,
    places: Sequence[str],
) -> KlineTable:
    """Return the rows by rising time, each time once."""
    off_grid = open_times_ms % interval.duration_ms != 0
    if off_grid.any():
        row = int(off_grid.argmax())
        at = np.datetime_as_string(np.datetime64(int(open_times_ms[row]), "ms"), unit="s")
        _refuse(f"expected a kline of {interval} to open on the {interval}, was {at}", places[row])
    reordered = int((open_times_ms < np.maximum.accumulate(open_times_ms)).sum())
    order = np.argsort(open_times_ms, kind="stable")
    times, values = open_times_ms[order], columns[:, order]
    again = np.flatnonzero(np.diff(times) == 0)
    same = (values[:, again] == values[:, again + 1]) | np.isnan(values[:, again])
    if not same.all():
        row = int(order[again[~same.all(axis=0)][0] + 1])
        _refuse("expected one kline of each time, were two that differ", places[row])
    kept = np.ones(len(times), dtype=np.bool_)
    kept[again + 1] = False
    times, values = times[kept], values[:, kept]
    if len(times) > 1 and int(np.diff(times).min()) > interval.duration_ms:
        minutes = int(np.diff(times).min()) // 60_000
        _refuse(f"expected klines of {interval}, were {minutes} minutes apart", places[0])
    open_, high, low, close = values[_PRICES]
    contained = (high >= np.maximum(open_, close)) & (low <= np.minimum(open_, close))
    return KlineTable(
        open_times_ms=times,
        columns=values,
        reordered_count=reordered,
        duplicates_count=len(again),
        inconsistent_count=int((~contained).sum()),
    )


def _refuse(message: str, place: str) -> NoReturn:
    raise _invalid(message, place)


def _invalid(message: str, place: str) -> InvalidRequest:
    return InvalidRequest(f"{message} ({place})", field="files")
