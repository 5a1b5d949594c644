"""`closebell restore`: equal to what was backed up, or refused with the target as it was."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.database import give_password
from local.migrate import migrate
from tests.sql.backups import (
    SIGNALS_COUNT,
    TRADERS_COUNT,
    content_of,
    execute,
    fetch,
    make_backup,
    run,
)
from tests.sql.conftest import Server


@pytest.fixture
def backup_file(filled_database: str, tmp_path: Path) -> Path:
    return make_backup(filled_database, tmp_path)


def rewrite(path: Path, changes: dict[str, Callable[[bytes], bytes]]) -> None:
    """Change members of a backup and make its checksums fit, as no accident would."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    del members["SHA256SUMS"]
    for name, change in changes.items():
        members[name] = change(members[name])
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members.items()
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, "SHA256SUMS": sums.encode()}.items():
            archive.writestr(name, content)


def change_manifest(**fields: Any) -> dict[str, Callable[[bytes], bytes]]:
    def change(content: bytes) -> bytes:
        return json.dumps({**json.loads(content), **fields}).encode()

    return {"manifest.json": change}


def test_verify_compares_every_table(backup_file: Path) -> None:
    # The newest of a folder.
    done = run("restore", backup_file.parent, "--verify", "--json")
    assert done.returncode == 0, done.stderr
    tables = {t["name"]: t for t in json.loads(done.stdout)["restored"]["tables"]}
    assert all(table["is_equal"] for table in tables.values())
    assert tables["public.traders"]["rows_found"] == TRADERS_COUNT
    assert tables["public.signals"]["rows_found"] == SIGNALS_COUNT


def test_verify_on_a_given_server_drops_its_database(server: Server, backup_file: Path) -> None:
    databases = "select array_agg(datname order by datname) from pg_database"
    before = fetch(server.dsn(), databases)
    assert run("restore", backup_file, "--verify", "--scratch", server.dsn()).returncode == 0
    rewrite(backup_file, {"database.dump": lambda content: content[: len(content) // 2]})
    done = run("restore", backup_file, "--verify", "--scratch", server.dsn())
    assert done.returncode == 1
    assert "pg_restore" in done.stderr
    assert fetch(server.dsn(), databases) == before


def test_verify_finds_other_rows_than_the_manifest_names(server: Server, backup_file: Path) -> None:
    with zipfile.ZipFile(backup_file) as archive:
        tables = json.loads(archive.read("manifest.json"))["tables"]
    tables["public.signals"]["checksum"] = "0" * 32
    rewrite(backup_file, change_manifest(tables=tables))
    done = run("restore", backup_file, "--verify", "--scratch", server.dsn())
    assert done.returncode == 2
    assert "other rows are in public.signals" in done.stderr


def test_restore_into_a_fresh_system(
    backup_file: Path, filled_database: str, server: Server
) -> None:
    target = server.create_database("closebell_template")
    execute(
        target,
        "update ops.settings set value = 'http://127.0.0.1:2' where name = 'functions_url';"
        "insert into ops.local_secrets values ('function_secret', 'the secret of the target')",
    )
    done = run("restore", backup_file, "--into", target)
    assert done.returncode == 0, done.stderr
    assert "users added without a password: 2" in done.stdout
    before, after = content_of(filled_database), content_of(target)
    differing = {n for n, t in before["tables"].items() if after["tables"][n] != t}
    # The target keeps its own addresses; functions must not take old lists for current.
    assert differing == {"ops.settings", "ops.traders_revision"}
    # The backup noted itself once it was made: that is not in it.
    del before["sequences"]["ops.backups_id_seq"]
    assert after["sequences"] == before["sequences"]
    assert fetch(target, "select ops.setting('functions_url'), ops.setting('run_lease_s')") == [
        ("http://127.0.0.1:2", "45")
    ]
    assert fetch(target, "select value from ops.local_secrets") == [("the secret of the target",)]
    assert fetch(target, "select email, encrypted_password, aud from auth.users order by 1") == [
        ("ann@example.org", None, "authenticated"),
        ("bob@example.org", None, "authenticated"),
    ]
    # It works on: a tick's slot, a signal, a new version of a trader.
    execute(
        target,
        "select tap.emit_at(tap.slot(), jsonb_build_array(tap.signal(min(id), 'BTCUSDT')))"
        " from public.traders",
    )
    assert fetch(target, "select count(*) from public.signals") == [(SIGNALS_COUNT + 1,)]
    execute(target, "update public.traders set cooldown_s = 60")
    assert fetch(target, "select count(*) from public.trader_versions") == [(2 * TRADERS_COUNT,)]


def test_restore_refuses_rows_that_are_there_unless_told(
    backup_file: Path, filled_database: str
) -> None:
    revision = "select revision from ops.traders_revision"
    execute(
        filled_database,
        "delete from public.traders where id = (select min(id) from public.traders);"
        "insert into auth.users (id) values (gen_random_uuid());"
        "select tap.emit_at(tap.slot(9), jsonb_build_array(tap.signal(max(id), 'BTCUSDT')))"
        " from public.traders",
    )
    before = content_of(filled_database)
    last_id = fetch(filled_database, "select max(id) from public.signals")[0][0]
    old_revision = fetch(filled_database, revision)[0][0]
    done = run("restore", backup_file, "--into", filled_database)
    assert done.returncode == 2
    assert "there are rows in public.profiles, public.signal" in done.stderr
    assert "--replace" in done.stderr
    assert content_of(filled_database) == before

    done = run("restore", backup_file, "--into", filled_database, "--replace", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["restored"]["users_added"] == 0
    assert fetch(filled_database, "select count(*) from public.traders") == [(TRADERS_COUNT,)]
    assert fetch(filled_database, "select count(*) from public.signals") == [(SIGNALS_COUNT,)]
    # No notification is sent twice, no id given twice, no list of traders taken for current.
    assert fetch(filled_database, "select count(*) from ops.outbox") == [(0,)]
    assert fetch(filled_database, revision)[0][0] > old_revision
    execute(
        filled_database,
        "select tap.emit_at(tap.slot(9), jsonb_build_array(tap.signal(max(id), 'BTCUSDT')))"
        " from public.traders",
    )
    assert fetch(filled_database, "select max(id) from public.signals")[0][0] > last_id


def test_a_restore_that_fails_at_its_end_changes_nothing(
    backup_file: Path, filled_database: str
) -> None:
    execute(filled_database, "delete from public.traders")
    before = content_of(filled_database)
    for changes, words in (
        (
            {"tables": {"public.traders": {"rows": 1, "checksum": "0"}}},
            "expected a table of the manifest in the dump, was ops.",
        ),
        ({"schema_versions": ["20261121000100"]}, "expected the schema of the backup, 2026112100"),
        ({"format": 2, "closebell": "9.9"}, "expected a backup of format 1, was 2 (restore it"),
    ):
        copy = backup_file.with_name("copy.zip")
        copy.write_bytes(backup_file.read_bytes())
        rewrite(copy, change_manifest(**changes))
        done = run("restore", copy, "--into", filled_database, "--replace")
        assert done.returncode == 2
        assert words in done.stderr
    with zipfile.ZipFile(backup_file) as archive:
        tables = json.loads(archive.read("manifest.json"))["tables"]
    tables["public.signals"]["rows"] += 1
    rewrite(backup_file, change_manifest(tables=tables))
    done = run("restore", backup_file, "--into", filled_database, "--replace")
    assert done.returncode == 2
    assert "other rows are in public.signals (nothing was changed" in done.stderr
    assert content_of(filled_database) == before


def test_a_damaged_file_is_refused_before_anything_is_asked(
    backup_file: Path, filled_database: str
) -> None:
    whole = backup_file.read_bytes()
    place = whole.index(b"PGDMP") + 5_000
    damaged = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    before = content_of(filled_database)
    # Every byte and every cut: tests/unit/cli/test_backup_file.py.
    for content, words in (
        # Nobody answers there: the file is read first.
        (damaged, ("--into", "postgresql://127.0.0.1:9/x")),
        (damaged, ("--into", filled_database, "--replace")),
        (damaged, ("--verify",)),
        (whole[: len(whole) // 2], ("--into", filled_database, "--replace")),
    ):
        backup_file.write_bytes(content)
        done = run("restore", backup_file, *words)
        assert done.returncode == 2
        assert "was cut off or is none" in done.stderr or "undamaged" in done.stderr
    assert content_of(filled_database) == before


def test_a_target_of_another_schema_is_refused(
    backup_file: Path, empty_database: str, server: Server
) -> None:
    done = run("restore", backup_file, "--into", empty_database)
    assert done.returncode == 1
    assert "python -m local.migrate up" in done.stderr
    migrate(empty_database)
    execute(
        empty_database,
        "insert into supabase_migrations.schema_migrations (version) values ('20991231000000')",
    )
    done = run("restore", backup_file, "--into", empty_database)
    assert done.returncode == 2
    assert "was 20991231000000" in done.stderr


def test_a_user_who_signed_up_anew_is_named(backup_file: Path, server: Server) -> None:
    target = server.create_database("closebell_template")
    execute(target, "select tap.new_user('ann')")
    done = run("restore", backup_file, "--into", target, "--replace")
    assert done.returncode == 2
    assert "other accounts have the addresses 'ann@example.org'" in done.stderr
    assert fetch(target, "select count(*) from public.profiles") == [(1,)]
    # What the hint says is what helps.
    statement = re.search(r"delete from .*\)(?=\)$)", done.stderr, re.MULTILINE)
    assert statement is not None
    execute(target, statement[0])
    assert run("restore", backup_file, "--into", target).returncode == 0


def test_a_user_who_signed_up_since_the_backup_can_go_on(
    backup_file: Path, filled_database: str
) -> None:
    execute(filled_database, "select tap.new_user('cleo')")
    done = run("restore", backup_file, "--into", filled_database, "--replace")
    assert done.returncode == 0, done.stderr
    tiers = "select email, tier_id from public.profiles join auth.users on id = user_id order by 1"
    assert fetch(filled_database, tiers) == [
        ("ann@example.org", "pro"),
        ("bob@example.org", "free"),
        ("cleo@example.org", "free"),
    ]


async def test_a_restored_account_gets_the_password_that_is_shown(
    backup_file: Path, server: Server
) -> None:
    target = server.create_database("closebell_template")
    assert run("restore", backup_file, "--into", target).returncode == 0
    for password in ("the first", "the second"):
        await give_password(target, "ann@example.org", password)
    fits = "encrypted_password = extensions.crypt('the first', encrypted_password)"
    found = fetch(target, f"select email, {fits} from auth.users order by email")
    assert found == [("ann@example.org", True), ("bob@example.org", None)]


@pytest.mark.parametrize("option", ["--into", "--scratch"])
def test_a_url_that_is_none_is_refused_without_showing_it(option: str, tmp_path: Path) -> None:
    words = ("--verify",) if option == "--scratch" else ()
    done = run("restore", tmp_path, *words, option, "postgres//me:a-password@host/db")
    assert done.returncode == 1
    assert f"expected {option} to be postgresql://" in done.stderr
    assert "a-password" not in done.stderr


def test_a_restore_waits_for_nobody_for_long(backup_file: Path, filled_database: str) -> None:
    with psycopg.connect(filled_database) as connection:
        connection.execute("select from public.signals")
        done = run("restore", backup_file, "--into", filled_database, "--replace")
    assert done.returncode == 1
    assert "lock timeout" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--verify", "--into", "postgresql://127.0.0.1:9/x"),
        ("--verify", "--replace"),
        ("--into", "postgresql://127.0.0.1:9/x", "--scratch", "postgresql://127.0.0.1:9/x"),
    ],
)
def test_options_that_contradict_are_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run("restore", tmp_path, *words, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["message"].startswith("expected ")


def test_a_folder_without_backups_is_said(tmp_path: Path) -> None:
    done = run("restore", tmp_path, "--verify")
    assert done.returncode == 2
    assert "there is none" in done.stderr
