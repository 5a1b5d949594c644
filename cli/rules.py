"""`closebell rules`: check a rule, look at what it says now, why, and over the past.

Thin: arguments in, history loaded, a pure core asked, its answer shown. Not here: how it looks
(screens), where history comes from (history), what it means (shared/rules).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import (
    AnyIntervalOption,
    FilesOption,
    IntervalOption,
    JsonOption,
    RuleText,
    TriggerOption,
    UniverseOption,
    VenueOption,
    read_instant_ms,
    read_rule_text,
    read_universe,
)
from cli.completion import complete_rule_words
from cli.output import make_console, print_event, print_json, reporting

if TYPE_CHECKING:
    from cli.history import Tell, Wanted

app = typer.Typer(
    help="Check rules, try them on the market as it is, and on its past.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

# Lines of progress on standard error with --json, at most.
_EVENTS_MAX = 20


@app.command(short_help="Read a rule: is it one, what does it take?")
def check(
    rule: RuleText,
    interval: AnyIntervalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a rule: its canonical text, the bars it needs, its cost, or where it is wrong.

    Example: closebell rules check "rsi(14) < 30 and volume > 2 * sma(volume, 20)"
    """
    with reporting(as_json):
        text = read_rule_text(rule)
        from cli.checked import check_rule, lines_of

        checked = check_rule(text, interval)
        if as_json:
            print_json(checked)
        else:
            typer.echo("\n".join(lines_of(checked)))


@app.command(short_help="List what a rule can name, with what it means.")
def functions(
    name: Annotated[
        str,
        typer.Argument(
            help="A name, or a word of its definition.", autocompletion=complete_rule_words
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List what a rule can name: functions and series, with what they mean.

    Example: closebell rules functions average
    """
    with reporting(as_json):
        from cli.vocabulary import find_words, lines_of

        words = find_words(name)
        if as_json:
            print_json(words)
        else:
            typer.echo("\n".join(lines_of(words)))


@app.command(short_help="Show what a rule says right now, and how near it is.")
def preview(
    rule: RuleText,
    interval: IntervalOption,
    venue: VenueOption = "binance",
    universe: UniverseOption = "",
    trigger: TriggerOption = "enter",
    closes: Annotated[
        int, typer.Option(min=1, max=1000, help="Last closes to count signals over.")
    ] = 100,
    matches: Annotated[int, typer.Option(min=0, help="Matches to show, at most.")] = 20,
    near: Annotated[int, typer.Option(min=0, help="Near misses to show, at most.")] = 5,
    files: FilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a rule says right now: matches, near misses, what is unknown, how noisy it is.

    Example: closebell rules preview "rsi(14) < 30" -i 1h
    """
    with reporting(as_json):
        text = read_rule_text(rule)
        from cli import screens
        from cli.history import Wanted, load_history
        from shared.rules import parse_rule
        from shared.rules.preview import preview as preview_rule
        from shared.runs import Trigger

        parsed = parse_rule(text, interval=interval)
        wanted = Wanted(venue=venue, interval=interval, universe=read_universe(universe))
        with _progress(as_json) as tell:
            history = load_history(parsed, wanted, files, tell)
            found = preview_rule(
                parsed,
                history.window,
                trigger=Trigger(trigger),
                universe=wanted.universe,
                longer=history.longer,
                closes_max=closes,
                matches_max=matches,
                near_misses_max=near,
            )
        if as_json:
            print_json(screens.document(found, history))
        else:
            screens.show_preview(make_console(), found, history)


@app.command(short_help="Show the value and verdict of every part of a rule.")
def explain(
    rule: RuleText,
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL…", help="Instruments.")],
    interval: IntervalOption,
    venue: VenueOption = "binance",
    universe: UniverseOption = "",
    at: Annotated[
        str, typer.Option("--at", help="Explain this close (UTC) instead of the newest.")
    ] = "",
    files: FilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the value and verdict of every part of a rule, and how far it is from its threshold.

    Example: closebell rules explain "rsi(14) < 30" BTCUSDT ETHUSDT -i 1h
    """
    with reporting(as_json):
        text = read_rule_text(rule)
        from cli import explained, screens
        from cli.history import load_history
        from shared.rules import parse_rule

        parsed = parse_rule(text, interval=interval)
        at_ms = read_instant_ms(at, "--at")
        compared = read_universe(universe)
        # Across instruments, all of the universe counts; otherwise only these need be read.
        read = None
        if compared is not None or not explained.is_cross_sectional(parsed):
            read = (*(compared or ()), *symbols)
        wanted = _wanted(venue, interval, read, None, at_ms)
        with _progress(as_json) as tell:
            history = load_history(parsed, wanted, files, tell)
            found = explained.explain_rule(parsed, history, symbols, compared, at_ms)
        if as_json:
            print_json(screens.document(found, history))
        else:
            screens.show_explained(make_console(), found, history)


@app.command(short_help="Count a rule's signals over the past, and what came after.")
def backtest(
    rule: RuleText,
    interval: IntervalOption,
    venue: VenueOption = "binance",
    universe: UniverseOption = "",
    trigger: TriggerOption = "enter",
    bars: Annotated[
        int | None, typer.Option(min=1, help="Judge only the last so many closes.")
    ] = None,
    since: Annotated[
        str, typer.Option("--from", help="Judge closes from this date or time (UTC) on.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Judge closes up to this one (UTC).")] = "",
    files: FilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count a rule's signals over the past, and compare the returns after them with all others.

    Every close is judged: a trader's cadence, cooldown and caps are not applied. With --json the
    report is one document on standard output, and progress is a line of JSON now and then on
    standard error. Past returns promise nothing.

    Example: closebell rules backtest "crosses_above(ema(9), ema(21))" -i 1d --files klines/
    """
    with reporting(as_json):
        text = read_rule_text(rule)
        from cli import screens
        from cli.history import load_history
        from shared.rules import parse_rule
        from shared.rules.backtest import Progress
        from shared.rules.backtest import backtest as backtest_rule
        from shared.runs import Trigger

        parsed = parse_rule(text, interval=interval)
        first_ms, last_ms = read_instant_ms(since, "--from"), read_instant_ms(until, "--to")
        wanted = _wanted(venue, interval, read_universe(universe), first_ms, last_ms)
        with _progress(as_json) as tell:
            history = load_history(parsed, wanted, files, tell)
            if bars is not None:
                newest_ms = history.window.closed_at_ms
                first_ms = max(first_ms or 0, newest_ms - (bars - 1) * interval.duration_ms)
            for found in backtest_rule(
                parsed,
                history.window,
                trigger=Trigger(trigger),
                universe=wanted.universe,
                longer=history.longer,
                first_closed_at_ms=first_ms,
            ):
                if isinstance(found, Progress):
                    tell(found.done, found.total, "closes")
                else:
                    report = found
        if as_json:
            print_json(screens.document(report, history))
        else:
            screens.show_report(make_console(), report, history)


def _wanted(
    venue: str,
    interval: IntervalOption,
    universe: tuple[str, ...] | None,
    first_ms: int | None,
    last_ms: int | None,
) -> Wanted:
    from cli.history import Wanted

    return Wanted(
        venue=venue,
        interval=interval,
        universe=universe,
        first_closed_at_ms=first_ms,
        last_closed_at_ms=last_ms,
    )


@contextmanager
def _progress(as_json: bool) -> Iterator[Tell]:
    """Yield what is told of progress: a bar on a terminal, lines of JSON, or nothing."""
    if as_json:
        told: dict[str, int] = {}

        def tell_program(done: int, total: int, what: str) -> None:
            part = done * _EVENTS_MAX // max(total, 1)
            if told.get(what) != part:
                told[what] = part
                print_event({"progress": what, "done": done, "total": total})

        yield tell_program
        return
    console = make_console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, what: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as shown:
        tasks = {}

        def tell_person(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done, total=total)

        yield tell_person
