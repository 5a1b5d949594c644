"""How the answers of `closebell schedules` look in a terminal.

Rows are the JSON of ops.schedules, ops.history, ops.diff and ops.audit. Marks and words beside
every colour; times are UTC. Not here: asking Postgres.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from cli.instants import ago, duration

if TYPE_CHECKING:
    from rich.console import Console

Row = dict[str, Any]

_MARKS = {
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "running": ("…", "cyan"),
    "skipped": ("–", "yellow"),
}
_CHANGES = {
    "add": ("+", "green"),
    "change": ("~", "yellow"),
    "remove": ("-", "red"),
    "unmanaged": ("!", "yellow"),
}
_LABEL_WIDTH = 13


def show_list(console: Console, rows: Sequence[Row], differences: Sequence[Row]) -> None:
    """Print one line a schedule, and below it what is not as the page says."""
    now = datetime.now(UTC)
    # Little padding: it has to fit into 80 columns.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("schedule", no_wrap=True)
    for name in ("when (UTC)", "next", "last run"):
        table.add_column(name)
    for name in ("HTTP", "ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(row["name"], style="bold"),
            row["timing_text"],
            _next(row, now),
            _last(row, now),
            _or_blank(row["last_http_status"]),
            _ms(row["average_ms"]),
        )
    console.print(table)
    for row in rows:
        if row["paused_until"]:
            paused = f"! {row['name']} is paused {_until(row)}: {row['reason']}"
            console.print(Text(paused, style="yellow"), soft_wrap=True)
        if row["last_status"] == "failed":
            console.print(Text(f"✗ {row['name']}: {_line(row['last_error'])}", style="red"))
    if differences:
        console.print("Not as the page that was applied last says:")
        show_changes(console, differences)


def show_one(console: Console, row: Row, history: Sequence[Row], changes: Sequence[Row]) -> None:
    """Print all there is about one schedule."""
    now = datetime.now(UTC)
    console.print(Text.assemble((row["name"], "bold"), f"  {row['description']}"), soft_wrap=True)
    _field(console, "when", f"{row['timing_text']} UTC  ({row['timing']})")
    _field(console, "runs", row["command"])
    _field(console, "overlap", row["overlap"])
    if row["paused_until"]:
        _field(console, "paused", Text(f"{_until(row)}: {row['reason']}", style="yellow"))
    next_runs = [_clock(at) for at in row["next_runs"]]
    _field(console, "next runs", ", ".join(next_runs) or "none")
    _field(console, "last run", _last(row, now))
    if row["last_error"]:
        _field(console, "", row["last_error"])
    if row["average_ms"] is not None:
        _field(console, "average", f"{_ms(row['average_ms'])} ms")
    if row["last_http_status"] is not None:
        _field(console, "last answer", f"HTTP {row['last_http_status']}")
    if history:
        console.print()
        show_history(console, history)
    if changes:
        console.print("Last changes:")
        for change in changes:
            via = f" via {change['via']}" if change["via"] else ""
            console.print(f"  {_clock(change['at'])}  {change['action']} by {change['who']}{via}")


def show_history(console: Console, rows: Sequence[Row]) -> None:
    """Print one line a run, newest first."""
    if not rows:
        console.print("No run yet.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("started (UTC)", no_wrap=True)
    table.add_column("schedule", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("HTTP", justify="right")
    table.add_column("")
    for row in rows:
        mark, style = _MARKS[row["status"]]
        told = [_line(row["error"]), row["http_error"], "by hand" if row["by_hand"] else None]
        table.add_row(
            _clock(row["started_at"]),
            row["schedule"],
            Text(f"{mark} {row['status']}", style=style),
            _ms(row["took_ms"]),
            _or_blank(row["http_status"]),
            "; ".join(part for part in told if part),
        )
    console.print(table)


def show_changes(console: Console, rows: Sequence[Row]) -> None:
    """Print one line a difference."""
    for row in rows:
        mark, style = _CHANGES[row["change"]]
        console.print(
            Text.assemble(
                (f"{mark} {row['change']:<9} ", style), (row["name"], "bold"), f"  {row['detail']}"
            ),
            soft_wrap=True,
        )


def _next(row: Row, now: datetime) -> Text | str:
    if row["paused_until"]:
        return Text("paused", style="yellow")
    if not row["next_runs"]:
        return "never"
    return f"in {duration((_instant(row['next_runs'][0]) - now).total_seconds())}"


def _last(row: Row, now: datetime) -> Text | str:
    if row["last_run_at"] is None:
        return "never"
    mark, style = _MARKS[row["last_status"]]
    age_s = max(0.0, (now - _instant(row["last_run_at"])).total_seconds())
    streak = row["fail_streak"]
    # Postgres counts a streak up to a hundred.
    times = f" ×{streak}{'+' if streak >= 100 else ''}," if streak > 1 else ""
    return Text(f"{mark} {row['last_status']}{times} {ago(age_s)}", style=style)


def _until(row: Row) -> str:
    if row["paused_until"] == "infinity":
        return "until resumed"
    return f"until {_clock(row['paused_until'])} UTC"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(text: str) -> str:
    return f"{_instant(text):%Y-%m-%d %H:%M:%S}"


def _ms(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _line(text: str | None) -> str:
    """Return the first line: what follows is where in the code it happened."""
    return (text or "").partition("\n")[0]


def _or_blank(value: int | None) -> str:
    return "" if value is None else str(value)


def _field(console: Console, label: str, value: Text | str) -> None:
    console.print(Text(f"  {label:<{_LABEL_WIDTH}}", style="dim"), value, sep="", soft_wrap=True)
