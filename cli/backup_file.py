"""A backup file: one zip of a Postgres dump, traders as files, users, a manifest, and checksums.

    database.dump              pg_dump's custom format, compressed by pg_dump
    users.ndjson               id and e-mail of each user, no password
    traders/<owner>/<name>.yaml
    manifest.json              what the database held: rows and a checksum for each table
    SHA256SUMS                 of all of these, as sha256sum writes and checks it

Written under a temporary name and given its own when it is complete. Not here: what is in the
members (backing_up), where the file goes (backup_places), what becomes of it (restoring).
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from shared.errors import InvalidRequest, StoreUnavailable

FORMAT = 1
DUMP, USERS, MANIFEST, SUMS = "database.dump", "users.ndjson", "manifest.json", "SHA256SUMS"
NAME = re.compile(r"closebell-\d{8}T\d{6}Z\.zip")
_CHUNK_BYTES = 1 << 20
# A manifest is a few kB; a member of this name that is larger is none of ours.
_TEXT_BYTES_MAX = 16 << 20
_TAKE_ANOTHER = "nothing was restored; take another file"
# A damaged header leads the reader of zips astray in many ways.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    KeyError,
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
)


class TableContent(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table, count, and ops.table_checksum's sum over them."""

    rows: int
    checksum: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds; `made_at` is the instant of its snapshot, UTC."""

    format: int
    made_at: datetime
    closebell: str
    server_version: str
    pg_dump_version: str
    schema_versions: list[str]
    tables: dict[str, TableContent]
    excluded: dict[str, str]
    sequences: dict[str, int]
    users_count: int
    trader_files_count: int

    @property
    def rows_count(self) -> int:
        """Return the rows of all tables, count."""
        return sum(table.rows for table in self.tables.values())


def name_of(made_at: datetime) -> str:
    """Return the name of the backup of an instant; names sort by time."""
    return f"closebell-{made_at.astimezone(UTC):%Y%m%dT%H%M%SZ}.zip"


class BackupWriter:
    """Adds members to a backup that is being made, and keeps their checksums."""

    def __init__(self, archive: zipfile.ZipFile, made_at: datetime) -> None:
        self._archive = archive
        self._date_time = made_at.timetuple()[:6]
        self._sums: list[str] = []

    @contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """Open a member for writing; dumps are compressed already, texts are small."""
        entry = zipfile.ZipInfo(name, self._date_time)
        entry.external_attr = 0o600 << 16
        with self._archive.open(entry, "w", force_zip64=True) as file:
            hashing = _Hashing(file)
            # It has what a zip file writes to, and is no IO by type.
            yield hashing  # type: ignore[misc]
        self._sums.append(f"{hashing.hexdigest}  {name}\n")

    def add(self, name: str, content: bytes) -> None:
        """Add a whole member."""
        with self.member(name) as file:
            file.write(content)

    def add_sums(self) -> None:
        """Add the checksums of all members: the last one."""
        sums = "".join(self._sums).encode()
        self.add(SUMS, sums)


class _Hashing:
    """A writable file that hashes what passes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        return self._file.write(content)

    @property
    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def writing_backup(folder: Path, made_at: datetime) -> Iterator[BackupWriter]:
    """Write the backup of an instant beside its place, and move it there whole.

    Its owner alone may read it.

    Raises: InvalidRequest if there is such a file; StoreUnavailable if it cannot be written, and
    then nothing is left behind.
    """
    path = folder / name_of(made_at)
    draft = path.with_name(f".{path.name}.partial")
    if path.exists():
        raise InvalidRequest(f"expected no file {path}, there is one", hint="try again in a second")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError as error:
        raise InvalidRequest(
            f"expected no file {draft}, there is one", hint="another backup is being made"
        ) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                writer = BackupWriter(archive, made_at)
                yield writer
                writer.add_sums()
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"expected to write {path}, was: {error.strerror or error}",
        hint="nothing is left behind; make room, or choose another folder",
    )


@contextmanager
def opened_backup(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a backup whose every member has its checksum.

    Raises: InvalidRequest if it is none, is cut off or damaged.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise InvalidRequest(f"expected a backup in {path}, there is no such file") from error
    except _DAMAGE as error:
        raise InvalidRequest(
            f"expected a backup in {path}, was cut off or is none: {error}", hint=_TAKE_ANOTHER
        ) from error
    with archive:
        _check_sums(archive, path)
        yield archive


def _check_sums(archive: zipfile.ZipFile, path: Path) -> None:
    try:
        listed = dict(
            (name, digest)
            for digest, _, name in (
                line.partition("  ") for line in read_text(archive, SUMS).splitlines()
            )
        )
        names = archive.namelist()
        if sorted(names) != sorted({*listed, SUMS}):
            raise zipfile.BadZipFile("its members are not those of SHA256SUMS")
        for name, digest in listed.items():
            if _digest(archive, name) != digest:
                raise zipfile.BadZipFile(f"{name} does not match its checksum")
        missing = {DUMP, USERS, MANIFEST} - listed.keys()
        if missing:
            raise zipfile.BadZipFile(f"{', '.join(sorted(missing))} is missing")
    except _DAMAGE as error:
        raise InvalidRequest(
            f"expected an undamaged backup in {path}, was: {error}", hint=_TAKE_ANOTHER
        ) from error


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as file:
        digest = hashlib.sha256()
        size = 0
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    if size != archive.getinfo(name).file_size:
        raise zipfile.BadZipFile(f"{name} is not as long as it says")
    return digest.hexdigest()


def read_text(archive: zipfile.ZipFile, name: str) -> str:
    """Return a small member. Raises: ValueError if it is not small; KeyError if it is not there."""
    if archive.getinfo(name).file_size > _TEXT_BYTES_MAX:
        raise ValueError(f"{name} is too large")
    return archive.read(name).decode()


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """Return the manifest. Raises: InvalidRequest if another version of Closebell wrote it."""
    text = read_text(archive, MANIFEST)
    try:
        found = msgspec.json.decode(text, type=dict)
        if found.get("format") != FORMAT:
            raise InvalidRequest(
                f"expected a backup of format {FORMAT}, was {found.get('format')}",
                hint="restore it with the release of Closebell that made it"
                f" ({found.get('closebell', 'unknown')})",
            )
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(
            f"expected a manifest in {MANIFEST}, was: {error}", hint=_TAKE_ANOTHER
        ) from error


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
