"""A page of schedules from a file to Postgres: SQL that ends in ops.apply, or a list in JSON.

A dry run of an SQL page is the real one, rolled back: what it tells is what it did.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

from cli.database import Connection, Row
from shared.errors import InvalidRequest

_COLUMNS = ["change", "name", "detail"]
_BYTES_MAX = 1_000_000


def read_page(path: Path) -> str:
    """Return the text of a page. Raises: InvalidRequest if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_BYTES_MAX).decode()
    except OSError as error:
        raise InvalidRequest(
            f"expected a page of schedules in {path}, was: {error.strerror}", field="page"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"expected text in {path}, was binary", field="page") from error


def apply_page(db: Connection, path: Path, text: str, *, dry_run: bool) -> list[Row]:
    """Apply a page, all or nothing, and return what changes.

    Raises: InvalidRequest for a page that is refused, or that is no page.
    """
    with db.transaction(force_rollback=dry_run):
        if path.suffix == ".json":
            statement = "select * from ops.apply(%s::jsonb)"
            try:
                cursor = db.execute(statement, (text,))
            except psycopg.errors.InvalidTextRepresentation as error:
                raise InvalidRequest(
                    f"expected JSON in {path}, was: {error.diag.message_detail or error}",
                    field="page",
                ) from error
        else:
            try:
                cursor = db.execute(text.encode())
            except psycopg.errors.SyntaxError as error:
                raise InvalidRequest(
                    f"expected SQL in {path}, was: {error.diag.message_primary}",
                    hint="a page of another kind ends in .json",
                    field="page",
                ) from error
        # The last statement is the one that answers.
        while cursor.nextset():
            pass
        if [column.name for column in cursor.description or ()] != _COLUMNS:
            raise InvalidRequest(
                f"expected {path} to end in select * from ops.apply(…), did not",
                hint="sql/schedules.sql is one; nothing was changed",
                field="page",
            )
        return cursor.fetchall()
