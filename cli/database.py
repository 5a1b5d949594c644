"""The operator's way into Postgres: one connection, bounded, as the owner of the schema.

Imported only by commands that need it. Everything the commands ask is a view or a routine of the
schema `ops`; no command carries logic of its own in SQL.
"""

from __future__ import annotations

import getpass
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from cli.settings import require
from shared.errors import ConfigError, InvalidRequest, StoreUnavailable

# A command that is ended in the middle of a query says so itself. That its transaction cannot be
# rolled back any more is no news: it ends with the connection.
logging.getLogger("psycopg").setLevel(logging.ERROR)

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 30_000
DOCTOR = "`closebell doctor` shows what does not answer"
# What a routine raises when the operator asked for something impossible (PostgREST's own words).
_REFUSALS = {"PT400", "PT403", "PT404", "PT409", "22023", "22P02", "22007", "22008", "23514"}

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


@contextmanager
def connected(*, connect_timeout_s: int = CONNECT_TIMEOUT_S) -> Iterator[Connection]:
    """Open a connection in autocommit; the time zone is UTC.

    Raises: ConfigError without DATABASE_URL; StoreUnavailable where nobody answers, or a statement
    fails; InvalidRequest where a routine refuses what was asked, with its hint.
    """
    dsn = checked_dsn(require("database_url"))
    try:
        options = connection_options(connect_timeout_s=connect_timeout_s)
        with psycopg.connect(dsn, **options, row_factory=dict_row) as connection:
            yield connection
    except psycopg.Error as error:
        raise translated(error) from error


def checked_dsn(dsn: str, name: str = "DATABASE_URL") -> str:
    """Return it. Raises: ConfigError if it is none; libpq's words would show the password."""
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise ConfigError(
            f"expected {name} to be postgresql://user:password@host:port/database, was not",
            hint="a password with @, : or / in it must be percent-encoded",
        ) from None
    return dsn


def connection_options(
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS, connect_timeout_s: int = CONNECT_TIMEOUT_S
) -> dict[str, Any]:
    """Return the arguments of every connection of ours."""
    return {
        "autocommit": True,
        "connect_timeout": connect_timeout_s,
        # A pooler in transaction mode keeps no prepared statements.
        "prepare_threshold": None,
        "application_name": program_name(),
        "options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC",
    }


def program_name() -> str:
    """Return what ops.audit knows of the person, where several share a role."""
    return f"closebell ({user_name()})"


def user_name() -> str:
    """Return who sits at this terminal, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "closebell"


def fetch(connection: Connection, query: LiteralString, *values: Any) -> list[Row]:
    """Return the rows of one statement."""
    return connection.execute(query, values).fetchall()


def translated(error: psycopg.Error, otherwise: str = DOCTOR) -> StoreUnavailable | InvalidRequest:
    """Return our error for one of Postgres; `otherwise` is the hint if there is no better one."""
    said = (error.diag.message_primary or str(error)).strip()
    # What a connection could not do takes libpq several lines.
    message = "; ".join(line.strip() for line in said.splitlines())
    hint = error.diag.message_hint or ""
    if error.sqlstate in _REFUSALS:
        return InvalidRequest(message, hint=hint)
    if error.sqlstate in ("42P01", "42883", "3F000"):
        hint = "the schema is older than this command; apply it: python -m local.migrate up"
    return StoreUnavailable(f"Postgres: {message}", hint=hint or otherwise)
