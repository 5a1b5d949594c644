"""`closebell status`: how everything is, on one screen.

Thin: one report loaded, shown, or shown again and again. Not here: what is asked and judged
(status_report), how it looks (status_screen).
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import JsonOption
from cli.output import FAILED, print_json, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from cli.status_report import Document

INTERRUPTED = 130


def status(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Draw it again and again; Ctrl-C ends it.")
    ] = False,
    every_s: Annotated[
        float,
        typer.Option("--every", min=1, max=3600, help="Seconds between two looks.", metavar="S"),
    ] = 2.0,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 if something is wrong.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show feeds, slots, traders, schedules, outbox, budget and incidents on one screen.

    Exit code: 0 asked and answered, whatever the answer; with --exit-code 1 if something is wrong.
    """
    if not as_json and not watch:
        # The first line at once; what follows takes an import and two answers.
        sys.stdout.write(f"closebell status · {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
        sys.stdout.flush()
    with reporting(as_json):
        try:
            report = _watch(every_s, as_json=as_json) if watch else _show_once(as_json=as_json)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        if exit_code and (report["problems"] or report["warnings"]):
            raise typer.Exit(FAILED)


def _show_once(*, as_json: bool) -> Document:
    from cli.status_report import load_report

    report = load_report()
    if as_json:
        print_json(report)
    else:
        from cli.output import make_console

        _print_body(make_console(), report)
    return report


def _print_body(console: Console, report: Document) -> None:
    from cli.status_screen import label_of, lines_of

    for line in (*label_of(report), *lines_of(report)):
        console.print(line, soft_wrap=not console.is_terminal)


def _watch(every_s: float, *, as_json: bool) -> Document:
    """Look again and again until Ctrl-C. Raises: StoreUnavailable if the first look fails."""
    from cli.output import make_console
    from cli.status_report import load_report
    from shared.errors import StoreUnavailable

    console = make_console()
    if as_json or not console.is_terminal:
        while True:
            report = _show_once(as_json=as_json)
            if not as_json:
                console.print()
            time.sleep(every_s)
    from rich.live import Live

    from cli.status_screen import screen_of

    with Live(console=console, screen=True, auto_refresh=False) as live:
        report, failure = load_report(), ""
        while True:
            live.update(screen_of(report, failure, every_s, console), refresh=True)
            time.sleep(every_s)
            try:
                report, failure = load_report(), ""
            except StoreUnavailable as error:
                # What was seen last stays, under the reason why it is old.
                failure = str(error)
