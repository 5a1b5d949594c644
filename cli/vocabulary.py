"""What `rules functions` answers: everything a rule can name, straight from the registry."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

import msgspec

from shared.errors import InvalidRequest
from shared.rules import ALIASES, FUNCTIONS, SERIES


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A function or series, for a list to choose from or an editor's completions."""

    name: str
    signature: str
    gives: str
    unit: str
    range: str
    definition: str
    source: str
    example: str
    aliases: tuple[str, ...]


def find_words(text: str) -> list[Word]:
    """Return the words whose name or definition holds a text, or all.

    Raises: InvalidRequest, with the nearest name, if there is none.
    """
    wanted = ALIASES.get(text, text).lower()
    exact = [word for word in _words() if word.name == wanted]
    found = exact or [
        word for word in _words() if wanted in word.name or wanted in word.definition.lower()
    ]
    if not found:
        near = get_close_matches(wanted, [*SERIES, *FUNCTIONS, *ALIASES], n=1)
        raise InvalidRequest(
            f"expected a function or a series, was {text}",
            hint=f"did you mean {near[0]}?" if near else "`closebell rules functions` lists all",
            field="name",
        )
    return found


def lines_of(words: list[Word]) -> list[str]:
    """Return what a person reads: a line each, or all there is about a single one."""
    if len(words) > 1:
        width = max(len(word.signature) for word in words)
        return [f"{word.signature:<{width}}  {word.definition}" for word in words]
    word = words[0]
    rows = [
        ("", word.definition),
        ("gives", f"a {word.gives}, unit: {word.unit}, range: {word.range}"),
        ("source", word.source),
        ("example", word.example),
        ("also", " ".join(word.aliases)),
    ]
    return [word.signature, *(f"  {name:<8} {text}" for name, text in rows if text)]


def _words() -> Iterator[Word]:
    for series in SERIES.values():
        if not series.name.startswith("_"):
            yield Word(
                name=series.name,
                signature=series.name,
                gives="number",
                unit=series.unit,
                range="",
                definition=series.definition,
                source="",
                example="",
                aliases=(),
            )
    for entry in FUNCTIONS.values():
        yield Word(
            name=entry.name,
            signature=entry.signature,
            gives=str(entry.gives),
            unit=entry.unit,
            range=entry.range,
            definition=entry.definition,
            source=entry.source,
            example=entry.example,
            aliases=entry.aliases,
        )
