"""Traders as YAML files: one file a trader, nothing lost on the way there and back. Pure.

    name: Oversold
    rule: |-
      rsi(14) < 30
      and volume > 2 * sma(volume, 20)
    venue: binance
    universe: [BTCUSDT, ETHUSDT]     # left out: all instruments of the venue
    interval: 1m
    trigger: enter

A trader is known by its name; ids belong to one database. Not here: reading folders and storing
(transfer), the rule language (shared/rules).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import Any

import msgspec
import yaml

from shared.errors import InvalidRequest

FILE_BYTES_MAX = 200_000
_SLUG_CHARACTERS_MAX = 60
# As store_trader takes it: nine digits.
_SECONDS_MAX = 10**9
# In the order of the file. What has a default may be left out, and is where it has its default.
FIELDS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "description": (str,),
    "rule": (str,),
    "venue": (str,),
    "universe": (list, type(None)),
    "interval": (str,),
    "trigger": (str,),
    "cadence": (str,),
    "cooldown_s": (int,),
    "enabled": (bool,),
}
DEFAULTS: Mapping[str, Any] = {
    "description": "",
    "universe": None,
    "cadence": "close",
    "cooldown_s": 0,
    "enabled": True,
}
_KINDS = {str: "a text", list: "a list of symbols", int: "whole seconds", bool: "true or false"}


class Trader(msgspec.Struct, frozen=True, kw_only=True):
    """A trader as its owner writes it, without id and history."""

    name: str
    rule: str
    venue: str
    interval: str
    trigger: str
    description: str = ""
    universe: tuple[str, ...] | None = None
    cadence: str = "close"
    cooldown_s: int = 0
    enabled: bool = True

    def fields(self) -> dict[str, Any]:
        """Return what the file says: the fields in order, without those at their default."""
        found = {name: getattr(self, name) for name in FIELDS}
        found["universe"] = None if self.universe is None else list(self.universe)
        return {
            name: value
            for name, value in found.items()
            if name not in DEFAULTS or value != DEFAULTS[name]
        }


def trader_of(row: Mapping[str, Any]) -> Trader:
    """Return the trader of a stored row, or of a file's mapping."""
    given = {name: row[name] for name in FIELDS if name in row}
    if given.get("universe") is not None:
        given["universe"] = tuple(given["universe"])
    return Trader(**given)


def write_trader(trader: Trader) -> str:
    """Return the text of a trader's file."""
    return str(
        yaml.dump(trader.fields(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    )


def read_trader(text: str) -> Trader:
    """Return the trader of a file. Raises: InvalidRequest naming line or field."""
    try:
        found = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InvalidRequest(f"expected YAML, was: {_where(error)}") from error
    # A date such as 2026-13-45, a number of thousands of digits, brackets in brackets in ….
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"expected YAML of a trader, was: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequest("expected the fields of a trader, such as `name: Oversold`")
    for name, value in found.items():
        _check_field(name, value)
    for name in FIELDS:
        if name not in found and name not in DEFAULTS:
            raise InvalidRequest(f"{name}: expected it, was missing", field=name)
    # Stored without them, it would never be found under its name again.
    if found["name"] != found["name"].strip(" "):
        raise InvalidRequest("name: expected no blanks around it", field="name")
    return trader_of(found)


def _check_field(name: object, value: Any) -> None:
    if not isinstance(name, str) or name not in FIELDS:
        raise InvalidRequest(
            f"{str(name)[:80]}: expected no such field",
            hint=f"fields are {', '.join(FIELDS)}",
            field=str(name)[:80],
        )
    kinds = FIELDS[name]
    # To Python, true is a number.
    is_kind = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    if int in kinds and is_kind:
        is_kind = 0 <= value < _SECONDS_MAX
    texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if not is_kind or not all(isinstance(text, str) for text in texts):
        quoting = _quoting(kinds, value)
        # Hexadecimal, because that works for numbers of any length.
        is_long = isinstance(value, int) and abs(value) >= _SECONDS_MAX
        shown = hex(value) if is_long else repr(value) if isinstance(value, str) else str(value)
        raise InvalidRequest(
            f"{name}: expected {_KINDS[kinds[0]]}, was {shown[:80]}{quoting}", field=name
        )
    if not all(_is_storable(text) for text in texts):
        raise InvalidRequest(f"{name}: expected a text, was one with a zero byte", field=name)


def _quoting(kinds: tuple[type, ...], value: Any) -> str:
    """Return what to do about a word that YAML takes for something else than a text."""
    if value is None or isinstance(value, dict):
        return ""
    if isinstance(value, list):
        return "; put each in quotes" if list in kinds else ""
    return "; put it in quotes" if str in kinds else ""


def _is_storable(text: str) -> bool:
    """Return whether Postgres can hold a text: no zero byte, no half of a character."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def slugs_of(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a file name for each trader, without its ending, the same ones each time.

    Lower case ASCII; traders whose names come to the same, or to one that is `taken`, are numbered
    in the order given.
    """
    slugs: list[str] = []
    used = set(taken)
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        slug = re.sub(r"[^a-z0-9]+", "-", plain)[:_SLUG_CHARACTERS_MAX].strip("-") or "trader"
        number, free = 1, slug
        while free in used:
            number += 1
            free = f"{slug}-{number}"
        used.add(free)
        slugs.append(free)
    return slugs


def diff_of(before: Trader | None, after: Trader | None, name: str) -> str:
    """Return how a trader's file changes, in unified form; nothing if it does not."""

    def lines(trader: Trader | None) -> list[str]:
        return [] if trader is None else write_trader(trader).splitlines()

    def label(trader: Trader | None) -> str:
        return "(none)" if trader is None else name

    changes = unified_diff(
        lines(before), lines(after), label(before), label(after), lineterm="", n=2
    )
    return "".join(f"{line}\n" for line in changes)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, lists of symbols on lines of their own."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Other line breaks than \n and what does not print survive as escapes only.
    if not all(character.isprintable() or character in "\n\t" for character in text):
        style: str | None = '"'
    else:
        style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


class _Loader(yaml.SafeLoader):
    """Safe, and refuses what a trader's file has no use for: doubled fields, aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # PyYAML carries no types of its parser.
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "expected no alias (*)", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, "expected no merge (<<)", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"expected {key.value} once", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _where(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} at line {mark.line + 1}, column {mark.column + 1}"
    return str(error).splitlines()[0]
