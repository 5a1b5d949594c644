"""What the tests of backups share: a database that the real routines filled, and the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

COMMAND = Path(sys.executable).parent / "closebell"
TIMEOUT_S = 300.0
SECRET = "planted-secret-0123456789abcdef"
TRADERS_COUNT, SIGNALS_COUNT = 6, 48

# Two users; traders through store_trader; signals and an overflow through emit_signals.
FILL = f"""
insert into ops.local_secrets (name, value) values ('function_secret', '{SECRET}');
select ops.store_secret('deadman_url', 'https://ping.example/{SECRET}');
create schema vault;
create table vault.secrets (name text, secret text);
insert into vault.secrets values ('function_secret', '{SECRET}');
select ops.write_log('info', 'line_written', '{{"note": "{SECRET}"}}');
select tap.new_user('ann', 'pro'), tap.new_user('bob');
update auth.users set encrypted_password = '{SECRET}';
select public.store_trader(
    users.id,
    jsonb_build_object(
        'name', format('%s''s n° %s', users.email, number),
        'rule', E'rsi(14) < 30\\n and close > ' || number,
        'venue', 'binance', 'interval', '1m', 'trigger', 'while',
        'universe', case number when 1 then '["BTCUSDT", "ETHUSDT"]'::jsonb end
    )
)
from auth.users as users, generate_series(1, 3) as number;
update public.traders set enabled_at = now() - interval '1 day';
select tap.emit_at(
    tap.slot(number),
    (
        select jsonb_agg(tap.signal(traders.id, symbol))
        from public.traders, unnest(array['BTCUSDT', 'ETHUSDT']) as symbol
    ),
    jsonb_build_object(
        'overflow', jsonb_build_object((select min(id) from public.traders)::text, 3)
    )
)
from generate_series(1, 4) as number;
update ops.settings set value = 'http://127.0.0.1:1' where name = 'functions_url';
update ops.settings set value = '45' where name = 'run_lease_s';
"""


def run(
    *words: str | Path, environment: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the installed command from anywhere."""
    return subprocess.run(
        [COMMAND, *words],
        env={**os.environ, "COLUMNS": "100", **(environment or {})},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        **options,
    )


def back_up(dsn: str, target: Path | str, *words: str, **environment: str) -> dict[str, Any]:
    """Return what a successful `closebell backup --json` says."""
    done = run("backup", target, *words, "--json", environment={"DATABASE_URL": dsn, **environment})
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def make_backup(dsn: str, folder: Path) -> Path:
    """Return the file of a backup that succeeded."""
    return Path(back_up(dsn, folder)["backup"]["address"])


def fetch(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def execute(dsn: str, script: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(script.encode())


def content_of(dsn: str) -> dict[str, Any]:
    """Return counts, checksums and sequences of everything that a backup holds."""
    found: dict[str, Any] = fetch(dsn, "select ops.backup_manifest()")[0][0]
    return found
