"""Makes a backup: one snapshot of Postgres, dumped, counted and summed, and written to a place.

Everything in the file is of the same instant: pg_dump, the checksums and the traders' files read
one exported snapshot. Not here: the file itself (backup_file), its place (backup_places).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from cli.backup_file import (
    DUMP,
    FORMAT,
    MANIFEST,
    USERS,
    BackupWriter,
    Manifest,
    file_checksum,
    name_of,
    writing_backup,
)
from cli.backup_places import Place
from cli.database import Connection, connected, fetch
from cli.pg_tools import find_program, major_of, running, version_of, without_password
from cli.settings import read_settings
from cli.trader_files import slugs_of, trader_of, write_trader
from shared.errors import StoreUnavailable
from shared.settings import OperatorSettings

SCHEMAS = ("public", "ops", "trading")
# Ten million rows are summed in about a minute.
SNAPSHOT_STATEMENT_TIMEOUT = "30min"
LOCK_WAIT_TIMEOUT = "10s"
_CHUNK_BYTES = 1 << 20
_ROWS_PER_FETCH = 1_000

Tell = Callable[[str], None]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is complete: `address` where it lies, `checksum` its SHA-256."""

    address: str
    bytes: int
    checksum: str
    manifest: Manifest


def make_backup(place: Place, tell: Tell) -> Made:
    """Back up the database of the settings to a place and note it in ops.backups.

    Raises: ConfigError without DATABASE_URL or a fitting pg_dump; StoreUnavailable, InvalidRequest.
    No file is left behind then, but for one: it is complete and could not be noted.
    """
    dsn = read_settings(OperatorSettings).require("database_url")
    with connected() as db:
        # Before anything is written: a missing program, a schema without backups.
        program = find_program("pg_dump", major_of(db.info.server_version))
        with place.drafting() as folder, _snapshot(db) as (snapshot, made_at):
            path = folder / name_of(made_at)
            with writing_backup(folder, made_at) as writer:
                tell("dump")
                excluded = fetch(
                    db, "select name from ops.list_backup_tables() where excluded_because <> ''"
                )
                _dump(program, dsn, snapshot, [row["name"] for row in excluded], writer, tell)
                tell("traders")
                files_count = _add_trader_files(db, writer)
                users_count = _add_users(db, writer)
                tell("checksums")
                manifest = _describe(db, made_at, program, users_count, files_count)
                writer.add(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
            tell("storing")
            made = Made(
                bytes=path.stat().st_size,
                checksum=file_checksum(path),
                address=place.store(path),
                manifest=manifest,
            )
    _record(made)
    return made


@contextmanager
def _snapshot(db: Connection) -> Iterator[tuple[str, datetime]]:
    """Hold one snapshot for the block; yields its name, for pg_dump, and its instant."""
    with db.transaction():
        db.execute("set transaction isolation level repeatable read, read only")
        db.execute(f"set local statement_timeout = '{SNAPSHOT_STATEMENT_TIMEOUT}'")
        db.execute("set local idle_in_transaction_session_timeout = 0")
        (row,) = fetch(db, "select pg_export_snapshot() as name, now() as at")
        yield str(row["name"]), row["at"].astimezone(UTC)


def _dump(
    program: Path,
    dsn: str,
    snapshot: str,
    excluded: list[str],
    writer: BackupWriter,
    tell: Tell,
) -> None:
    address, environment = without_password(dsn)
    command: list[str | Path] = [
        program,
        "--format=custom",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT_TIMEOUT}",
        "--load-via-partition-root",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        *(f"--schema={name}" for name in SCHEMAS),
        *(f"--exclude-table-data={name}" for name in excluded),
        f"--dbname={address}",
    ]
    done_bytes = 0
    with running(command, environment=environment) as output, writer.member(DUMP) as file:
        while chunk := output.read(_CHUNK_BYTES):
            file.write(chunk)
            done_bytes += len(chunk)
            tell(f"dump, {done_bytes / 1e6:,.1f} MB")


def _add_trader_files(db: Connection, writer: BackupWriter) -> int:
    """Add each trader as `closebell export traders` writes it; return their count."""
    count = 0
    with db.cursor(name="traders") as cursor:
        cursor.itersize = _ROWS_PER_FETCH
        cursor.execute(
            "select traders.user_id, users.email, to_jsonb(traders) as trader"
            " from public.traders left join auth.users on users.id = traders.user_id"
            " order by traders.user_id, traders.id"
        )
        owners: set[str] = set()
        for user_id, rows in groupby(cursor, key=lambda row: row["user_id"]):
            owned = list(rows)
            (owner,) = slugs_of([owned[0]["email"] or str(user_id)])
            if owner in owners:
                owner = str(user_id)
            owners.add(owner)
            traders = [trader_of(row["trader"]) for row in owned]
            for slug, trader in zip(slugs_of(t.name for t in traders), traders, strict=True):
                writer.add(f"traders/{owner}/{slug}.yaml", write_trader(trader).encode())
            count += len(traders)
    return count


def _add_users(db: Connection, writer: BackupWriter) -> int:
    """Add who owns what: ids and addresses, no password and no token; return their count."""
    count = 0
    with writer.member(USERS) as file, db.cursor(name="users") as cursor:
        cursor.itersize = _ROWS_PER_FETCH
        cursor.execute(
            "select users.id, users.email, users.email_confirmed_at, users.created_at"
            " from auth.users inner join public.profiles on profiles.user_id = users.id"
            " order by users.id"
        )
        for row in cursor:
            file.write(msgspec.json.encode(row) + b"\n")
            count += 1
    return count


def _describe(
    db: Connection, made_at: datetime, program: Path, users_count: int, files_count: int
) -> Manifest:
    (row,) = fetch(
        db,
        "select ops.backup_manifest() as content, current_setting('server_version') as server",
    )
    content: dict[str, Any] = row["content"]
    return msgspec.convert(
        {
            **content,
            "format": FORMAT,
            "made_at": made_at,
            "closebell": version("closebell"),
            "server_version": row["server"],
            "pg_dump_version": version_of(program),
            "users_count": users_count,
            "trader_files_count": files_count,
        },
        Manifest,
    )


def _record(made: Made) -> None:
    """Note the backup, so that its age shows in SQL. The snapshot's connection is read only."""
    counts = {name: table.rows for name, table in made.manifest.tables.items()}
    try:
        with connected() as db:
            db.execute(
                "select ops.record_backup(%s, %s, %s, %s::text::jsonb, %s)",
                (
                    made.manifest.made_at,
                    made.address,
                    made.bytes,
                    msgspec.json.encode(counts).decode(),
                    made.checksum,
                ),
            )
    except StoreUnavailable as error:
        raise StoreUnavailable(
            f"the backup {made.address} is complete and was not noted in ops.backups:"
            f" {error.message}",
            hint="it can be restored; the watchdog does not know of it",
        ) from error
