"""A backup file: complete or not there, and no damage goes unseen."""

from __future__ import annotations

import hashlib
import random
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from cli.backup_file import (
    DUMP,
    MANIFEST,
    USERS,
    Manifest,
    name_of,
    opened_backup,
    read_manifest,
    writing_backup,
)
from cli.pg_tools import find_program, without_password
from shared.errors import ConfigError, InvalidRequest

AT = datetime(2026, 11, 21, 17, 45, 12, tzinfo=UTC)
MEMBERS = {DUMP: bytes(range(256)) * 4, USERS: b'{"id": 1}\n', "traders/ann/a.yaml": b"name: A\n"}
SUM = Manifest(
    format=1,
    made_at=AT,
    closebell="0.1.0",
    server_version="15.18",
    pg_dump_version="pg_dump (PostgreSQL) 15.18",
    schema_versions=["1"],
    tables={},
    excluded={},
    sequences={},
    users_count=1,
    trader_files_count=1,
)


def write(folder: Path) -> Path:
    with writing_backup(folder, AT) as writer:
        for name, content in MEMBERS.items():
            writer.add(name, content)
        writer.add(MANIFEST, msgspec.json.encode(SUM))
    return folder / name_of(AT)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert path.name == "closebell-20261121T174512Z.zip"
    assert list(tmp_path.iterdir()) == [path]
    with opened_backup(path) as archive:
        assert read_manifest(archive) == SUM
        assert {name: archive.read(name) for name in MEMBERS} == MEMBERS


def test_a_backup_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path)
    before = path.read_bytes()
    with pytest.raises(InvalidRequest, match="there is one"):
        write(tmp_path)
    assert path.read_bytes() == before


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="halfway"), writing_backup(tmp_path, AT) as writer:
        writer.add(DUMP, b"half")
        raise RuntimeError("halfway")
    assert list(tmp_path.iterdir()) == []


def test_every_damaged_byte_is_seen_or_harmless(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    numbers = random.Random(7)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << numbers.randrange(8)
        path.write_bytes(damaged)
        try:
            with opened_backup(path) as archive:
                # Dates and rights of the members: their content is what it was.
                assert {name: archive.read(name) for name in MEMBERS} == MEMBERS
                assert read_manifest(archive) == SUM
        except InvalidRequest as error:
            assert "nothing was restored" in error.hint


def test_every_cut_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(InvalidRequest, match="cut off or is none"), opened_backup(path):
            pass


@pytest.mark.parametrize("lacking", [DUMP, USERS, MANIFEST])
def test_a_backup_without_a_part_is_refused(tmp_path: Path, lacking: str) -> None:
    path = tmp_path / "x.zip"
    contents = {name: b"x" for name in (DUMP, USERS, MANIFEST) if name != lacking}
    sums = "".join(f"{hashlib.sha256(b'x').hexdigest()}  {name}\n" for name in contents)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**contents, "SHA256SUMS": sums.encode()}.items():
            archive.writestr(name, content)
    with pytest.raises(InvalidRequest, match=f"{lacking} is missing"), opened_backup(path):
        pass


def make_program(folder: Path, major: int) -> None:
    folder.mkdir(parents=True)
    program = folder / "pg_dump"
    program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {major}.1 (Debian)'\n")
    program.chmod(0o755)


def test_pg_dump_of_the_servers_version_is_chosen_or_the_next_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    for major in (14, 15, 17):
        make_program(tmp_path / str(major) / "bin", major)
    make_program(tmp_path / "path", 16)
    folders = (f"{tmp_path}/*/bin",)
    assert find_program("pg_dump", 15, folders) == tmp_path / "15" / "bin" / "pg_dump"
    assert find_program("pg_dump", 16, folders) == tmp_path / "path" / "pg_dump"
    assert find_program("pg_dump", 9, folders) == tmp_path / "14" / "bin" / "pg_dump"
    with pytest.raises(ConfigError, match="18 or newer, found 14, 15, 16, 17") as refused:
        find_program("pg_dump", 18, folders)
    assert "apt-get install postgresql-client-18" in refused.value.hint


def test_no_pg_dump_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="pg_dump of PostgreSQL 15 or newer, found none"):
        find_program("pg_dump", 15, ())


def test_a_password_is_no_word_of_a_command() -> None:
    address, environment = without_password("postgresql://ann:p%40ss@db.example.org:6543/postgres")
    assert "p@ss" not in address
    assert environment["PGPASSWORD"] == "p@ss"
    assert "db.example.org" in address
