"""What must not be read in a log: found by the name of its field, by its shape, or by its value.

Pure but for the list of values, which each wiring fills once from its own settings. Called by
shared/logs.py (everything on stdout), by whoever stores lines, and by `closebell logs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from numbers import Number
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

HIDDEN = "[hidden]"
SECRET_NAME = re.compile(
    r"token|secret|password|passwd|authorization|api[-_]?key|signature|dsn|cookie|credential"
    r"|deadman",
    re.I,
)
# Numbers and flags whose name says "token" hold none: tokens_count=12.
_PLAIN = (Number, type(None))
# A shorter value would hide half of what is said; no secret of ours is shorter.
_VALUE_CHARACTERS_MIN = 8
_DEPTH_MAX = 20

_NAMES = (
    r"[\w.-]*(?:token|secret|password|passwd|api[-_]?key|apikey|signature|credential|cookie"
    r"|deadman)[\w-]*"
)
# What is kept is group 1, what follows it is hidden. In this order: the first may hold a second.
_SHAPES = (
    # scheme://user:password@host
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.I),
    # Authorization: Bearer …, and the same without the header's name
    re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.I),
    # ?token=…, "api_key": "…", FUNCTION_SECRET=…
    re.compile(
        rf"""(\b{_NAMES}\\*["']?\s*[=:]\s*\\*["']?)(?!\[hidden\])[^\s"'&,;)}}\]\\]+""", re.I
    ),
    # Keys of Supabase, and tokens (three parts of base64, the first begins with {{")
    re.compile(r"(\bsb_secret_)[\w-]+"),
    re.compile(r"()\beyJ[\w-]{6,}\.[\w-]+\.[\w-]*"),
)

_values: set[str] = set()


def remember_secrets(settings: BaseSettings) -> None:
    """Note every secret among these settings, so that it is hidden wherever it stands."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if _is_secret(value):
            remember_values([value.get_secret_value()])


def remember_values(values: Iterable[str]) -> None:
    """Note secrets themselves, and as they stand in a URL."""
    for value in values:
        if len(value) >= _VALUE_CHARACTERS_MIN:
            _values.update((value, quote(value, safe=""), quote_plus(value)))


def hide_text(text: str) -> str:
    """Return a text in which nothing secret can be read."""
    # The longest first: one secret may be a part of another.
    for value in sorted(_values, key=len, reverse=True):
        if value in text:
            text = text.replace(value, HIDDEN)
    for shape in _SHAPES:
        text = shape.sub(rf"\1{HIDDEN}", text)
    return text


def hide_value(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a field's value, with what lies inside it, in which nothing secret can be read."""
    if isinstance(value, _PLAIN):
        return value
    if SECRET_NAME.search(name):
        return HIDDEN
    if _is_secret(value) or depth > _DEPTH_MAX:
        return HIDDEN
    if isinstance(value, str):
        return hide_text(value)
    if isinstance(value, Mapping):
        # A key is text like any other; its name decides about what it holds.
        return {
            hide_text(str(key)): hide_value(held, str(key), depth + 1)
            for key, held in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [hide_value(held, "", depth + 1) for held in value]
    if isinstance(value, bytes | bytearray):
        return hide_text(bytes(value).decode(errors="replace"))
    return hide_text(str(value))


def _is_secret(value: object) -> bool:
    # pydantic's SecretStr; importing it would cost the command line a tenth of a second.
    return hasattr(value, "get_secret_value")
