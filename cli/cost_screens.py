"""How `closebell cost` looks in a terminal of 80 columns, and the JSON that programs get.

Not here: computing anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from shared.cost.prices import Bill, Line, Share, word

if TYPE_CHECKING:
    from rich.console import Console

    from shared.cost.plan import Configuration, Measured

Bills = Mapping[str, Bill]
Budget = Sequence[Mapping[str, Any]]

_NEAR = 0.8
_HOSTS = {"fly": "on Fly, too", "cloud-run": "on Cloud Run"}
_SERVICES = {
    "collector": "collector",
    "functions": "functions",
    "redis": "Redis",
    "database": "Postgres, Realtime",
    "dashboard": "dashboard",
}
# Before ten minutes are counted there is no month to bill.
NO_BILL: dict[str, Any] = {
    "functions_on": None,
    "usd_by_host": {},
    "usd_per_month": None,
    "arithmetic": "",
    "lines": [],
    "shares": [],
    "breaks_first": None,
}
_SIZES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def cost_document(budget: Budget, bills: Bills, host: str) -> dict[str, Any]:
    """Return what `closebell cost --json` prints; amounts in the unit of each meter."""
    meters = [
        {
            "meter": row["meter"],
            "unit": row["unit"],
            "since": None if row["since"] is None else row["since"].isoformat(),
        }
        | {
            name: None if row[name] is None else float(row[name])
            for name in ("used_today", "used_month", "projected_month", "free_limit", "share")
        }
        for row in budget
    ]
    return {"meters": meters} | (_bill_document(bills, host) if _is_projected(budget) else NO_BILL)


def plan_document(
    asked: Configuration, measured: Measured, memory_bytes: float, bills: Bills, host: str
) -> dict[str, Any]:
    """Return what `closebell cost plan --json` prints."""
    return {
        "configuration": msgspec.to_builtins(asked),
        "measured": {"on": measured.measured_on, "conditions": measured.conditions},
        "function_memory_bytes": memory_bytes,
    } | _bill_document(bills, host)


def _bill_document(bills: Bills, host: str) -> dict[str, Any]:
    bill = bills[host]
    return {
        "functions_on": host,
        "usd_by_host": {name: other.usd for name, other in bills.items()},
        "usd_per_month": bill.usd,
        "arithmetic": bill.arithmetic,
        "lines": [
            {
                "service": line.service,
                "plan": line.plan.name,
                "usd": line.usd,
                "because": line.because,
                "source": line.plan.source,
                "seen": line.plan.seen,
                "verified": line.plan.verified,
            }
            for line in bill.lines
        ],
        "shares": msgspec.to_builtins(bill.shares),
        "breaks_first": None if bill.first is None else bill.first.meter,
    }


def show_cost(console: Console, budget: Budget, bills: Bills, host: str) -> None:
    """Print what is used and what a month of it costs."""
    began = [row["since"] for row in budget if row["since"] is not None]
    head = f"What is used · {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    if not began:
        console.print(head)
        console.print("Nothing is counted yet: the first report comes with the first close.")
        return
    console.print(f"{head} · rate since {min(began):%Y-%m-%d %H:%M} UTC")
    shares = {share.meter: share for share in bills[host].shares}
    table = _table("meter", "today", "a month", "free", "share", "if paid")
    for row in budget:
        share = shares.get(row["meter"])
        month = row["projected_month"]
        table.add_row(
            word(row["meter"]),
            amount(row["meter"], row["used_today"]),
            "soon" if month is None and row["since"] else amount(row["meter"], month),
            *(_free(share) if share else _free_of(row)),
        )
    console.print(table)
    if _is_projected(budget):
        _show_bill(console, bills, host)
    else:
        console.print("Less than ten minutes are counted: too few to project a month and its cost.")


def show_plan(
    console: Console,
    asked: Configuration,
    measured: Measured,
    memory_bytes: float,
    bills: Bills,
    host: str,
) -> None:
    """Print a month of a configuration, and what it costs."""
    console.print(
        f"A month of {asked.symbols:,} symbols × {len(asked.intervals)} intervals"
        f" ({', '.join(asked.intervals)}) × {asked.traders:,} traders"
    )
    console.print(
        f"{asked.signals_per_trader_day:g} signals a trader a day, {asked.traders_per_user:,}"
        f" traders a user, dashboard open {asked.dashboard_hours_per_user_day:g} h a day",
        style="dim",
    )
    table = _table("meter", "a month", "free", "share", "if paid")
    for share in bills[host].shares:
        table.add_row(word(share.meter), amount(share.meter, share.amount), *_free(share))
    console.print(table)
    _show_bill(console, bills, host)
    memory = amount("function_memory_bytes", memory_bytes)
    console.print(f"The functions take {memory} of memory at most.")
    console.print(f"Units measured {measured.measured_on}: {measured.conditions}", style="dim")


def amount(meter: str, value: Any) -> str:
    """Return an amount as people read it: bytes in MB, seconds in hours, counts in full."""
    if value is None:
        return "–"
    number = float(value)
    if meter.endswith("_bytes"):
        for size, unit in _SIZES:
            if number >= size:
                return f"{number / size:.3g} {unit}" if number < 1e15 else f"{number:.3g} B"
        return f"{number:.0f} B"
    if meter.endswith("_seconds"):
        return f"{number / 60:.1f} min" if number < 3600 else f"{number / 3600:,.1f} h"
    return f"{number:,.0f}"


def _is_projected(budget: Budget) -> bool:
    """Return whether a month is known of all that is up: its hours are most of a bill."""
    up = [row for row in budget if row["meter"].endswith("_seconds") and row["since"]]
    return bool(up) and all(row["projected_month"] is not None for row in up)


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    for name in names:
        table.add_column(name, justify="left" if name == "meter" else "right", no_wrap=True)
    return table


def _free_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what is free of a meter of which no month is known yet."""
    return amount(row["meter"], row["free_limit"]), "–", "–"


def _free(share: Share) -> tuple[str, Text, str]:
    """Return what is free, the share with a mark, and what all of it costs when it is paid."""
    paid = f"${share.paid_usd:,.2f}"
    if share.free is None or share.share is None:
        return "–", Text("–", style="dim"), paid
    mark, style = ("✓", "green") if share.share <= _NEAR else ("!", "yellow")
    if share.share > 1:
        mark, style = "✗", "red"
    return amount(share.meter, share.free), Text(f"{share.share:.0%} {mark}", style=style), paid


def _show_bill(console: Console, bills: Bills, host: str) -> None:
    bill = bills[host]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    for line in bill.lines:
        table.add_row(_SERVICES.get(line.service, line.service), _plan(line), f"${line.usd:,.2f}")
    table.add_row(Text("a month", style="bold"), "", Text(f"${bill.usd:,.2f}", style="bold"))
    console.print(table)
    console.print()
    for name, other in bills.items():
        if name != host:
            console.print(f"With the functions {_HOSTS[name]}: ${other.usd:,.2f} a month.")
    if bill.first is not None and bill.first.share:
        times = 1 / bill.first.share
        left = f"at {times:.3g} times this" if times > 1 else "already"
        console.print(f"Breaks first: {word(bill.first.meter)}, {left}.")
    seen = min(line.plan.seen for line in bill.lines)
    console.print(f"Prices as seen {seen:%Y-%m-%d} or later; sources: shared/cost/prices.toml")


def _plan(line: Line) -> str:
    unverified = "" if line.plan.verified else " (price not verified)"
    because = f": {', '.join(word(meter) for meter in line.because)}" if line.because else ""
    return f"{line.plan.name}{unverified}{because}"
