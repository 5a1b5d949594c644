"""What the watchdog found, and whether there is a backup to fall back on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cli.checks.check import Finding, fault, ok, warning
from cli.checks.ground import Ground
from cli.database import Row
from cli.instants import ago


async def ask_incidents(ground: Ground) -> Finding:
    """Look in place of a silent pg_cron, then list what is open, errors first."""
    await ground.fetch("select ops.watch_if_late()")
    rows = await ground.fetch(
        "select id, kind, subject, severity, acknowledged_by from ops.incidents"
        " where closed_at is null"
        " order by severity = 'error' desc, acknowledged_by is not null, raised_at, id"
    )
    return judge_incidents(rows)


def judge_incidents(rows: Sequence[Row]) -> Finding:
    """Judge the open incidents, the worst first; one that is in hands is no better for it."""
    if not rows:
        return ok("none is open")
    worst = rows[0]
    found = f"{len(rows)} open: {worst['severity']} {worst['kind']} of {worst['subject']}"
    if worst["acknowledged_by"]:
        found += f", in hands of {worst['acknowledged_by']}"
    mend = f"closebell incidents show {worst['id']}"
    return fault(found, mend) if worst["severity"] == "error" else warning(found, mend)


async def ask_backup(ground: Ground) -> Finding:
    """Look at the age of the newest backup that this system has noted."""
    row = await ground.fetch_one(
        "select (select now() - max(made_at) from ops.backups) as age,"
        " ops.setting('backup_overdue_after_days')::integer as after_days"
    )
    return judge_backup(row["age"], row["after_days"], is_local=ground.is_local)


def judge_backup(age: timedelta | None, after_days: int, *, is_local: bool) -> Finding:
    """Judge the age of the newest backup; None: there never was one, as on most laptops."""
    if age is None:
        return ok("none yet, and none is needed here") if is_local else warning("none yet")
    found = f"the newest was made {ago(age.total_seconds())}"
    return warning(found) if age > timedelta(days=after_days) else ok(found)
