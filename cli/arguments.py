"""The words and options that several commands share, and how they are read.

Not here: what a rule means (shared/rules), where history comes from (history).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.instants import read_date
from shared.errors import InvalidRequest
from shared.market.interval import Interval

# The longest rule is 2,000 characters; whatever is longer is not one.
_RULE_BYTES_MAX = 100_000

RuleText = Annotated[
    str,
    typer.Argument(
        metavar="RULE",
        help="The rule in quotes; @FILE reads it from a file, - from standard input.",
    ),
]
IntervalOption = Annotated[
    Interval,
    typer.Option(
        "--interval",
        "-i",
        help=f"Length of the bars: {', '.join(Interval)}.",
        metavar="INTERVAL",
    ),
]
AnyIntervalOption = Annotated[
    Interval | None,
    typer.Option(
        "--interval",
        "-i",
        help='Length of the bars; needed for durations ("24h") and tf=.',
        metavar="INTERVAL",
    ),
]
VenueOption = Annotated[str, typer.Option("--venue", help="Where the instruments trade.")]
UniverseOption = Annotated[
    str,
    typer.Option(
        "--universe",
        "-u",
        help="Instruments, separated by commas; without it all there are.",
        metavar="A,B,…",
    ),
]
TriggerOption = Annotated[
    Literal["enter", "exit", "while"],
    typer.Option(
        "--trigger",
        "-t",
        help="A signal when the rule becomes true (enter), stops being true (exit),"
        " or at every close at which it is true (while).",
    ),
]
FilesOption = Annotated[
    Path | None,
    typer.Option(
        "--files",
        "-f",
        help="Folder of kline files ({SYMBOL}_{interval}.csv[.gz] and alike) instead of Redis.",
        metavar="FOLDER",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def read_rule_text(argument: str) -> str:
    """Return the text of a rule: the argument, the file after an @, or standard input.

    Raises: InvalidRequest if the file cannot be read as text.
    """
    if argument != "-" and not argument.startswith("@"):
        return argument
    name = "standard input" if argument == "-" else argument[1:]
    try:
        if argument == "-":
            content = sys.stdin.buffer.read(_RULE_BYTES_MAX)
        else:
            with Path(name).open("rb") as file:
                content = file.read(_RULE_BYTES_MAX)
        return content.decode().rstrip("\n")
    except OSError as error:
        raise InvalidRequest(
            f"expected a rule in {name}, was: {error.strerror}", field="rule"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"expected text in {name}, was binary", field="rule") from error


def read_universe(argument: str) -> tuple[str, ...] | None:
    """Return the instruments of a list with commas, None for an empty one."""
    symbols = tuple(part.strip() for part in argument.split(",") if part.strip())
    return symbols or None


def read_instant_ms(argument: str, option: str) -> int | None:
    """Return the instant of a date or date and time, None without one.

    Raises: InvalidRequest naming the option.
    """
    if not argument:
        return None
    return round(read_date(argument, option).timestamp() * 1000)
