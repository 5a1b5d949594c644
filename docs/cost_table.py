"""Writes the tables of cost.md, and that of deploy.md, from the measured units and the prices:
`python -m docs.cost_table`.

What stands between the marks is generated; a test compares it, so that it stays true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from shared.cost.commands import plan_commands, slots_per_month
from shared.cost.memory import function_memory_bytes
from shared.cost.plan import (
    COMMANDS_MAX,
    Configuration,
    first_intervals,
    load_measured,
    plan_usage,
)
from shared.cost.prices import Bill, load_prices, make_bill, plans_for, word

PAGE = Path(__file__).parent / "cost.md"
DEPLOY_PAGE = PAGE.with_name("deploy.md")
SYMBOLS, INTERVALS, TRADERS = (100, 500, 1_000), (1, 3, 5), (100, 1_000, 10_000)
RATES = (1, 5, 20, 96)


def generate(page: Path) -> str:
    """Return a page with its generated parts anew."""
    text = page.read_text("utf-8")
    for name, lines in PARTS[page].items():
        begin, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->"
        head, found, rest = text.partition(begin)
        assert found and end in rest, f"{page.name} has no marks for {name}"
        text = head + begin + "\n".join(lines()) + "\n" + end + rest.partition(end)[2]
    return text


def bill_of(asked: Configuration, host: str) -> Bill:
    """Return the bill of a month with the functions on a host."""
    usage = plan_usage(asked, load_measured().units)
    return make_bill(usage, plans_for(load_prices(), host, function_memory_bytes(asked)))


def _table() -> Iterator[str]:
    head = ("symbols", "intervals", "traders", "Redis commands", "on Cloud Run", "all on Fly")
    yield f"| {' | '.join(head)} | breaks first |"
    yield "|---:|---:|---:|---:|---:|---:|---|"
    for symbols in SYMBOLS:
        for count in INTERVALS:
            for traders in TRADERS:
                asked = Configuration(
                    symbols=symbols, intervals=first_intervals(count), traders=traders
                )
                usage = plan_usage(asked, load_measured().units)
                bill = bill_of(asked, "cloud-run")
                assert bill.first is not None
                yield (
                    f"| {symbols:,} | {count} | {traders:,} | {usage['redis_commands']:,.0f} "
                    f"| ${bill.usd:.2f} | ${bill_of(asked, 'fly').usd:.2f} "
                    f"| {word(bill.first.meter)}, {bill.first.share:.0%} |"
                )


def _rates() -> Iterator[str]:
    yield "| signals a trader a day | " + " | ".join(f"{t:,} traders" for t in TRADERS) + " |"
    yield "|---:|" + "---:|" * len(TRADERS)
    for rate in RATES:
        cells = []
        for traders in TRADERS:
            asked = Configuration(
                symbols=500,
                intervals=first_intervals(5),
                traders=traders,
                signals_per_trader_day=rate,
            )
            bill = bill_of(asked, "cloud-run")
            assert bill.first is not None
            cells.append(f"${bill.usd:.2f} ({word(bill.first.meter)} {bill.first.share:.0%})")
        yield f"| {rate} | " + " | ".join(cells) + " |"


def _units() -> Iterator[str]:
    measured = load_measured()
    yield f"Measured {measured.measured_on}: {measured.conditions}."
    yield ""
    yield "| unit | measured |"
    yield "|---|---:|"
    for name, value in msgspec.to_builtins(measured.units).items():
        shown = f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"
        yield f"| {word(name)} | {shown} |"


def _prices() -> Iterator[str]:
    yield "| service | plan | a month | included | more | seen | source |"
    yield "|---|---|---:|---|---|---|---|"
    for plan in load_prices():
        included = "; ".join(f"{amount:,.0f} {word(m)}" for m, amount in plan.included.items())
        more = "; ".join(f"${p.usd:.10g} for {p.per:,.0f} {word(m)}" for m, p in plan.price.items())
        mark = "" if plan.verified else ", not verified"
        yield (
            f"| {plan.service} | {plan.name} | ${plan.monthly_usd:.2f} | {included or '–'} "
            f"| {more or '–'} | {plan.seen}{mark} | [{plan.note}]({plan.source}) |"
        )


def _commands() -> Iterator[str]:
    units = load_measured().units
    intervals = first_intervals(5)
    planned = plan_commands(intervals, COMMANDS_MAX)
    slots = slots_per_month(intervals)
    yield (
        f"5 intervals have {slots:,.0f} closes a month: {planned.arithmetic}. Counted: "
        f"{units.redis_commands_per_slot:.2f} a close, "
        f"{units.redis_commands_per_slot * slots:,.0f} a month."
    )


def _hosts() -> Iterator[str]:
    asked = Configuration(symbols=500, intervals=first_intervals(5), traders=1_000)
    fly, cloud_run = bill_of(asked, "fly"), bill_of(asked, "cloud-run")
    yield "| service | all on Fly | functions on Cloud Run |"
    yield "|---|---:|---:|"
    for one, other in zip(fly.lines, cloud_run.lines, strict=True):
        assert one.service == other.service
        yield (
            f"| {one.service} | {one.plan.name} ${one.usd:.2f} "
            f"| {other.plan.name} ${other.usd:.2f} |"
        )
    yield f"| a month | **${fly.usd:.2f}** | **${cloud_run.usd:.2f}** |"


PARTS: dict[Path, dict[str, Callable[[], Iterator[str]]]] = {
    PAGE: {
        "table": _table,
        "rates": _rates,
        "units": _units,
        "prices": _prices,
        "commands": _commands,
    },
    DEPLOY_PAGE: {"hosts": _hosts},
}


if __name__ == "__main__":
    for page in PARTS:
        page.write_text(generate(page), "utf-8")
