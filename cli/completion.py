"""What a shell offers for an argument: names of functions, schedules, incidents, checks, words.

Each is a typer `autocompletion`: the beginning of a word in, words (with a help text) out. A
completion says nothing when it fails: a shell would show the error in the middle of a line.
Turned on by `closebell --install-completion`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import LiteralString

from cli.checks import NAMES
from cli.settings import PROJECT
from shared.errors import ClosebellError

Words = list[tuple[str, str]]

# A prompt that waits longer feels broken.
CONNECT_TIMEOUT_S = 2


def complete_checks(incomplete: str) -> list[str]:
    """Return the doctor's checks."""
    return [name for name in NAMES if name.startswith(incomplete)]


def complete_functions(incomplete: str) -> list[str]:
    """Return the functions of this checkout: a folder with a handler each."""
    names = (path.parent.name for path in (PROJECT / "functions").glob("*/handler.py"))
    return sorted(name for name in names if name.startswith(incomplete))


def complete_sources(incomplete: str) -> list[str]:
    """Return whose log lines there are: functions, other parts, and the word that lists them."""
    names = (*complete_functions(""), "collector", "functions", "postgres", "schedules", "sources")
    return sorted(name for name in names if name.startswith(incomplete))


def complete_rule_words(incomplete: str) -> Words:
    """Return the functions and series that a rule can name, with what they mean."""
    from cli.vocabulary import find_words

    words = [(word.name, word.definition) for word in find_words("")]
    return _beginning(words, incomplete)


def complete_schedules(incomplete: str) -> Words:
    """Return the schedules, with why they exist; nothing where Postgres does not answer."""
    words = _ask("select name, description from ops.schedules order by name limit 200")
    return _beginning(words, incomplete)


def complete_incidents(incomplete: str) -> Words:
    """Return the ids of the open incidents, with their message."""
    words = _ask(
        "select id::text as name, message as description from ops.incidents"
        " where closed_at is null order by id desc limit 200"
    )
    return _beginning(words, incomplete)


def _beginning(words: Iterable[tuple[str, str]], incomplete: str) -> Words:
    return [(name, text) for name, text in words if name.startswith(incomplete)]


def _ask(query: LiteralString) -> Words:
    """Return name and description of each row; none if there is no answer."""
    try:
        from cli.database import connected, fetch

        with connected(connect_timeout_s=CONNECT_TIMEOUT_S) as connection:
            return [(row["name"], row["description"]) for row in fetch(connection, query)]
    except ClosebellError:
        return []
