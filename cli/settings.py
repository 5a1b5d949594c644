"""Which system a command speaks to: the environment, else `.env`, else a running `make run`.

`make run` writes the addresses and keys of its parts into `.local/operator.env` and deletes the
file when it ends. `read_values` and `require` read texts: the checked settings of a part
(`read_settings`) take a fifth of a second to import, which a screen or a prompt cannot wait for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shared.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

PROJECT = Path(__file__).resolve().parent.parent
OPERATOR_FILE = PROJECT / ".local" / "operator.env"
# The last that sets a name wins.
SETTINGS_FILES = (OPERATOR_FILE, PROJECT / ".env")
# A setting in .env.example.
NAME = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]*)=", re.MULTILINE)

S = TypeVar("S", bound="BaseSettings")


def read_settings(kind: type[S]) -> S:
    """Return settings of one kind. Raises: ConfigError naming what is missing or impossible."""
    from shared.settings import load_settings

    return load_settings(kind, SETTINGS_FILES)


def read_values(files: Sequence[Path] | None = None) -> dict[str, str]:
    """Return every setting that is set and not empty, by its name in lower case, unchecked.

    Without `files`: from SETTINGS_FILES.
    """
    from dotenv import dotenv_values

    values: dict[str, str] = {}
    for file in SETTINGS_FILES if files is None else files:
        if file.is_file():
            values |= {name.lower(): text or "" for name, text in dotenv_values(file).items()}
    values |= {name.lower(): text for name, text in os.environ.items()}
    return {name: text for name, text in values.items() if text}


def require(name: str, files: Sequence[Path] | None = None) -> str:
    """Return one setting, such as `database_url`.

    Raises: ConfigError naming it if it is empty, and naming what in .env is no setting.
    """
    _refuse_unknown(SETTINGS_FILES if files is None else files)
    text = read_values(files).get(name, "")
    if not text:
        raise ConfigError(
            f"expected {name.upper()}, was not set",
            hint=f"start the local cloud with `make run`, or set {name.upper()} in .env",
        )
    return text


def _refuse_unknown(files: Sequence[Path]) -> None:
    """Refuse names that are no setting, as the parts do; the page of all is quick to read."""
    from dotenv import dotenv_values

    known = NAME.findall((PROJECT / ".env.example").read_text("utf-8"))
    names = {name.upper() for file in files if file.is_file() for name in dotenv_values(file)}
    if not names.issubset(known):
        from shared.settings import refuse_unknown

        refuse_unknown(files)
