"""`closebell doctor`: what is wrong with the system, and what to type.

Thin: settings in, checks run, outcomes shown. Not here: the questions (checks/), how they are
answered.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.arguments import JsonOption
from cli.checks import NAMES
from cli.completion import complete_checks
from cli.output import print_json, reporting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.checks.check import Outcome
    from cli.checks.ground import Ground
    from cli.doctor_screen import Screen

ALL_WELL, WARNINGS, FAULTS = 0, 1, 2


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHECK]…",
            help="Only these checks, and those they need.",
            autocompletion=complete_checks,
        ),
    ] = None,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Mend what may be mended without asking, then look again."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every part, and say what to type where something is wrong.

    Exit code: 0 all is well, 1 warnings, 2 faults. Example: closebell doctor realtime
    """
    with reporting(as_json):
        _refuse_unknown(names or [])
        if not as_json:
            typer.echo(f"closebell doctor · {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        import asyncio

        raise typer.Exit(asyncio.run(_examine(names or [], fix=fix, as_json=as_json)))


def _refuse_unknown(names: Sequence[str]) -> None:
    """Raise before anything is printed. Raises: InvalidRequest."""
    if set(names) - set(NAMES):
        from cli.checks.catalogue import CHECKS
        from cli.checks.runner import select_checks

        select_checks(CHECKS, names)


async def _examine(names: Sequence[str], *, fix: bool, as_json: bool) -> int:
    """Run the checks, mend, run them again; print; return the exit code."""
    from cli.checks.catalogue import CHECKS
    from cli.checks.ground import Ground
    from cli.checks.runner import run_checks, select_checks
    from cli.doctor_screen import Screen
    from cli.settings import read_values

    began_s = time.monotonic()
    checks = select_checks(CHECKS, names)
    screen = Screen(width_of=[check.name for check in checks], is_silent=as_json)
    values = read_values()
    fixed: list[dict[str, Any]] = []
    # A repair may show what could not be asked before: an empty database has no settings. Each is
    # made once.
    tried: set[str] = set()
    is_looking = True
    while is_looking:
        async with Ground(values) as ground:
            outcomes = await run_checks(checks, ground, screen.tell)
            wanted = {outcome.fix for outcome in outcomes if outcome.fix} - tried if fix else set()
            fixed += await _mend(ground, wanted, screen)
        tried |= wanted
        is_looking = bool(wanted)
    took_s = time.monotonic() - began_s
    code = exit_code(outcomes)
    if as_json:
        print_json(
            {"exit_code": code, "took_s": round(took_s, 2), "fixed": fixed, "checks": outcomes}
        )
    else:
        screen.summary(outcomes, took_s, may_fix=not fix)
    return code


async def _mend(ground: Ground, wanted: set[str], screen: Screen) -> list[dict[str, Any]]:
    """Make the repairs; return what was done, or why not."""
    from cli.checks.fixes import FIXES
    from shared.errors import ClosebellError

    fixed = []
    for one in FIXES:
        if one.name not in wanted:
            continue
        try:
            did, is_done = await one.make(ground), True
        except ClosebellError as error:
            did, is_done = str(error), False
        screen.fixed(one.name, did, is_done)
        fixed.append({"fix": one.name, "is_done": is_done, "did": did})
    return fixed


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 2 with a fault, 1 with a warning or if nothing could be asked, else 0."""
    from cli.checks.check import Verdict

    verdicts = {outcome.verdict for outcome in outcomes}
    if Verdict.FAULT in verdicts:
        return FAULTS
    return ALL_WELL if Verdict.OK in verdicts and Verdict.WARNING not in verdicts else WARNINGS
