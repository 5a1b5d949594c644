"""What every command does with results and errors: JSON or text, colour, exit codes.

Exit codes: 0 done · 1 something failed (no answer, no data) · 2 the input is wrong. Results go to
standard output, progress and errors to standard error; with --json errors are documents, too.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from shared.errors import ClosebellError, InvalidRequest, InvalidRule

if TYPE_CHECKING:
    from rich.console import Console

FAILED, BAD_INPUT = 1, 2
# A table in a file or a pipe is not squeezed into the width of a screen that is not there.
_WIDTH_WITHOUT_TERMINAL = 120


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Turn errors raised on purpose into a sentence (or a document) and an exit code."""
    try:
        yield
    except ClosebellError as error:
        if as_json:
            print_json({"error": _fields(error)})
        else:
            sys.stderr.write(_sentences(error))
        code = BAD_INPUT if isinstance(error, InvalidRequest) else FAILED
        raise typer.Exit(code) from error
    except BrokenPipeError as error:
        # The reader (head, less) has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from error


def print_json(document: Any) -> None:
    """Print a document as one line of JSON."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()


def print_event(event: Any) -> None:
    """Write one line of JSON to standard error: progress, for programs."""
    import msgspec

    sys.stderr.write(msgspec.json.encode(event).decode() + "\n")
    sys.stderr.flush()


def make_console(*, stderr: bool = False) -> Console:
    """Return a console: colour on a terminal only, and not if NO_COLOR is set."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_WITHOUT_TERMINAL
    return Console(stderr=stderr, width=width, highlight=False)


def screen_width() -> int:
    """Return the width to write for; what goes into a file or a pipe is not squeezed."""
    return shutil.get_terminal_size((_WIDTH_WITHOUT_TERMINAL, 24)).columns


def _fields(error: ClosebellError) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
    }
    if isinstance(error, InvalidRequest):
        fields["field"] = error.field
    if isinstance(error, InvalidRule):
        fields |= {"line": error.line, "column": error.column, "suggestion": error.suggestion}
    return fields | {key: error.context[key] for key in ("excerpt",) if key in error.context}


def _sentences(error: ClosebellError) -> str:
    if not isinstance(error, InvalidRule):
        return f"closebell: {error}\n"
    place = f"line {error.line}, column {error.column}: "
    excerpt = str(error.context.get("excerpt", ""))
    lines = [f"closebell: {place if excerpt else ''}{error.message}"]
    lines += [f"  {line}" for line in excerpt.split("\n") if excerpt]
    lines += [f"  {error.hint}"] if error.hint else []
    return "\n".join((*lines, ""))
