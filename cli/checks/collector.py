"""The collector's own report: whether minutes arrive and are stored, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.checks.check import Finding, fault, ok, skipped, warning
from cli.checks.ground import Ground
from cli.instants import duration

ADDRESS = "set COLLECTOR_URL in .env to the address of the collector"
# Part of the budget beyond which a month may not end within it.
BUDGET_SHARE_WARN = 0.8


async def ask_collector(ground: Ground) -> Finding:
    """Read /health, which is 200 only while the newest minute is stored."""
    answer = await ground.request("GET", f"{ground.url('collector_url')}/health")
    try:
        report = answer.json()
    except ValueError:
        report = None
    if not isinstance(report, dict) or "phase" not in report:
        return fault(f"answered {answer.status_code}, but not as a collector does", ADDRESS)
    ground.collector = report
    return judge_report(report)


def judge_report(report: Mapping[str, Any]) -> Finding:
    """Judge the body of /health (collector/status.py)."""
    label = str(report.get("feed", "")).upper()
    age_s = (report.get("last_close") or {}).get("1m", {}).get("age_s")
    age = "no close yet" if age_s is None else f"newest close {duration(age_s)} old"
    gaps = (report.get("gaps") or {}).get("count", 0)
    waiting = (report.get("redis") or {}).get("pending_frames", 0)
    found = f"{label} {report.get('phase', '?')}, {report.get('symbols', 0)} symbols, {age}"
    if report.get("status") != "ok":
        reason = str(report.get("last_error") or "")
        found += f", stale{': ' + reason if reason else ''}"
        if report.get("phase") != "live" and not reason:
            return warning(
                found, "closebell doctor collector, in a minute: history is being loaded"
            )
        return fault(found)
    if waiting:
        return warning(f"{found}; frames waiting for Redis: {waiting}", "closebell doctor redis")
    if gaps:
        return warning(
            f"{found}; symbols with a gap: {gaps}",
            "closebell doctor collector, in a minute: gaps are repaired over REST",
        )
    if (report.get("clock") or {}).get("is_wrong"):
        return warning(
            f"{found}, its clock is wrong", "sudo timedatectl set-ntp true, on its machine"
        )
    return ok(found)


async def ask_budget(ground: Ground) -> Finding:
    """Compare the commands a month with the limit of the collector; needs `collector`.

    Counted are those of the functions, too: by the system itself, from its tenth minute on.
    """
    rows = await ground.fetch(
        "select projected_month::float8 from ops.budget where meter = 'redis_commands'"
    )
    redis = ground.collector.get("redis") or {}
    return judge_budget(
        rows[0]["projected_month"] if rows else None,
        redis.get("commands_per_month_planned"),
        redis.get("commands_per_month_max"),
    )


def judge_budget(measured: float | None, planned: float | None, limit: float | None) -> Finding:
    """Judge the projection, measured where there is one, else by arithmetic."""
    expected = planned if measured is None else measured
    if expected is None or not limit:
        return skipped("the collector tells no projection")
    how = "planned" if measured is None else "projected from what was sent"
    found = f"{expected:,.0f} of {limit:,.0f} Redis commands a month, {how}"
    if expected > limit:
        return fault(found)
    return warning(found) if expected > BUDGET_SHARE_WARN * limit else ok(found)
