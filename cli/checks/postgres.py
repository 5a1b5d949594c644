"""Postgres itself: reachable, recent enough, with its extensions, and within the free tier."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cli.checks.check import Finding, fault, ok, skipped, warning, worst
from cli.checks.ground import Ground

# `security_invoker` views came with it; hosted projects have 15 or 17.
VERSION_MIN = 15
# pg_cron 1.4 is Debian 12's; `call` in a job, and many jobs at once, work from it on.
CRON_VERSION_MIN = (1, 4)
# Supabase's free plan (https://supabase.com/pricing, 2026-11-21): beyond, it is read-only.
DATABASE_BYTES_MAX = 500 * 1024 * 1024
SHARE_WARN = 0.8
TRIM = "update ops.settings set value = '7' where name = 'signal_retention_days'; call ops.trim();"


async def ask_postgres(ground: Ground) -> Finding:
    """Connect and ask for the version."""
    await ground.open_database()
    row = await ground.fetch_one(
        "select current_setting('server_version_num')::int / 10000 as version,"
        " current_setting('server_version') as words, current_database() as name"
    )
    return judge_version(row["version"], f"Postgres {row['words']}, database {row['name']}")


def judge_version(version: int, words: str) -> Finding:
    """Judge the major version."""
    if version < VERSION_MIN:
        return fault(words, "upgrade: Settings → Infrastructure in the project's dashboard")
    return ok(words)


async def ask_extensions(ground: Ground) -> Finding:
    """Look for pg_cron, pg_net (or the local worker's tables), pgcrypto and Vault."""
    rows = await ground.fetch("select extname, extversion from pg_extension")
    row = await ground.fetch_one(
        "select to_regprocedure('net.http_post(text, jsonb, jsonb, jsonb, integer)') is not null"
        " as has_net"
    )
    versions = {row["extname"]: row["extversion"] for row in rows}
    return judge_extensions(versions, has_net=row["has_net"], is_local=ground.is_local)


def judge_extensions(versions: Mapping[str, str], *, has_net: bool, is_local: bool) -> Finding:
    """Judge name → version; on a laptop a worker beside Postgres stands in for pg_net, and Vault
    is not needed.
    """
    findings = []
    missing = [name for name in ("pg_cron", "pgcrypto") if name not in versions]
    if not has_net:
        missing.append("pg_net")
    if missing:
        create = " ".join(
            f"create extension {name}{' with schema extensions' if name == 'pgcrypto' else ''};"
            for name in missing
        )
        local = "make stop, then make run" if is_local else create
        findings.append(fault(f"{', '.join(missing)} missing", local))
    cron = versions.get("pg_cron", "")
    # Debian's says 1.4-1.
    if cron and tuple(int(part) for part in re.findall(r"\d+", cron)[:2]) < CRON_VERSION_MIN:
        findings.append(fault(f"pg_cron {cron}", "alter extension pg_cron update;"))
    if not is_local and "supabase_vault" not in versions:
        findings.append(warning("no Vault", "create extension supabase_vault;"))
    if findings:
        return worst(findings)
    net = versions.get("pg_net")
    shown = [f"{name} {versions[name]}" for name in ("pg_cron", "pgcrypto")]
    shown.append(f"pg_net {net}" if net else "pg_net's stand-in")
    vault = versions.get("supabase_vault")
    shown.append(f"Vault {vault}" if vault else "no Vault (local table)")
    return ok(", ".join(shown))


async def ask_free_tier(ground: Ground) -> Finding:
    """Look at the size of the database and the connections in use."""
    row = await ground.fetch_one(
        "select pg_database_size(current_database()) as bytes,"
        " (select count(*) from pg_stat_activity where backend_type = 'client backend') as used,"
        " current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int as allowed"
    )
    return judge_free_tier(row["bytes"], row["used"], row["allowed"])


def judge_free_tier(size_bytes: int, connections: int, connections_max: int) -> Finding:
    """Judge size and connections against what the free plan gives."""
    share = size_bytes / DATABASE_BYTES_MAX
    size = f"database {size_bytes / 2**20:,.0f} of {DATABASE_BYTES_MAX / 2**20:,.0f} MB"
    used = f"connections {connections} of {connections_max}"
    end = "end idle ones: select pid, application_name, state from pg_stat_activity;"
    findings = [
        fault(size, TRIM) if share > 1 else warning(size, TRIM) if share > SHARE_WARN else ok(size)
    ]
    crowded = connections > SHARE_WARN * connections_max
    findings.append(warning(used, end) if crowded else ok(used))
    return worst(findings)


async def ask_kill_switch(ground: Ground) -> Finding:
    """Look at the switch that stops all signals."""
    rows = await ground.fetch("select value from ops.settings where name = 'signals_enabled'")
    return judge_kill_switch(rows[0]["value"] if rows else None)


def judge_kill_switch(value: str | None) -> Finding:
    """Judge the setting signals_enabled."""
    if value is None:
        return skipped("ops.settings has no signals_enabled; needs migrations")
    if value == "on":
        return ok("signals are on")
    return warning(
        "off: no signal is stored, runs wait",
        "update ops.settings set value = 'on' where name = 'signals_enabled';",
    )
