"""Brings a database to the state the parts expect: platform, migrations, addresses, secrets.

The platform (`local/sql`: roles and schemas that every Supabase project has) only where it is
ours; migrations, routines and schedules by `shared/store/migrations.py`. All may be done again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from shared.errors import StoreUnavailable
from shared.store.migrations import apply_schedules, migrate

REST_ROLE = "closebell_lite"


async def apply_platform(dsn: str, folder: Path, rest_password: str) -> None:
    """Make roles and schemas of a Supabase project, as superuser.

    Raises: StoreUnavailable with Postgres' own words.
    """
    files = sorted(folder.glob("*.sql"))  # noqa: ASYNC240 (a handful of names)
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute("set client_min_messages = warning")
            for file in files:
                await connection.execute(file.read_bytes())
            await _set_password(connection, rest_password)
    except psycopg.Error as error:
        raise _unavailable(error) from error


async def migrate_database(dsn: str) -> None:
    """Apply migrations and routines; the timetable comes last, by `start_schedules`."""
    await asyncio.to_thread(migrate, dsn, schedules=False)


async def start_schedules(dsn: str) -> None:
    """Make cron.job equal to sql/schedules.sql."""
    await asyncio.to_thread(apply_schedules, dsn)


async def set_addresses(dsn: str, functions_url: str, function_secret: str) -> None:
    """Tell Postgres where the functions are, and the secret that signs its calls to them.

    Raises: StoreUnavailable with Postgres' own words; so do the three below.
    """
    await _execute(
        dsn, "update ops.settings set value = %s where name = 'functions_url'", functions_url
    )
    await _execute(
        dsn,
        "insert into ops.local_secrets (name, value) values ('function_secret', %s)"
        " on conflict (name) do update set value = excluded.value",
        function_secret,
    )


async def set_tier(dsn: str, user_id: str, tier_id: str) -> None:
    """Give an account a tier, which only an operator may."""
    await _execute(
        dsn, "update public.profiles set tier_id = %s where user_id = %s", tier_id, user_id
    )


async def make_operator(dsn: str, user_id: str) -> None:
    """Let an account see and take in hand what is abnormal, which nobody may by REST."""
    await _execute(dsn, "update public.profiles set is_admin = true where user_id = %s", user_id)


async def give_password(dsn: str, email: str, password: str) -> None:
    """Give an account its password if it has none, as after a restore."""
    await _execute(
        dsn,
        "update auth.users"
        " set encrypted_password = extensions.crypt(%s, extensions.gen_salt('bf'))"
        " where email = %s and coalesce(encrypted_password, '') = ''",
        password,
        email,
    )


async def _execute(dsn: str, statement: LiteralString, *values: str) -> None:
    try:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(statement, values)
    except psycopg.Error as error:
        raise _unavailable(error) from error


async def _set_password(connection: psycopg.AsyncConnection, password: str) -> None:
    """Give the REST server's role its password, as a hash: statements may end up in a log."""
    hashed = connection.pgconn.encrypt_password(
        password.encode(), REST_ROLE.encode(), b"scram-sha-256"
    ).decode()
    await connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(REST_ROLE), sql.Literal(hashed))
    )


def _unavailable(error: psycopg.Error) -> StoreUnavailable:
    return StoreUnavailable(
        f"expected the database to take its setup, was: {str(error).strip()}",
        hint="see .local/logs/postgres.log",
    )
