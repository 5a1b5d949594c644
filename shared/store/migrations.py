"""Bring a database to what sql/ says: migrations once, routines and the timetable each time.

The history is the Supabase CLI's own (`supabase_migrations.schema_migrations`: version, name,
statements), so either tool may come first. What was applied is compared with the file: an edited
migration is refused by name. Two runs at once wait for each other.
Called by `closebell deploy`, by the local cloud's supervisor and by `python -m local.migrate`: in a
place that all of them may import. Imports psycopg, which nothing deployed has: no part on a host
imports this module.

Not here: the platform that migrations stand on (local/sql; hosted Supabase brings its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from shared.errors import ConfigError, StoreUnavailable
from shared.migrations import Migration, compare_history, is_edited, load_migrations

SQL = Path(__file__).resolve().parents[2] / "sql"
# Any constant will do, if nobody else uses it: the bytes of "closebel".
LOCK_KEY = int.from_bytes(b"closebel", "big")
# A whole migration of a fresh database takes about a second.
LOCK_WAIT_S = 60
CONNECT_TIMEOUT_S = 10


@dataclass(frozen=True)
class Migrated:
    """What one run did: names of the migrations applied, count of routines and scheduled jobs."""

    applied: tuple[str, ...]
    routines_count: int
    schedules_count: int


def migrate(dsn: str, *, sql: Path = SQL, schedules: bool = True) -> Migrated:
    """Apply what is missing, then all routines, then the timetable; safe to repeat at any time.

    `schedules=False` leaves the timetable for `apply_schedules`, once all parts are up.
    Raises: ConfigError naming the file that is out of order, edited, or fails (nothing of it is
    applied); StoreUnavailable.
    """
    migrations = load_migrations(sql / "migrations")
    with _connect(dsn) as connection:
        _lock(connection)
        applied_texts = _load_history(connection)
        _check_history(migrations, applied_texts)
        applied = []
        for migration in migrations:
            if migration.version not in applied_texts:
                _apply(connection, migration)
                applied.append(migration.file_name)
        routines_count = _apply_routines(connection, sql / "routines")
        schedules_count = _apply_schedules(connection, sql) if schedules else 0
    return Migrated(tuple(applied), routines_count, schedules_count)


def apply_schedules(dsn: str, *, sql: Path = SQL) -> int:
    """Make cron.job equal to sql/schedules.sql; return the jobs on it, count."""
    with _connect(dsn) as connection:
        _lock(connection)
        return _apply_schedules(connection, sql)


def load_status(dsn: str, *, sql: Path = SQL) -> list[tuple[str, str]]:
    """Return (file or version, applied | missing | edited | unknown) in order of version."""
    with _connect(dsn) as connection:
        applied_texts = _load_history(connection)
    return compare_history(load_migrations(sql / "migrations"), applied_texts)


def _connect(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"expected a database, was: {str(error).strip()}", hint="check DATABASE_URL"
        ) from error
    # Notices of "if not exists" are no news.
    connection.execute("set client_min_messages = warning")
    return connection


def _lock(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Wait for another run to end; held until the connection closes."""
    try:
        connection.execute(f"set lock_timeout = '{LOCK_WAIT_S}s'")
        connection.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
    except psycopg.errors.LockNotAvailable as error:
        raise StoreUnavailable(
            f"expected no other migration for {LOCK_WAIT_S} s, was still running",
            hint="select * from pg_locks where locktype = 'advisory'",
        ) from error
    connection.execute("reset lock_timeout")


def _load_history(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, list[str]]:
    """Return version → statements as applied; empty for a fresh database."""
    connection.execute("create schema if not exists supabase_migrations")
    connection.execute(
        "create table if not exists supabase_migrations.schema_migrations"
        " (version text not null primary key, statements text[], name text)"
    )
    rows = connection.execute(
        "select version, coalesce(statements, '{}') from supabase_migrations.schema_migrations"
    )
    # psycopg types a row as objects; the columns are text and text[].
    return {str(version): list(statements) for version, statements in rows.fetchall()}  # type: ignore[call-overload]


def _check_history(migrations: Sequence[Migration], applied_texts: dict[str, list[str]]) -> None:
    newest = max(applied_texts, default="")
    known = {migration.version for migration in migrations}
    unknown = sorted(applied_texts.keys() - known)
    if unknown:
        raise ConfigError(
            f"expected every applied migration in sql/migrations, {unknown[0]} is not there",
            hint="this checkout is older than the database, or the database is another project's",
        )
    for migration in migrations:
        if migration.version not in applied_texts and migration.version < newest:
            raise ConfigError(
                f"expected {migration.file_name} to be newer than {newest}, which is applied",
                hint="give the file a newer time",
            )
        if migration.version in applied_texts and is_edited(
            migration, applied_texts[migration.version]
        ):
            raise ConfigError(
                f"expected {migration.file_name} as it was applied, was edited since",
                hint="undo the edit and write a new migration",
            )


def _apply(connection: psycopg.Connection[tuple[object, ...]], migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.text.encode())
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, statements, name)"
                " values (%s, %s, %s)",
                (migration.version, [migration.text], migration.name),
            )
    except psycopg.Error as error:
        raise _refused(migration.file_name, error) from error


def _apply_routines(connection: psycopg.Connection[tuple[object, ...]], folder: Path) -> int:
    """Re-apply every routine in one transaction; return their count."""
    paths = sorted(folder.glob("*/*.sql"))
    with connection.transaction():
        # Routines may name each other in any order; tests check the bodies.
        connection.execute("set local check_function_bodies = off")
        connection.execute("set local lock_timeout = '5s'")
        for path in paths:
            try:
                connection.execute(path.read_bytes())
            except psycopg.Error as error:
                raise _refused(f"{path.parent.name}/{path.name}", error) from error
    return len(paths)


def _apply_schedules(connection: psycopg.Connection[tuple[object, ...]], sql: Path) -> int:
    try:
        with connection.transaction():
            connection.execute((sql / "schedules.sql").read_bytes())
            row = connection.execute("select count(*) from ops.timetable").fetchone()
    except psycopg.Error as error:
        raise _refused("schedules.sql", error) from error
    return int(str(row[0])) if row else 0


def _refused(file_name: str, error: psycopg.Error) -> ConfigError:
    line = ""
    if error.diag.statement_position:
        line = f", at character {error.diag.statement_position}"
    return ConfigError(
        f"expected {file_name} to apply, was: {error.diag.message_primary or error}{line}",
        hint=error.diag.message_hint or "nothing of this file was applied",
    )
