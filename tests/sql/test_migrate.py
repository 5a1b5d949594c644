"""The runner: from zero, twice, from two places at once, and what it refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local.migrate import (
    SQL,
    apply_schedules,
    find_dsn,
    load_status,
    migrate,
)
from local.postgres import BIN_DIR
from local.schema_dump import dump_schema, normalise_dump
from shared.errors import ConfigError, StoreUnavailable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    """A copy of sql/ that a test may change."""
    return Path(shutil.copytree(SQL, tmp_path / "sql"))


def fetch(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def test_migrations_from_zero_equal_the_schema_file(new_database: str) -> None:
    assert dump_schema(new_database, bin_dir=BIN_DIR) == (SQL / "schema.sql").read_text("utf-8"), (
        "python -m local.migrate dump"
    )


def test_migrating_twice_applies_nothing_and_changes_nothing(new_database: str) -> None:
    before = dump_schema(new_database, bin_dir=BIN_DIR)
    done = migrate(new_database)
    assert done.applied == ()
    assert done.routines_count == len(list((SQL / "routines").glob("*/*.sql")))
    assert dump_schema(new_database, bin_dir=BIN_DIR) == before
    assert {state for _, state in load_status(new_database)} == {"applied"}


def test_migrating_keeps_rows_settings_and_secrets(new_database: str) -> None:
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute("update ops.settings set value = '77' where name = 'run_lease_s'")
        connection.execute("insert into auth.users (id) values (gen_random_uuid())")
    migrate(new_database)
    assert fetch(new_database, "select ops.setting('run_lease_s')") == [("77",)]
    assert fetch(new_database, "select count(*) from public.profiles") == [(1,)]


def test_users_from_before_the_first_migration_get_a_profile(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("insert into auth.users (id) values (gen_random_uuid())")
    migrate(empty_database)
    assert fetch(empty_database, "select tier_id from public.profiles") == [("free",)]


def test_migrating_from_three_processes_at_once_applies_each_migration_once(
    empty_database: str,
) -> None:
    command = (sys.executable, "-m", "local.migrate", "up", "--dsn", empty_database)
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=180) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    applied = [
        line.removeprefix("applied ")
        for output, _ in outputs
        for line in output.decode().splitlines()
        if line.startswith("applied ")
    ]
    assert applied == sorted(path.name for path in (SQL / "migrations").glob("*.sql"))


def test_an_edited_migration_is_refused_by_name(new_database: str, sql: Path) -> None:
    path = sorted((sql / "migrations").glob("*.sql"))[2]
    append(path, "create table public.added_later (id bigint);\n")
    with pytest.raises(ConfigError, match=f"{path.name} as it was applied, was edited"):
        migrate(new_database, sql=sql)
    assert (path.name, "edited") in load_status(new_database, sql=sql)
    assert fetch(new_database, "select to_regclass('public.added_later')") == [(None,)]


def test_history_written_by_the_supabase_cli_is_accepted(new_database: str) -> None:
    # The CLI stores a file as its statements, without the semicolons between them.
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute(
            "update supabase_migrations.schema_migrations set statements = array("
            " select btrim(part) from unnest(string_to_array(statements[1], E';\\n')) as part)"
        )
    assert migrate(new_database).applied == ()


def test_a_migration_older_than_an_applied_one_is_refused(new_database: str, sql: Path) -> None:
    (sql / "migrations" / "20200101000000_come_too_late.sql").write_text("select 1;\n")
    with pytest.raises(ConfigError, match=r"20200101000000_come_too_late\.sql to be newer"):
        migrate(new_database, sql=sql)


def test_two_migrations_of_one_version_are_refused(new_database: str, sql: Path) -> None:
    (sql / "migrations" / "20261121000100_doubled.sql").write_text("select 1;\n")
    with pytest.raises(ConfigError, match="one migration 20261121000100"):
        migrate(new_database, sql=sql)


def test_a_migration_with_a_bad_name_is_refused(new_database: str, sql: Path) -> None:
    (sql / "migrations" / "8_fix.sql").write_text("select 1;\n")
    with pytest.raises(ConfigError, match=r"was 8_fix\.sql"):
        migrate(new_database, sql=sql)


def test_a_database_newer_than_the_checkout_is_refused(new_database: str, sql: Path) -> None:
    path = sorted((sql / "migrations").glob("*.sql"))[-1]
    path.unlink()
    with pytest.raises(ConfigError, match=f"{path.name[:14]} is not there"):
        migrate(new_database, sql=sql)
    assert (path.name[:14], "unknown") in load_status(new_database, sql=sql)


def test_a_failing_migration_leaves_nothing_and_is_named(new_database: str, sql: Path) -> None:
    name = "20991231000000_fail_halfway.sql"
    (sql / "migrations" / name).write_text("create table public.half (id int);\nselect 1 / 0;\n")
    with pytest.raises(ConfigError, match=f"{name} to apply, was: division by zero"):
        migrate(new_database, sql=sql)
    assert fetch(new_database, "select to_regclass('public.half')") == [(None,)]
    (sql / "migrations" / name).write_text("create table public.whole (id int);\n")
    assert migrate(new_database, sql=sql).applied == (name,)


def test_routines_are_replaced_together_or_not_at_all(new_database: str, sql: Path) -> None:
    secret = sql / "routines" / "ops" / "secret.sql"
    secret.write_text(secret.read_text("utf-8").replace("expected a secret", "wanted a secret"))
    (sql / "routines" / "ops" / "zz_broken.sql").write_text("create function nonsense;\n")
    with pytest.raises(ConfigError, match=r"ops/zz_broken\.sql"):
        migrate(new_database, sql=sql)
    source = fetch(new_database, "select prosrc from pg_proc where proname = 'secret'")
    assert "wanted a secret" not in str(source)


def test_without_pg_cron_the_page_is_kept_and_reported_missing(new_database: str) -> None:
    count = apply_schedules(new_database)
    names = [name for (name,) in fetch(new_database, "select name from ops.timetable order by 1")]
    assert count == len(names) >= 4
    missing = "cron.job: pg_cron is not installed in this database"
    assert fetch(new_database, "select change, name, detail from ops.diff()") == [
        ("change", name, missing) for name in names
    ]


def test_a_database_that_does_not_answer_is_said_so() -> None:
    with pytest.raises(StoreUnavailable, match="expected a database"):
        migrate("postgresql://postgres@127.0.0.1:1/postgres")


def test_trim_commits_batch_after_batch(new_database: str) -> None:
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute(
            "insert into ops.function_logs (source, level, event, logged_at)"
            " select 's', 'info', 'line_written', now() - interval '8 days'"
            " from generate_series(1, 12000)"
        )
        connection.execute("select ops.write_log('info', 'line_kept')")
        connection.execute("call ops.trim(2)")
    assert fetch(new_database, "select count(*) from ops.function_logs") == [(2001,)]
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute("call ops.trim()")
    assert fetch(new_database, "select event from ops.function_logs") == [("line_kept",)]


def test_normalised_dump_keeps_comments_inside_routines() -> None:
    text = (
        "--\n-- Name: f\n--\n\nSET x = 1;\n\n\nCREATE FUNCTION f() AS $_$\n-- why $q$ $1 $q$ $$\n"
        "SET y = 1\n$_$;\n"
        "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO anon;\n"
    )
    assert normalise_dump(text) == (
        "CREATE FUNCTION f() AS $_$\n-- why $q$ $1 $q$ $$\nSET y = 1\n$_$;\n"
    )


def test_the_database_is_that_of_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, local = tmp_path / ".env", tmp_path / "operator.env"
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert find_dsn((mine, local)) == ""
    local.write_text("DATABASE_URL=postgresql://local\n")
    mine.write_text("DATABASE_URL=\n")
    assert find_dsn((mine, local)) == "postgresql://local"
    mine.write_text("DATABASE_URL=postgresql://mine\n")
    assert find_dsn((mine, local)) == "postgresql://mine"
    monkeypatch.setenv("DATABASE_URL", "postgresql://told")
    assert find_dsn((mine, local)) == "postgresql://told"
