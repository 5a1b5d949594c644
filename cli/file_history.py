"""History from a folder of kline files. Imported only by commands that read one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cli.history import History, Tell, Wanted
from cli.kline_folder import check_symbols, list_files, read_tables
from shared.errors import InvalidRequest
from shared.market.interval import Interval
from shared.market.kline_files import KlineTable, window_of_tables
from shared.market.roll_up import roll_up
from shared.market.window import Window
from shared.rules import W_BARS, Rule

_END_OF_TIME_MS = 10**14


def load_file_history(rule: Rule, wanted: Wanted, folder: Path, tell: Tell) -> History:
    """Return the windows that a folder's files make up. Raises: InvalidRequest."""
    files = list_files(folder)
    named = (*(wanted.universe or ()), *rule.instruments)
    check_symbols(files, wanted.interval, named)
    # With a universe, only the instruments that can make a difference are read.
    symbols = list(dict.fromkeys(named)) if wanted.universe else list(files[wanted.interval])
    first_ms, until_ms = _span_ms(wanted)
    notes: list[str] = []

    def read(interval: Interval, from_ms: int) -> Window | None:
        tables = read_tables(
            files,
            interval,
            [symbol for symbol in symbols if symbol in files[interval]],
            from_ms=from_ms,
            until_ms=until_ms,
            tell=lambda done, total: tell(done, total, f"{interval} files"),
        )
        notes.extend(_table_notes(tables.values(), interval))
        return window_of_tables(tables, interval, wanted.venue) if tables else None

    window = read(wanted.interval, first_ms)
    if window is None:
        raise InvalidRequest(
            "expected klines in that span, found none", hint="see --from and --to", field="files"
        )
    longer = {}
    for interval in rule.intervals:
        found = read(interval, 0) if interval in files else _roll_up(window, interval, notes)
        if found is not None:
            longer[interval] = found
    return History(window=window, longer=longer, source=f"files in {folder}", notes=tuple(notes))


def _span_ms(wanted: Wanted) -> tuple[int, int]:
    """Return the open times from which and until which bars can matter."""
    step_ms = wanted.interval.duration_ms
    first_ms, until_ms = 0, _END_OF_TIME_MS
    if wanted.first_closed_at_ms is not None:
        first_ms = wanted.first_closed_at_ms - (W_BARS + 1) * step_ms
    if wanted.last_closed_at_ms is not None:
        until_ms = wanted.last_closed_at_ms - step_ms + 1
    return first_ms, until_ms


def _roll_up(window: Window, interval: Interval, notes: list[str]) -> Window | None:
    if interval.duration_ms % window.interval.duration_ms:
        raise InvalidRequest(
            f"expected files of {interval}, which cannot be made of {window.interval} bars",
            field="files",
        )
    notes.append(f"no {interval} files: {interval} bars are made of the {window.interval} ones")
    return roll_up(window, interval)


def _table_notes(tables: Collection[KlineTable], interval: Interval) -> list[str]:
    counts = {
        "rows out of order, sorted": sum(table.reordered_count for table in tables),
        "rows there twice, used once": sum(table.duplicates_count for table in tables),
        "bars whose high or low does not contain open and close": sum(
            table.inconsistent_count for table in tables
        ),
    }
    return [f"{interval} files: {what}: {count:,}" for what, count in counts.items() if count]
