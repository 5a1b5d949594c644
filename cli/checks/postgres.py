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
SHARE_WARN = 0.8
TRIM = (
    "SQL: update ops.settings set value = '7' where name = 'signal_retention_days';"
    " call ops.trim();"
)
IDLE = "SQL: select pid, application_name, state from pg_stat_activity; then end idle ones"


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
        return fault(words, "upgrade it: Settings → Infrastructure in the project's dashboard")
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
        findings.append(
            fault(f"{', '.join(missing)} missing", "" if is_local else f"SQL: {create}")
        )
    cron = versions.get("pg_cron", "")
    # Debian's says 1.4-1.
    if cron and tuple(int(part) for part in re.findall(r"\d+", cron)[:2]) < CRON_VERSION_MIN:
        findings.append(fault(f"pg_cron {cron}", "SQL: alter extension pg_cron update;"))
    if not is_local and "supabase_vault" not in versions:
        findings.append(warning("no Vault", "SQL: create extension supabase_vault;"))
    if findings:
        return worst(findings)
    net = versions.get("pg_net")
    shown = [f"{name} {versions[name]}" for name in ("pg_cron", "pgcrypto")]
    shown.append(f"pg_net {net}" if net else "pg_net's stand-in")
    vault = versions.get("supabase_vault")
    shown.append(f"Vault {vault}" if vault else "no Vault (local table)")
    return ok(", ".join(shown))


async def ask_free_tier(ground: Ground) -> Finding:
    """Look at what this month has used of every meter with a free limit, and at the connections.

    Of the database's size at what it is now. Not at Redis' commands: their limit may be a paid one,
    see the check `budget`. Not at projections: those are the watchdog's, see `incidents`.
    """
    meters = await ground.fetch(
        "select meter, free_limit::float8,"
        " case when meter = 'database_bytes' then pg_database_size(current_database())::float8"
        " else coalesce(used_month, 0)::float8 end as used"
        " from ops.budget where free_limit is not null and meter <> 'redis_commands'"
        " order by meter"
    )
    row = await ground.fetch_one(
        "select count(*) as used, current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int as allowed"
        " from pg_stat_activity where backend_type = 'client backend'"
    )
    shares = {one["meter"]: one["used"] / one["free_limit"] for one in meters}
    return judge_free_tier(shares, row["used"], row["allowed"])


def judge_free_tier(shares: Mapping[str, float], connections: int, connections_max: int) -> Finding:
    """Judge meter → part of what is free that is used this month, and the connections."""
    findings = []
    for meter, share in shares.items():
        if share > SHARE_WARN:
            say = fault if share > 1 else warning
            found = f"{meter.replace('_', ' ')}: {share:.0%} of what is free"
            findings.append(say(found, TRIM if meter == "database_bytes" else ""))
    if connections > SHARE_WARN * connections_max:
        findings.append(warning(f"connections: {connections} of {connections_max}", IDLE))
    if findings:
        return worst(findings)
    most = max(shares, key=lambda meter: shares[meter], default="")
    words = (
        f"most used: {most.replace('_', ' ')} {shares[most]:.0%} of what is free; " if most else ""
    )
    return ok(f"{words}connections {connections} of {connections_max}")


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
        "SQL: update ops.settings set value = 'on' where name = 'signals_enabled';",
    )
