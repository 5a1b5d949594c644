"""`closebell backup`: what is in the file, what is not, and that nothing half is left behind."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import threading
import time
import zipfile
from pathlib import Path

import psycopg
import pytest

from local.postgres import BIN_DIR
from tests.sql.backups import (
    COMMAND,
    SECRET,
    SIGNALS_COUNT,
    TIMEOUT_S,
    TRADERS_COUNT,
    back_up,
    execute,
    fetch,
    make_backup,
    run,
)
from tests.sql.conftest import Server


def test_backup_holds_every_table_or_says_why_not(
    filled_database: str, server: Server, tmp_path: Path
) -> None:
    # Tables that nobody here has heard of, one in a schema that does not exist yet.
    execute(
        filled_database,
        "create table public.positions (id bigint primary key, size numeric);"
        "insert into public.positions values (1, 0.1), (2, 'NaN');"
        "create schema trading;"
        "create table trading.fills (at timestamptz, what jsonb) partition by range (at);"
        "create table trading.fills_2026 partition of trading.fills"
        " for values from ('2026-01-01') to ('2027-01-01');"
        "insert into trading.fills values ('2026-05-05', '{}'), ('2026-05-05', '{}')",
    )
    path = make_backup(filled_database, tmp_path)
    manifest = json.loads(zipfile.ZipFile(path).read("manifest.json"))
    ours = {
        name
        for (name,) in fetch(
            filled_database,
            "select relnamespace::regnamespace || '.' || relname from pg_class"
            " where relnamespace::regnamespace::text in ('public', 'ops', 'trading')"
            " and relkind in ('r', 'p') and not relispartition",
        )
    }
    assert ours == manifest["tables"].keys() | manifest["excluded"].keys()
    assert not manifest["tables"].keys() & manifest["excluded"].keys()
    assert all(len(reason) > 10 for reason in manifest["excluded"].values())
    rows = {name: table["rows"] for name, table in manifest["tables"].items()}
    assert rows["public.positions"] == 2
    assert rows["trading.fills"] == 2
    assert rows["public.traders"] == TRADERS_COUNT
    assert rows["public.signals"] == SIGNALS_COUNT
    assert rows["public.signal_overflows"] == 4
    assert rows["ops.runs"] == 4
    assert run("restore", path, "--verify", "--scratch", server.dsn()).returncode == 0


def test_no_secret_is_in_a_backup(filled_database: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(make_backup(filled_database, tmp_path)) as archive:
        archive.extract("database.dump", tmp_path)
        texts = {name: archive.read(name) for name in archive.namelist()}
    texts["database.dump"] = subprocess.run(
        (BIN_DIR / "pg_restore", "--file=-", tmp_path / "database.dump"),
        capture_output=True,
        check=True,
    ).stdout
    assert b"rsi(14) < 30" in texts["database.dump"]
    assert {name for name, text in texts.items() if SECRET.encode() in text} == set()
    assert b"vault" not in texts["database.dump"].split(b"COPY", 1)[1]


def test_backup_checks_by_hand_with_sha256sum_and_is_for_its_owner_alone(
    filled_database: str, tmp_path: Path
) -> None:
    made = back_up(filled_database, tmp_path)["backup"]
    path = Path(made["address"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(path.read_bytes()).hexdigest() == made["checksum"]
    zipfile.ZipFile(path).extractall(tmp_path / "members")
    done = subprocess.run(
        ("sha256sum", "--strict", "-c", "SHA256SUMS"), cwd=tmp_path / "members", check=False
    )
    assert done.returncode == 0
    files = sorted((tmp_path / "members" / "traders").glob("*/*.yaml"))
    assert [file.parent.name for file in files] == ["ann-example-org"] * 3 + ["bob-example-org"] * 3
    users = (tmp_path / "members" / "users.ndjson").read_text().splitlines()
    assert sorted(json.loads(line)["email"] for line in users) == [
        "ann@example.org",
        "bob@example.org",
    ]


def test_backup_is_noted_for_the_watchdog(filled_database: str, tmp_path: Path) -> None:
    done = back_up(filled_database, tmp_path)
    made = done["backup"]
    assert done["took_s"] > 0
    ((target, size, checksum, signals, is_recent),) = fetch(
        filled_database,
        "select target, bytes, checksum, (counts ->> 'public.signals')::int,"
        " made_at between now() - interval '10 min' and now() from ops.backups",
    )
    assert (target, size, checksum) == (made["address"], made["bytes"], made["checksum"])
    assert (signals, is_recent) == (SIGNALS_COUNT, True)
    execute(
        filled_database,
        "select ops.record_backup(now(), 'x', number, '{}', repeat('0', 64))"
        " from generate_series(1, 1100) as number",
    )
    assert fetch(filled_database, "select count(*), max(bytes) from ops.backups") == [(1000, 1100)]


def test_backup_is_one_snapshot_while_others_write(
    filled_database: str, server: Server, tmp_path: Path
) -> None:
    is_over = threading.Event()

    def write() -> None:
        with psycopg.connect(filled_database, autocommit=True) as connection:
            while not is_over.is_set():
                connection.execute(
                    'insert into ops.runs (venue, "interval", closed_at, origin, trader_id)'
                    " select venue, \"interval\", closed_at - interval '1 hour', origin, trader_id"
                    " from ops.runs order by closed_at limit 1"
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        path = make_backup(filled_database, tmp_path)
    finally:
        is_over.set()
        writer.join()
    assert run("restore", path, "--verify", "--scratch", server.dsn()).returncode == 0


def test_keep_deletes_the_oldest_backups_and_nothing_else(
    filled_database: str, tmp_path: Path
) -> None:
    strangers = ["notes.txt", "closebell-20250101T000000Z.zip.old", ".closebell-1.zip.partial"]
    olds = [f"closebell-2025010{day}T000000Z.zip" for day in range(1, 5)]
    for name in strangers + olds:
        (tmp_path / name).touch()
    made = back_up(filled_database, tmp_path, "--keep", "3")
    assert made["deleted"] == olds[:2]
    new = Path(made["backup"]["address"]).name
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*strangers, *olds[2:], new])


def test_a_full_disk_leaves_nothing_behind(filled_database: str, tmp_path: Path) -> None:
    old = tmp_path / "closebell-20250101T000000Z.zip"
    old.touch()
    done = run(
        "backup",
        tmp_path,
        "--keep",
        "1",
        environment={"DATABASE_URL": filled_database},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    # The old one is deleted only when there is a new one.
    assert list(tmp_path.iterdir()) == [old]
    assert fetch(filled_database, "select count(*) from ops.backups") == [(0,)]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("{file}", "File exists"),
        ("{file}/below", "Not a directory"),
        ("", "BACKUP_TARGET"),
        ("gs://bucket/deep", "expected a folder or s3://bucket/prefix"),
        ("s3:/bucket", "expected a folder or s3://bucket/prefix"),
    ],
)
def test_an_impossible_target_is_refused(
    filled_database: str, tmp_path: Path, target: str, words: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    environment = {"DATABASE_URL": filled_database, "BACKUP_TARGET": ""}
    done = run("backup", target.format(file=file), environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_no_database_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    gone = {"DATABASE_URL": "postgresql://postgres:password@127.0.0.1:9/postgres"}
    done = run("backup", tmp_path / "new", environment=gone)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "password@" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_database_without_the_schema_says_what_to_do(empty_database: str, tmp_path: Path) -> None:
    done = run("backup", tmp_path, environment={"DATABASE_URL": empty_database})
    assert done.returncode == 1
    assert "python -m local.migrate up" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_pg_dump_that_fails_leaves_nothing(filled_database: str, tmp_path: Path) -> None:
    # A lock that pg_dump would wait for.
    with psycopg.connect(filled_database) as connection:
        connection.execute("lock table public.signals in access exclusive mode")
        done = run("backup", tmp_path, environment={"DATABASE_URL": filled_database})
    assert done.returncode == 1
    assert "pg_dump" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_is_told_to_end_leaves_nothing(filled_database: str, tmp_path: Path) -> None:
    with psycopg.connect(filled_database) as connection:
        connection.execute("lock table public.signals in access exclusive mode")
        process = subprocess.Popen(
            (COMMAND, "backup", tmp_path),
            env={**os.environ, "DATABASE_URL": filled_database},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline_s = time.monotonic() + TIMEOUT_S
        while not list(tmp_path.iterdir()):
            assert process.poll() is None and time.monotonic() < deadline_s
            time.sleep(0.02)
        process.terminate()
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 143
    assert said == b""
    assert list(tmp_path.iterdir()) == []
