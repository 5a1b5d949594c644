"""Reads the log, and goes on reading it: a bell when lines were stored, a look now and then.

Edge. The bell (NOTIFY) makes it quick, the look makes it safe: a pooler swallows bells. A
connection that ends is opened again and the reading goes on where it was (log_cursor.py).
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from cli.database import Connection, Row, connected, fetch
from cli.log_cursor import LogCursor, Position
from shared.errors import StoreUnavailable

CHANNEL = "closebell_logs"
# A look without a bell; more often once bells are known not to come.
LOOK_EVERY_S = 2.0
LOOK_EVERY_WITHOUT_BELL_S = 0.5
# Lines of one read, at most; what is left is read at once.
READ_LINES_MAX = 20_000
RECENT_IDS = 1_000
RETRY_MAX_S = 5.0

Tell = Callable[[str], None]
Filters = dict[str, Any]

_READ = "select * from ops.read_logs(%s::jsonb)"
# One statement has one snapshot: position and lines belong together.
_READ_AT = """
    select position.*, line.*
    from ops.log_position(%s) as position
    left join lateral ops.read_logs(%s::jsonb) as line on true
"""


def read_newest(filters: Filters, lines_max: int) -> tuple[list[Row], bool]:
    """Return the newest lines, oldest first, and whether there are older ones."""
    with connected() as db:
        rows = fetch(db, _READ, json.dumps(filters | {"limit": lines_max + 1}))
    return rows[:lines_max][::-1], len(rows) > lines_max


def follow(filters: Filters, lines_max: int, tell: Tell) -> Iterator[list[Row]]:
    """Yield the newest lines, then every line as it is stored, for ever.

    `tell` gets a sentence when the connection is lost or back. Raises: what `connected` raises,
    if the very first connection fails.
    """
    cursor: LogCursor | None = None
    failures = 0
    while True:
        try:
            with connected() as db, _losses_as_ours():
                db.execute(f"listen {CHANNEL}".encode())
                if cursor is None:
                    cursor, rows = _begin(db, filters, lines_max)
                    yield rows
                elif failures:
                    tell("Postgres answers again; no line is left out")
                failures = 0
                for rows in _go_on(db, cursor, filters):
                    yield rows
                    if cursor.gave_up_count:
                        cursor.gave_up_count = 0
                        tell("a transaction stays open; lines it stores may not be shown")
        except StoreUnavailable as error:
            if cursor is None:
                raise
            if not failures:
                tell(f"{error.message}; trying again")
            failures += 1
            time.sleep(random.uniform(0.1, min(RETRY_MAX_S, 0.2 * 2**failures)))


def _begin(db: Connection, filters: Filters, lines_max: int) -> tuple[LogCursor, list[Row]]:
    wanted = json.dumps(filters | {"limit": lines_max})
    rows = fetch(db, _READ_AT, RECENT_IDS, wanted)
    first = rows[0]
    recent = {"lines": first["recent_lines"], "errors": first["recent_errors"]}
    cursor = LogCursor(recent, RECENT_IDS)
    return cursor, [row for row in rows if row["line_id"] is not None][::-1]


def _go_on(db: Connection, cursor: LogCursor, filters: Filters) -> Iterator[list[Row]]:
    """Yield what is new at each bell or look, oldest first; ends with an error only."""
    look_every_s = LOOK_EVERY_S
    heard = True
    while True:
        # What is above the floor comes again each time; there must be room for more.
        limit = READ_LINES_MAX + cursor.seen_count
        wanted = json.dumps(filters | {"after": cursor.floor, "limit": limit})
        found = fetch(db, _READ_AT, 0, wanted)
        rows = {(row["part"], row["line_id"]): row for row in found if row["line_id"] is not None}
        cut = len(rows) >= limit
        new = cursor.take(_position(found[0]), rows, time.monotonic(), cut=cut)
        if new:
            if not heard:
                look_every_s = LOOK_EVERY_WITHOUT_BELL_S
            yield sorted((rows[key] for key in new), key=lambda row: row["logged_at"])
        if cut:
            continue
        heard = any(True for _ in db.notifies(timeout=look_every_s, stop_after=1))


def _position(row: Row) -> Position:
    return Position(
        seen_before=row["seen_before"],
        next_transaction=row["next_transaction"],
        newest={"lines": row["newest_line"], "errors": row["newest_error"]},
    )


@contextmanager
def _losses_as_ours() -> Iterator[None]:
    """Turn a connection that is lost into our error, in one line."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise StoreUnavailable(f"Postgres: {str(error).strip().splitlines()[0]}") from error
