"""`closebell cost`: what the running system uses and costs; what a configuration would.

Thin: the amounts come from ops.budget or shared/cost/plan.py, the bill from shared/cost/prices.py.
Not here: how it looks (cost_screens).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.arguments import JsonOption
from cli.output import make_console, print_json, reporting

if TYPE_CHECKING:
    from shared.market.interval import Interval

app = typer.Typer(
    help="What is used and what it costs, today and a month; and what a configuration would.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Host = Literal["fly", "cloud-run"]
HostOption = Annotated[
    Host | None,
    typer.Option(
        "--functions",
        help="Where the functions run; without it where they do, else the cheaper of both.",
        show_default=False,
    ),
]


@app.callback()
def cost(
    context: typer.Context, functions_on: HostOption = None, as_json: JsonOption = False
) -> None:
    """Show what is used: today, the month's projection, against free and paid prices.

    Example: closebell cost --json
    """
    if context.invoked_subcommand is not None:
        return
    with reporting(as_json):
        from cli import cost_screens
        from cli.database import connected, fetch
        from shared.cost.prices import bills_by_host, host_of, load_prices

        with connected() as database:
            budget = fetch(database, "select * from ops.budget order by meter")
            (row,) = fetch(database, "select ops.setting('functions_url') as url")
        # Until a rate is known nothing is projected; what a level is, is known at once.
        usage = {
            str(row["meter"]): float(row["projected_month"])
            for row in budget
            if row["projected_month"] is not None
        }
        bills = bills_by_host(usage, load_prices())
        host: str = functions_on or host_of(row["url"]) or next(iter(bills))
        if as_json:
            print_json(cost_screens.cost_document(budget, bills, host))
        else:
            cost_screens.show_cost(make_console(), budget, bills, host)


@app.command(short_help="Calculate a month of a configuration.")
def plan(
    symbols: Annotated[int, typer.Option(help="Instruments, count.")] = 500,
    intervals: Annotated[
        str, typer.Option(help="How many of 1m,5m,15m,1h,1d from the left; or names.")
    ] = "5",
    traders: Annotated[int, typer.Option(help="Enabled traders, count.")] = 1_000,
    signals_per_day: Annotated[
        float, typer.Option(help="Signals of a trader a day, on average.")
    ] = 5.0,
    traders_per_user: Annotated[int, typer.Option(help="Traders of a user, on average.")] = 10,
    hours: Annotated[
        float, typer.Option(help="Hours a day that a user has the dashboard open.")
    ] = 2.0,
    functions_on: HostOption = None,
    budget: Annotated[
        float, typer.Option(help="USD a month that it may cost; more is refused.")
    ] = 5.0,
    commands_max: Annotated[
        int, typer.Option(help="Redis commands a month: COMMANDS_PER_MONTH_MAX of the collector.")
    ] = 500_000,
    as_json: JsonOption = False,
) -> None:
    """Calculate a month of a configuration; one that breaks the budget is refused (exit 2).

    Example: closebell cost plan --symbols 500 --intervals 5 --traders 1000
    """
    with reporting(as_json):
        from cli import cost_screens
        from shared.cost.memory import function_memory_bytes
        from shared.cost.plan import Configuration, check_configuration, load_measured, plan_usage
        from shared.cost.prices import bills_by_host, load_prices
        from shared.cost.refusal import check_plan

        asked = Configuration(
            symbols=symbols,
            intervals=read_intervals(intervals),
            traders=traders,
            signals_per_trader_day=signals_per_day,
            traders_per_user=traders_per_user,
            dashboard_hours_per_user_day=hours,
        )
        check_configuration(asked)
        measured = load_measured()
        usage = plan_usage(asked, measured.units)
        memory = function_memory_bytes(asked)
        bills = bills_by_host(usage, load_prices(), memory)
        host: str = functions_on or next(iter(bills))
        if not as_json:
            cost_screens.show_plan(make_console(), asked, measured, memory, bills, host)
        check_plan(asked, bills[host], usd_max=budget, commands_max=commands_max)
        if as_json:
            print_json(cost_screens.plan_document(asked, measured, memory, bills, host))


def read_intervals(text: str) -> tuple[Interval, ...]:
    """Return the intervals that a number or a list of names means.

    Raises: InvalidRequest naming what is no interval.
    """
    from shared.cost.plan import first_intervals
    from shared.errors import InvalidRequest
    from shared.market.interval import Interval

    if text.isascii() and text.isdecimal() and len(text) < 4:
        return first_intervals(int(text))
    names = [name.strip() for name in text.split(",") if name.strip()]
    try:
        return tuple(dict.fromkeys(Interval(name) for name in names))
    except ValueError as error:
        known = ", ".join(Interval)
        raise InvalidRequest(
            f"expected a number or some of {known}, was {text}", field="intervals"
        ) from error
