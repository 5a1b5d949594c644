"""The text of a rule as its author sees it: places in it, excerpts of it, errors that point at it.

Not here: what is wrong (scan, literals, language).
"""

from __future__ import annotations

import ast
from typing import NoReturn

from shared.errors import InvalidRule

# How much of a wrong argument, or of a wrong name, an error repeats.
SHOWN_CHARACTERS = 20
SHOWN_NAME_CHARACTERS = 40


def excerpt(text: str, line: int, column: int) -> str:
    """Return the line in question with a caret under the column (both from 1).

    What has no width of one, or does something to a terminal, is shown as a space.
    """
    lines = text.split("\n")
    written = lines[line - 1] if line <= len(lines) else ""
    shown = _printable(written)
    return f"{shown}\n{' ' * (column - 1)}^"


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def position(text: str, index: int) -> tuple[int, int]:
    """Return line and column, both from 1, of a character."""
    before = text[:index]
    return before.count("\n") + 1, index - before.rfind("\n")


def refuse(text: str, line: int, column: int, message: str, suggestion: str = "") -> NoReturn:
    """Raise InvalidRule with the place shown."""
    hint = f"did you mean {suggestion}?" if suggestion else ""
    raise InvalidRule(
        message,
        line=line,
        column=column,
        suggestion=suggestion,
        hint=hint,
        excerpt=excerpt(text, line, column),
    )


def shortened(text: str, most: int = SHOWN_CHARACTERS) -> str:
    """Return the text, cut where an error would become hard to read."""
    return text if len(text) <= most else f"{text[:most]}…"


def named(name: str) -> str:
    """Return a name in quotes, shortened."""
    return f"'{shortened(name, SHOWN_NAME_CHARACTERS)}'"


class Source:
    """A rule's text, which `language` hands to `ast.parse` in one pair of brackets."""

    def __init__(self, text: str) -> None:
        self.text = text

    def refuse(self, node: ast.expr | ast.keyword, message: str, suggestion: str = "") -> NoReturn:
        """Raise InvalidRule at a node's first character."""
        line, column = self.place(node)
        refuse(self.text, line, column, message, suggestion)

    def place(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        """Return line and column in the user's text, without the bracket around it."""
        return node.lineno, node.col_offset + (1 if node.lineno > 1 else 0)

    def shown(self, node: ast.expr) -> str:
        """Return the node as written, shortened."""
        line, column = self.place(node)
        written = self.text.split("\n")[line - 1][column - 1 :]
        if node.end_lineno == node.lineno:
            written = written[: (node.end_col_offset or 0) - node.col_offset]
        return shortened(_printable(written))
