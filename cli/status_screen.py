"""How the status looks: one screen, 80 columns or more; the same lines go to a file or a phone.

Pure: a report in, lines out (rich's markup; a console without colours drops it). No boxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.text import Text

from cli.cost_screens import amount
from cli.instants import ago, duration
from cli.status_report import age_s
from shared.cost.prices import word

if TYPE_CHECKING:
    from rich.console import Console

# What a screen of 24 lines leaves to each list.
ERRORS_MAX, INCIDENTS_MAX, METERS_MAX = 3, 5, 3
NAME_WIDTH = 10
# Meters of a size at a moment: no sum over a month (ops.meters.is_level).
LEVELS = frozenset({"database_bytes"})

Report = Mapping[str, Any]


def label_of(report: Report) -> list[str]:
    """Return the line that says whose data it is; none where nothing is known."""
    feed = (report["collector"] or {}).get("feed") or next(
        (feed["feed"] for feed in report["feeds"] if feed["feed"]), None
    )
    return [f"data: [bold]{str(feed).upper()}[/]"] if feed else []


def screen_of(report: Report, failure: str, every_s: float, console: Console) -> Text:
    """Return the whole screen of --watch; `failure`: why the report is an old one.

    A window too low for it gets no empty lines, then one line each of problems, schedules, budget
    and incidents; what is still too much is left out at the end, and the last line says so.
    """
    head = [f"closebell status · {report['at'][:10]} {report['at'][11:19]} UTC"]
    if failure:
        head.append(f"[red]✗ old: {escape(failure)}[/]")
    head += label_of(report)
    foot = f"every {every_s:g} s · Ctrl-C ends"
    width, height = console.size
    whole, short = lines_of(report), lines_of(report, short_width=width)
    for lines in ([*whole, ""], [line for line in whole if line], [line for line in short if line]):
        screen = Text.from_markup("\n".join((*head, *lines, f"[dim]{foot}[/]")))
        rows = screen.wrap(console, width)
        if len(rows) <= height:
            return screen
    note = Text(f"{foot} · a higher window shows {len(rows) - height} more", style="dim")
    return Text("\n").join([*list(rows)[: height - 1], note])


def lines_of(report: Report, *, short_width: int | None = None) -> list[str]:
    """Return everything below the title; in short a line each of what takes several, so wide."""
    short = short_width is not None
    budget = list(_budget_lines(report))
    return [
        *_problem_lines(report, short_width),
        "",
        *_feed_lines(report),
        "",
        *_collector_lines(report),
        *_trader_lines(report),
        _line("switch", "on" if report["signals_enabled"] else "[red]off[/]: no signal is stored"),
        *(_schedule_count(report) if short else _schedule_lines(report)),
        *_outbox_lines(report),
        *_backup_lines(report),
        *(budget[:1] if short else budget),
        *(_incident_count(report) if short else _incident_lines(report)),
    ]


def since(at: str | None, now: str) -> str:
    """Return how long ago an ISO instant was, or in what time it will be; never without one."""
    age = age_s(at, now)
    return "never" if age is None else ago(age)


def _problem_lines(report: Report, width: int | None) -> Iterator[str]:
    if not report["problems"] and not report["warnings"]:
        yield "[green]✓[/] all is well"
    marks = ("[red]✗[/]", report["problems"]), ("[yellow]![/]", report["warnings"])
    for mark, texts in marks:
        for text in texts:
            shown = shorten(text, max(width - 2, 20), placeholder=" …") if width else text
            yield f"{mark} [bold]{escape(shown)}[/]"


def _feed_lines(report: Report) -> Iterator[str]:
    """Return a row an interval: what is stored (collector), evaluated (Postgres), done in 1 h."""
    now = report["at"]
    stored = (report["collector"] or {}).get("last_close") or {}
    venue = (report["collector"] or {}).get("venue", "")
    rows = []
    known = set()
    for feed in report["feeds"]:
        known.add((feed["venue"], feed["interval"]))
        slots = feed["slots"]
        own = stored.get(feed["interval"], {}) if feed["venue"] == venue else {}
        rows.append(
            (
                f"{feed['venue']} {feed['interval']}",
                str(feed["feed"] or "–").upper(),
                _age(own.get("age_s")),
                _age(age_s(feed["closed_at"], now)),
                str(feed["missing_instruments"] or 0),
                f"{slots['done_count']} of {slots['expected_count']}",
                _alarm(slots["missing_count"]),
                str(feed["signals_count"]),
            )
        )
    for interval, close in stored.items():
        if (venue, interval) not in known:
            label = str((report["collector"] or {}).get("feed", "–")).upper()
            rows.append((f"{venue} {interval}", label, _age(close.get("age_s")), *("–",) * 5))
    head = ("feed", "data", "stored", "evaluated", "gaps", "slots 1 h", "missing", "signals")
    yield from _columns((head, *rows))


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(_width(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = (
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        text = "  ".join(cells).rstrip()
        yield f"[dim]{text}[/]" if number == 0 else text


def _width(cell: str) -> int:
    """Return the width without markup."""
    return len(cell.replace("[red]", "").replace("[/]", ""))


def _age(seconds: float | None) -> str:
    return "–" if seconds is None else duration(seconds)


def _alarm(count: int) -> str:
    return f"[red]{count}[/]" if count else "0"


def _line(name: str, text: str) -> str:
    return f"[dim]{name:<{NAME_WIDTH}}[/]{text}"


def _collector_lines(report: Report) -> Iterator[str]:
    collector = report["collector"]
    if collector is None:
        reason = report["collector_error"] or "COLLECTOR_URL is not set"
        yield _line("collector", escape(reason))
        return
    gaps = (collector.get("gaps") or {}).get("count", 0)
    redis = collector.get("redis") or {}
    yield _line(
        "collector",
        f"{collector.get('phase', '?')} · {collector.get('symbols', 0)} symbols · gaps"
        f" {_alarm(gaps)} · Redis p99 {redis.get('write_p99_ms') or 0:.0f} ms"
        f" · waiting {_alarm(redis.get('pending_frames', 0))}",
    )


def _trader_lines(report: Report) -> Iterator[str]:
    traders, now = report["traders"], report["at"]
    stopped = f" ({traders['stopped_count']} stopped)" if traders["stopped_count"] else ""
    yield _line(
        "traders",
        f"{traders['enabled_count']:,} enabled · {traders['disabled_count']:,} disabled{stopped}"
        f" · failing {_alarm(traders['failing_count'])}"
        f" · last run {since(traders['last_run_at'], now)}",
    )
    signal = traders["last_signal"]
    if signal:
        yield _line(
            "signals",
            f"last {since(signal['created_at'], now)} · {signal['instrument']} ·"
            f" {escape(str(signal['trader'] or 'deleted'))} · {signal['origin']}",
        )
    else:
        yield _line("signals", "none yet")
    for error in traders["errors"][:ERRORS_MAX]:
        state = "" if error["enabled"] else ", disabled"
        yield _line(
            "",
            f"[red]✗[/] {error['id']} {escape(error['name'])}: {error['error_count']}"
            f" in a row{state}: {escape(error['message'] or '')}",
        )
    if len(traders["errors"]) > ERRORS_MAX:
        yield _line("", f"and {len(traders['errors']) - ERRORS_MAX} more")


def _schedule_lines(report: Report) -> Iterator[str]:
    now = report["at"]
    rows = []
    for schedule in report["schedules"]:
        state = schedule["last_status"] or "–"
        if schedule["last_http_status"]:
            state += f", HTTP {schedule['last_http_status']}"
        if schedule["fail_streak"]:
            state = f"[red]{state} × {schedule['fail_streak']}[/]"
        average = "–" if schedule["average_ms"] is None else f"{schedule['average_ms']:.0f} ms"
        following = (schedule["next_runs"] or [None])[0]
        when = (
            _pause(schedule["paused_until"], now)
            if schedule["paused_until"]
            else f"next {since(following, now)}"
            if following
            else ""
        )
        name = escape(schedule["name"])
        rows.append((name, since(schedule["last_run_at"], now), state, average, when))
    if rows:
        head = ("schedule", "last run", "status", "average", "")
        yield from ("", *_columns((head, *rows)), "")


def _schedule_count(report: Report) -> Iterator[str]:
    schedules = report["schedules"]
    if schedules:
        failing = sum(1 for schedule in schedules if schedule["fail_streak"])
        paused = sum(1 for schedule in schedules if schedule["paused_until"])
        following = min(
            (at for schedule in schedules for at in schedule["next_runs"] or ()), default=None
        )
        when = f" · next {since(following, report['at'])}" if following else ""
        yield _line(
            "schedules", f"{len(schedules)} · failing {_alarm(failing)} · paused {paused}{when}"
        )


def _pause(until: str, now: str) -> str:
    return "paused" if until == "infinity" else f"paused, ends {since(until, now)}"


def _outbox_lines(report: Report) -> Iterator[str]:
    outbox = report["outbox"]
    oldest = f" · oldest {since(outbox['oldest_at'], report['at'])}" if outbox["oldest_at"] else ""
    yield _line("outbox", f"{outbox['pending_count']:,} waiting{oldest}")


def _backup_lines(report: Report) -> Iterator[str]:
    """Return the newest backup; nothing where there never was one."""
    if backup := report["backup"]:
        size = f"{backup['bytes'] / 1e6:,.1f} MB"
        age = since(backup["made_at"], report["at"])
        yield _line("backup", f"{age} · {size} · {escape(backup['target'])}")


def _budget_lines(report: Report) -> Iterator[str]:
    """Return the meters nearest to what is free; of Redis what is planned until a rate is known."""
    meters = [
        f"{word(meter['meter'])} {amount(meter['meter'], meter['projected_month'])} of"
        f" {amount(meter['meter'], meter['free_limit'])} free"
        f"{' a month' if meter['meter'] not in LEVELS else ''} ({meter['share']:.0%})"
        for meter in report["budget"]
    ]
    redis = (report["collector"] or {}).get("redis") or {}
    planned, limit = redis.get("commands_per_month_planned"), redis.get("commands_per_month_max")
    if planned and limit and not any(line.startswith("redis commands") for line in meters):
        line = f"redis commands {planned:,.0f} of {limit:,.0f} a month planned"
        meters.insert(0, f"{line} ({planned / limit:.0%})")
    for number, meter in enumerate(meters[:METERS_MAX]):
        yield _line("budget" if number == 0 else "", meter)


def _incident_lines(report: Report) -> Iterator[str]:
    if not report["incidents"]:
        yield _line("incidents", "none open")
    for number, incident in enumerate(report["incidents"][:INCIDENTS_MAX]):
        who = incident["acknowledged_by"]
        taken = f" · in hands of {escape(who)}" if who else ""
        style = "red" if incident["severity"] == "error" else "yellow"
        yield _line(
            "incidents" if number == 0 else "",
            f"[{style}]{incident['id']}[/] {incident['kind']} {escape(incident['subject'])},"
            f" since {_age(age_s(incident['raised_at'], report['at']))}{taken}",
        )


def _incident_count(report: Report) -> Iterator[str]:
    if not report["incidents"]:
        yield _line("incidents", "none open")
        return
    taken = sum(1 for incident in report["incidents"] if incident["acknowledged_by"])
    yield _line("incidents", f"{len(report['incidents'])} open · in somebody's hands {taken}")
