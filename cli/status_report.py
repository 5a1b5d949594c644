"""Asks Postgres and the collector how everything is, at once, and says what is wrong with it.

Edge and a pure judgement (`find_problems`). Not here: how it looks (status_screen).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cli.instants import duration
from cli.settings import read_values
from shared.errors import StoreUnavailable

COLLECTOR_TIMEOUT_S = 2.0
# Beyond its interval, a close may be this old: the slot itself is reported after 90 s.
FEED_STALE_S = 90.0
# From here on a month may not end within what it may use.
BUDGET_SHARE_WARN = 0.8

Document = dict[str, Any]


def load_report() -> Document:
    """Return ops.status() with `collector` (its /health, or null), `collector_error`,
    `problems` and `warnings`.

    Times are ISO 8601. Raises: ConfigError without DATABASE_URL, StoreUnavailable.
    """
    url = read_values().get("collector_url", "").rstrip("/")
    with ThreadPoolExecutor(1) as threads:
        collector = threads.submit(_load_collector, url)
        report = _load_status()
        try:
            report |= {"collector": collector.result(), "collector_error": ""}
        except StoreUnavailable as error:
            report |= {"collector": None, "collector_error": error.message}
    report |= {"problems": list(find_problems(report)), "warnings": list(find_warnings(report))}
    return report


def _load_status() -> Document:
    # Here, so that the collector is asked while this is imported.
    from cli.database import connected, fetch

    with connected() as connection:
        # A silent pg_cron is an incident of this very answer.
        fetch(connection, "select ops.watch_if_late()")
        (row,) = fetch(connection, "select ops.status() as report")
    document: Document = row["report"]
    return document


def _load_collector(url: str) -> Document | None:
    """Return the collector's /health; None without COLLECTOR_URL. Raises: StoreUnavailable."""
    # The plain client: the better one takes a fifth of a second to import.
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    if not url:
        return None
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=COLLECTOR_TIMEOUT_S)
    try:
        connection.request("GET", f"{parts.path}/health")
        # 503 is an answer, too: it says what is stale.
        document: Document = msgspec.json.decode(connection.getresponse().read())
        return document
    except (OSError, HTTPException, msgspec.DecodeError) as error:
        raise StoreUnavailable(f"no answer at {parts.netloc}: {error}") from error
    finally:
        connection.close()


def age_s(at: str | None, now: str) -> float | None:
    """Return the seconds from one ISO instant to another, None where there is none."""
    if at is None:
        return None
    return (datetime.fromisoformat(now) - datetime.fromisoformat(at)).total_seconds()


def find_problems(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, a line each, the worst first; nothing if all is well."""
    if not report["signals_enabled"]:
        yield "signals are off (kill switch)"
    for judge in _JUDGES:
        yield from judge(report)


def find_warnings(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield what somebody should know, a line each: pauses, incidents of little weight, budget."""
    for schedule in report["schedules"] or ():
        if schedule["paused_until"]:
            yield f"schedule {schedule['name']} is paused: {schedule['reason']}"
    yield from _incidents_of(report, "warn")
    for meter in report["budget"] or ():
        if meter["share"] > BUDGET_SHARE_WARN:
            yield f"{meter['meter'].replace('_', ' ')}: {meter['share']:.0%} of what is free"


def _incidents(report: Mapping[str, Any]) -> Iterator[str]:
    return _incidents_of(report, "error")


def _incidents_of(report: Mapping[str, Any], severity: str) -> Iterator[str]:
    for incident in report["incidents"]:
        # A pause is told with its schedule, which knows at once.
        if incident["kind"] == "schedule_paused":
            continue
        if incident["acknowledged_at"] is None and incident["severity"] == severity:
            yield f"incident {incident['id']}: {incident['message']}"


def _feeds(report: Mapping[str, Any]) -> Iterator[str]:
    for feed in report["feeds"]:
        name = f"{feed['venue']} {feed['interval']}"
        if missing := feed["slots"]["missing_count"]:
            yield f"{name}: slots missing in the last hour: {missing}"
        age = age_s(feed["closed_at"], report["at"])
        if feed["is_owed"] and age is not None and age > feed["interval_s"] + FEED_STALE_S:
            yield f"{name}: the newest evaluated close is {duration(age)} old"


def _collector(report: Mapping[str, Any]) -> Iterator[str]:
    if report["collector_error"]:
        yield f"collector: {report['collector_error']}"
    collector = report["collector"]
    if collector and collector.get("status") != "ok":
        yield f"collector: {collector.get('status', '?')}, {collector.get('phase', '?')}"


def _schedules(report: Mapping[str, Any]) -> Iterator[str]:
    for schedule in report["schedules"]:
        if schedule["fail_streak"] and not schedule["paused_until"]:
            yield f"schedule {schedule['name']} failed, times in a row: {schedule['fail_streak']}"


def _traders(report: Mapping[str, Any]) -> Iterator[str]:
    if failing := report["traders"]["failing_count"]:
        yield f"traders that fail: {failing}"


_JUDGES: tuple[Callable[[Mapping[str, Any]], Iterator[str]], ...] = (
    _incidents,
    _feeds,
    _collector,
    _schedules,
    _traders,
)
