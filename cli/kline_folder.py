"""A folder of kline files → tables of one interval, checked and bounded.

The edge to the disk: names, gzip, zip. Not here: what the text of a file says
(shared/market/kline_files.py), what is made of the tables (history).
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Collection
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from shared.errors import InvalidRequest
from shared.market.interval import Interval
from shared.market.kline_files import (
    KlineFileName,
    KlineTable,
    join_tables,
    parse_file_name,
    parse_klines_csv,
    parse_klines_json,
)

# A year of 1m klines is 60 MB of text.
_FILE_BYTES_MAX = 200_000_000
# Eight columns of float64: 640 MB.
BARS_TIMES_SYMBOLS_MAX = 10_000_000

Files = dict[Interval, dict[str, list[Path]]]


def list_files(folder: Path) -> Files:
    """Return the kline files of a folder by interval and symbol, each in order of names.

    Raises: InvalidRequest if it is no folder, or holds no kline file.
    """
    if not folder.is_dir():
        raise InvalidRequest(f"expected a folder, was {folder}", field="files")
    found: Files = {}
    for path in sorted(folder.iterdir()):
        name = _name_of(path)
        if name is not None and path.is_file():
            found.setdefault(name.interval, {}).setdefault(name.symbol, []).append(path)
    if not found:
        raise InvalidRequest(
            f"expected kline files in {folder}, found none",
            hint="name them {SYMBOL}_{interval}.csv[.gz] or .json[.gz], or as Binance's zips are",
            field="files",
        )
    return found


def check_symbols(files: Files, interval: Interval, symbols: Collection[str]) -> None:
    """Refuse an interval or symbols of which there is no file. Raises: InvalidRequest."""
    if interval not in files:
        there = ", ".join(interval for interval in Interval if interval in files)
        raise InvalidRequest(
            f"expected files of {interval}, there are only those of {there}",
            hint="choose one of these by --interval",
            field="interval",
        )
    for symbol in symbols:
        if symbol not in files[interval]:
            near = get_close_matches(symbol.upper(), files[interval], n=1)
            raise InvalidRequest(
                f"expected a file of {symbol} {interval}, found none",
                hint=f"did you mean {near[0]}?" if near else "the folder has no klines of it",
                field="universe",
            )


def read_tables(
    files: Files,
    interval: Interval,
    symbols: Collection[str],
    *,
    from_ms: int,
    until_ms: int,
    tell: Callable[[int, int], None],
) -> dict[str, KlineTable]:
    """Return the klines that open in [from_ms, until_ms), by symbol; symbols without any left out.

    `tell(done, total)` is called after each file. Raises: InvalidRequest naming the file, or if
    there is more than fits in memory.
    """
    tables: dict[str, KlineTable] = {}
    total = sum(len(files[interval][symbol]) for symbol in symbols)
    done = 0
    first_ms, last_ms = until_ms, from_ms
    for symbol in symbols:
        parts = []
        for path in files[interval][symbol]:
            parts.append(_read(path))
            done += 1
            tell(done, total)
        table = _cut(join_tables(parts, interval, symbol), from_ms, until_ms)
        if len(table.open_times_ms):
            tables[symbol] = table
            # A window spans them all, however little they overlap.
            first_ms = min(first_ms, int(table.open_times_ms[0]))
            last_ms = max(last_ms, int(table.open_times_ms[-1]))
        bars = (last_ms - first_ms) // interval.duration_ms + 1
        if bars * len(tables) > BARS_TIMES_SYMBOLS_MAX:
            raise InvalidRequest(
                f"expected at most {BARS_TIMES_SYMBOLS_MAX:,} klines at once, was more",
                hint="take fewer instruments by --universe, or a later beginning by --from",
                field="files",
            )
    return tables


def _name_of(path: Path) -> KlineFileName | None:
    return parse_file_name(path.name)


def _read(path: Path) -> KlineTable:
    name = _name_of(path)
    assert name is not None
    try:
        content = _content(path)
        if name.is_json:
            return parse_klines_json(content, name.interval, path.name)
        return parse_klines_csv(content.decode("utf-8-sig"), name.interval, path.name)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InvalidRequest(
            f"expected a readable kline file, was: {reason} ({path.name})", field="files"
        ) from error


def _content(path: Path) -> bytes:
    """Return what is packed in a file, which may be a bomb."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            if len(members) != 1:
                raise zipfile.BadZipFile(f"expected one file inside, were {len(members)}")
            with archive.open(members[0]) as packed:
                content = packed.read(_FILE_BYTES_MAX + 1)
    elif path.suffix == ".gz":
        with gzip.open(path) as packed:
            content = packed.read(_FILE_BYTES_MAX + 1)
    else:
        with path.open("rb") as plain:
            content = plain.read(_FILE_BYTES_MAX + 1)
    if len(content) > _FILE_BYTES_MAX:
        raise InvalidRequest(
            f"expected at most {_FILE_BYTES_MAX // 1_000_000} MB of text, was more ({path.name})",
            hint="split it by months",
            field="files",
        )
    return content


def _cut(table: KlineTable, from_ms: int, until_ms: int) -> KlineTable:
    start, stop = np.searchsorted(table.open_times_ms, [from_ms, until_ms])
    return KlineTable(
        open_times_ms=table.open_times_ms[start:stop],
        columns=table.columns[:, start:stop],
        reordered_count=table.reordered_count,
        duplicates_count=table.duplicates_count,
        inconsistent_count=table.inconsistent_count,
    )
