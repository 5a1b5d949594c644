"""Colours of the commands that print lines: a terminal that wants them, or none."""

from __future__ import annotations

import os
import sys

_CODES = {
    "dim": "2",
    "bold": "1",
    "green": "32",
    "yellow": "33",
    "red": "31",
}


def has_colour(no_color: bool) -> bool:
    """Return whether standard output is a terminal that wants colours."""
    plain = no_color or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def paint(text: str, colour: str, wanted: bool) -> str:
    """Return a text in a colour, or as it is."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if wanted and text else text
