"""Signals as CSV, JSON or NDJSON: streamed from Postgres, a few thousand rows in memory at a time.

Numbers are as exact as they are stored: a price is a decimal (in JSON a text, as everywhere on the
wire), `values` is the JSON that Postgres holds. Times are RFC 3339 in UTC. Oldest first.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

from cli.database import connected, fetch
from cli.stored_traders import find_owner
from shared.errors import InvalidRequest, StoreUnavailable

Form = Literal["csv", "json", "ndjson"]

# Each column is text already: nothing is rounded on its way through Python.
COLUMNS = (
    "id",
    "created_at",
    "closed_at",
    "user_id",
    "trader_id",
    "trader",
    "rule_version",
    "venue",
    "instrument",
    "interval",
    "trigger",
    "origin",
    "feed",
    "price",
    "values",
    "frame_revision",
    "data_age_ms",
    "run_id",
)
# In JSON these are numbers or objects as they stand; all others are texts.
_BARE = {"id", "trader_id", "rule_version", "values", "frame_revision", "data_age_ms", "run_id"}
_QUERY = """
select
    signals.id::text,
    to_char(signals.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(signals.closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    signals.user_id::text,
    signals.trader_id::text,
    traders.name,
    signals.rule_version::text,
    signals.venue,
    signals.instrument,
    signals."interval",
    signals.trigger,
    signals.origin,
    signals.feed,
    signals.price::text,
    signals."values"::text,
    signals.frame_revision::text,
    signals.data_age_ms::text,
    signals.run_id::text
from public.signals
inner join public.traders on traders.id = signals.trader_id
where (%(since)s::timestamptz is null or signals.created_at >= %(since)s)
    and (%(until)s::timestamptz is null or signals.created_at < %(until)s)
    and (%(user_id)s::uuid is null or signals.user_id = %(user_id)s)
    and (%(trader)s = '' or traders.name = %(trader)s or traders.id::text = %(trader)s)
order by signals.id
"""
_ROWS_PER_FETCH = 2_000
# Until the first row of a filter that few of very many rows pass.
_STATEMENT_TIMEOUT = "10min"
_ROWS_PER_WORD = 10_000
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which signals; None and nothing: all. Times are those of storing."""

    since: datetime | None = None
    until: datetime | None = None
    user: str = ""
    trader: str = ""


def write_signals(wanted: Wanted, form: Form, output: Path | None) -> int:
    """Write the signals to a file, replaced whole, or to standard output; return their count.

    Raises: InvalidRequest, StoreUnavailable; BrokenPipeError when the reader has seen enough.
    """
    is_progress_shown = output is not None or not sys.stdout.isatty()
    count = 0
    # The rows come first: nothing is written for a question that is refused.
    with _opened_rows(wanted) as rows, _destination(output) as file:
        add_row, finish = _writer(form, file)
        with _progress(is_shown=is_progress_shown) as tell:
            for row in rows:
                add_row(row)
                count += 1
                if count % _ROWS_PER_WORD == 0:
                    tell(count)
        finish()
        file.flush()
    return count


@contextmanager
def _opened_rows(wanted: Wanted) -> Iterator[Iterable[tuple[str, ...]]]:
    """Yield the rows of a cursor on the server, in one snapshot."""
    from psycopg.rows import tuple_row

    with connected() as db, db.transaction():
        db.execute(f"set local statement_timeout = '{_STATEMENT_TIMEOUT}'")
        user_id = find_owner(db, wanted.user).id if wanted.user else None
        if wanted.trader and not fetch(
            db,
            "select from public.traders where %s in (name, id::text) limit 1",
            wanted.trader,
        ):
            raise InvalidRequest(
                f"expected the name or id of a trader, was {wanted.trader!r}", field="trader"
            )
        values = {
            "since": wanted.since,
            "until": wanted.until,
            "user_id": user_id,
            "trader": wanted.trader,
        }
        with db.cursor(name="signals", row_factory=tuple_row) as cursor:
            cursor.itersize = _ROWS_PER_FETCH
            yield cursor.execute(_QUERY, values)


def _writer(
    form: Form, file: IO[str]
) -> tuple[Callable[[tuple[str, ...]], object], Callable[[], object]]:
    """Return what writes a row, and what ends the file."""
    if form == "csv":
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        return (lambda row: table.writerow([_cell(value) for value in row])), (lambda: None)
    if form == "ndjson":
        return (lambda row: file.write(_document(row) + "\n")), (lambda: None)
    # What stands before the first row, and before each other one.
    before = iter(("[\n",))

    def add(row: tuple[str, ...]) -> None:
        file.write(next(before, ",\n") + _document(row))

    def finish() -> None:
        file.write(next(before, "\n") + "]\n")

    return add, finish


def _cell(value: str) -> str:
    """Return a cell that no spreadsheet runs: a text that looks like a formula after a quote."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def _document(row: tuple[str, ...]) -> str:
    fields = (
        f'"{name}":{value if name in _BARE else msgspec.json.encode(value).decode()}'
        for name, value in zip(COLUMNS, row, strict=True)
    )
    return "{" + ",".join(fields) + "}"


@contextmanager
def _destination(output: Path | None) -> Iterator[IO[str]]:
    try:
        if output is None:
            # Not sys.stdout itself: line ends stay as they are, and the buffer is a large one.
            with open(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="") as file:
                yield file
            return
        draft = output.with_name(f".{output.name}.partial")
        try:
            with draft.open("w", encoding="utf-8", newline="") as file:
                yield file
            os.replace(draft, output)
        finally:
            draft.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StoreUnavailable(
            f"expected to write {output or 'standard output'}, was: {error.strerror or error}",
            hint="make room, or choose another folder",
        ) from error


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows a count on a terminal that does not show the rows."""
    if not (is_shown and sys.stderr.isatty()):
        yield lambda count: None
        return
    from cli.output import make_console

    with make_console(stderr=True).status("signals …") as status:
        yield lambda count: status.update(f"{count:,} signals …")
