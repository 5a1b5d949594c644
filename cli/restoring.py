"""Restores a backup: into a scratch database to compare it, or into a migrated one for use.

The rows go the same way in both: out of the dump by pg_restore, as text, into COPY, all tables in
one transaction. Nothing else of the dump is executed in a target: its schema is that of the
migrations. Not here: the file (backup_file), the scratch server (scratch).
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cli.backing_up import LOCK_WAIT_TIMEOUT, SNAPSHOT_STATEMENT_TIMEOUT, Tell
from cli.backup_file import DUMP, USERS, Manifest, read_manifest
from cli.database import CONNECT_TIMEOUT_S, Connection, fetch, program_name, translated
from cli.pg_tools import find_program, major_of, running, without_password
from cli.scratch import scratch_database
from cli.settings import PROJECT
from shared.errors import InvalidRequest, StoreUnavailable

# COPY public.traders (id, user_id, …) FROM stdin;
_COPY = re.compile(rb"COPY (\S+) \(.*\) FROM stdin;\n")
_END = b"\\.\n"
_BATCH_BYTES = 1 << 18
# A fresh schema takes about a second.
_SCHEMA_TIMEOUT_S = 300
# What constrains the rows themselves; triggers and policies are the target's own.
_KEYS = re.compile(rb"^\d+; .* (INDEX|CONSTRAINT|FK CONSTRAINT) \S+ ", re.MULTILINE)


class TableFound(msgspec.Struct, frozen=True, kw_only=True):
    """A table as the manifest has it and as it was found; sums are those of ops.table_checksum."""

    name: str
    rows_expected: int
    rows_found: int
    is_equal: bool


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored: `users_added` to auth.users, without a password."""

    manifest: Manifest
    tables: list[TableFound]
    users_added: int


def verify_backup(archive: zipfile.ZipFile, server_dsn: str | None, tell: Tell) -> Restored:
    """Restore a backup into a scratch database, compare each table, drop it.

    Raises: InvalidRequest naming the tables that differ; ConfigError, StoreUnavailable.
    """
    manifest = read_manifest(archive)
    major = _dumped_by(manifest, int(manifest.server_version.partition(".")[0]))
    with _dump_file(archive) as dump, scratch_database(major, server_dsn) as dsn:
        program = find_program("pg_restore", major)
        with _connected(dsn) as db:
            tell("schema")
            db.execute((PROJECT / "sql" / "scratch.sql").read_bytes())
            said = _restore_schema(program, dump, dsn)
            if not fetch(db, "select where to_regproc('ops.table_checksum') is not null"):
                raise StoreUnavailable(f"expected pg_restore to make the schema, was: {said}")
            with db.transaction():
                _prepare_session(db)
                added = _add_users(db, archive)
                _load_rows(db, program, dump, manifest, tell)
            tell("keys")
            _restore_keys(program, dump, dsn)
            tell("checksums")
            tables = _compare(db, manifest)
    wrong = [table.name for table in tables if not table.is_equal]
    if wrong:
        raise InvalidRequest(
            "expected the counts and checksums of the manifest, other rows are in "
            + ", ".join(wrong),
            hint="take another backup file",
        )
    return Restored(manifest=manifest, tables=tables, users_added=added)


def restore_backup(
    archive: zipfile.ZipFile, target_dsn: str, tell: Tell, *, replace: bool
) -> Restored:
    """Restore a backup into a migrated database, in one transaction that compares before it ends.

    `replace`: delete the rows that are there. Raises: InvalidRequest, ConfigError,
    StoreUnavailable; the target is as it was then.
    """
    manifest = read_manifest(archive)
    with _dump_file(archive) as dump, _connected(target_dsn) as db:
        major = major_of(db.info.server_version)
        program = find_program("pg_restore", _dumped_by(manifest, major))
        with db.transaction():
            _prepare_session(db)
            (row,) = fetch(
                db,
                "select ops.prepare_restore(%s::text[], %s) as kept",
                manifest.schema_versions,
                replace,
            )
            added = _add_users(db, archive)
            _load_rows(db, program, dump, manifest, tell)
            tell("checksums")
            fetch(
                db,
                "select ops.finish_restore(%s, %s)",
                Jsonb(msgspec.to_builtins(manifest)),
                Jsonb(row["kept"]),
            )
    tables = [
        TableFound(name=name, rows_expected=table.rows, rows_found=table.rows, is_equal=True)
        for name, table in manifest.tables.items()
    ]
    return Restored(manifest=manifest, tables=tables, users_added=added)


def _dumped_by(manifest: Manifest, major: int) -> int:
    """Return the major version that reads the dump and knows a server: the newer of both."""
    found = re.search(r"\(PostgreSQL\) (\d+)", manifest.pg_dump_version)
    return max(major, int(found[1]) if found else major)


@contextmanager
def _dump_file(archive: zipfile.ZipFile) -> Iterator[Path]:
    """Yield the dump as a file of its own: pg_restore seeks in it."""
    with tempfile.TemporaryDirectory(prefix="closebell-restore-") as folder:
        try:
            path = Path(archive.extract(DUMP, folder))
        except OSError as error:
            raise StoreUnavailable(
                f"expected to unpack the dump, was: {error.strerror or error}",
                hint="it is unpacked in TMPDIR; is there room?",
            ) from error
        yield path


@contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    try:
        with psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            prepare_threshold=None,
            application_name=program_name(),
            options="-c timezone=UTC",
            row_factory=dict_row,
        ) as connection:
            yield connection
    except psycopg.Error as error:
        raise translated(error) from error


def _prepare_session(db: Connection) -> None:
    db.execute(f"set local statement_timeout = '{SNAPSHOT_STATEMENT_TIMEOUT}'")
    db.execute(f"set local lock_timeout = '{LOCK_WAIT_TIMEOUT}'")
    # Rows come in any order, and no trigger may answer them; all is compared at the end.
    db.execute("set local session_replication_role = 'replica'")


def _add_users(db: Connection, archive: zipfile.ZipFile) -> int:
    with archive.open(USERS) as file:
        users = [msgspec.json.decode(line) for line in file]
    # In a scratch database the routine is the backup's own.
    (row,) = fetch(db, "select ops.add_restored_users(%s) as added", Jsonb(users))
    return int(row["added"])


def _load_rows(db: Connection, program: Path, dump: Path, manifest: Manifest, tell: Tell) -> None:
    """Copy the rows of every table of the manifest; what else the dump holds is left out.

    Raises: InvalidRequest if it holds rows of a table that the manifest does not name.
    """
    command = (program, "--data-only", "--file=-", dump)
    with running(command) as output:
        for line in output:
            head = _COPY.fullmatch(line)
            if head is None:
                continue
            name = head[1].decode()
            if name not in manifest.tables:
                raise InvalidRequest(f"expected a table of the manifest in the dump, was {name}")
            tell(f"rows of {name}")
            statement = line.removesuffix(b";\n")
            with db.cursor() as cursor, cursor.copy(statement) as copy:
                for batch in _rows(output):
                    copy.write(batch)


def _rows(output: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of one COPY, many at a time, up to the line that ends it."""
    batch: list[bytes] = []
    size = 0
    for line in output:
        if line == _END:
            yield b"".join(batch)
            return
        batch.append(line)
        size += len(line)
        if size >= _BATCH_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    raise InvalidRequest("expected the end of a table in the dump, was cut off")


def _restore_schema(program: Path, dump: Path, dsn: str) -> str:
    """Make tables and routines in a scratch database; return pg_restore's last words.

    What stands on parts of the platform that are not there fails and does no harm: a table that
    is missing is missed when its rows are loaded.
    """
    address, environment = without_password(dsn)
    done = subprocess.run(
        (program, "--section=pre-data", "--no-owner", "--no-privileges", "-d", address, dump),
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SCHEMA_TIMEOUT_S,
        check=False,
    )
    return (done.stderr.strip().splitlines() or ["nothing"])[-1]


def _restore_keys(program: Path, dump: Path, dsn: str) -> None:
    """Make keys and indexes: rows that break one are found here."""
    address, environment = without_password(dsn)
    with running((program, "--list", "--section=post-data", dump)) as output:
        listed = output.read()
    with tempfile.NamedTemporaryFile(prefix="closebell-restore-") as kept:
        kept.write(b"".join(line + b"\n" for line in listed.splitlines() if _KEYS.match(line)))
        kept.flush()
        command = (
            *(program, "--section=post-data", "--exit-on-error", "--no-owner"),
            *("--use-list", kept.name, "-d", address, dump),
        )
        with running(command, environment=environment) as output:
            output.read()


def _compare(db: Connection, manifest: Manifest) -> list[TableFound]:
    tables = []
    for name, expected in sorted(manifest.tables.items()):
        (row,) = fetch(db, "select ops.table_checksum(%s) as found", name)
        found: Mapping[str, Any] = row["found"]
        tables.append(
            TableFound(
                name=name,
                rows_expected=expected.rows,
                rows_found=found["rows"],
                is_equal=found == msgspec.to_builtins(expected),
            )
        )
    return tables
