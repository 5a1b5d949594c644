"""The repairs that `closebell doctor --fix` makes without asking: each may be made at any time.

None deletes, un-pauses, switches on or changes what a person has decided. Everything else is a
command that the doctor prints.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cli.checks.ground import Ground
from cli.settings import PROJECT
from shared.errors import StoreUnavailable

MIGRATE_TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Fix:
    """A repair: what it does, and doing it. `make` returns a line that says what was done."""

    name: str
    does: str
    make: Callable[[Ground], Awaitable[str]]


async def _migrate(ground: Ground) -> str:
    """Run the migration runner as its own process: it belongs to the local cloud, not to us."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "local.migrate", "up"),
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": ground.require("database_url")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(MIGRATE_TIMEOUT_S):
            output, _ = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise StoreUnavailable(
            f"local.migrate up did not end in {MIGRATE_TIMEOUT_S:.0f} s",
            hint="select * from pg_stat_activity where wait_event_type = 'Lock';",
        ) from error
    text = output.decode(errors="replace").strip()
    if process.returncode != 0:
        raise StoreUnavailable(f"local.migrate up: {text}")
    # Tables and views that are new are unknown to the REST server until it is told.
    await ground.fetch("select pg_notify('pgrst', 'reload schema')")
    return text.replace("\n", ", ")


async def _set_functions_url(ground: Ground) -> str:
    url = ground.url("functions_url")
    await ground.fetch(
        "update ops.settings set value = %s where name = 'functions_url' returning name", url
    )
    return f"functions_url is {url}"


async def _set_secret(ground: Ground) -> str:
    secret = ground.require("function_secret")
    row = await ground.fetch_one("select ops.store_secret('function_secret', %s) as place", secret)
    return f"function_secret stored in {row['place']}"


# In the order in which they are made.
FIXES = (
    Fix(
        name="migrate",
        does="applies missing migrations, all routines and the timetable to a Postgres on this"
        " machine (`python -m local.migrate up`)",
        make=_migrate,
    ),
    Fix(
        name="functions_url",
        does="sets `functions_url` in `ops.settings` to `FUNCTIONS_URL`: where it is empty, on this"
        " machine also where it differs",
        make=_set_functions_url,
    ),
    Fix(
        name="function_secret",
        does="stores `FUNCTION_SECRET` in Postgres: where it has none, on this machine also where"
        " it differs; never over a secret in Vault",
        make=_set_secret,
    ),
)
