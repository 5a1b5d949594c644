"""Which system a command speaks to: the environment, else `.env`, else a running `make run`.

`make run` writes the addresses and keys of its parts into `.local/operator.env` and deletes the
file when it ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic_settings import BaseSettings

from shared.settings import load_settings

PROJECT = Path(__file__).resolve().parent.parent
# The last that sets a name wins.
SETTINGS_FILES = (PROJECT / ".local" / "operator.env", PROJECT / ".env")

S = TypeVar("S", bound=BaseSettings)


def read_settings(kind: type[S]) -> S:
    """Return settings of one kind. Raises: ConfigError naming what is missing or impossible."""
    return load_settings(kind, SETTINGS_FILES)
