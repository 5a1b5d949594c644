"""The files of sql/migrations, and how far a database is from them. Reads files, asks no database.

Called by whoever applies them (shared/store/migrations.py) and by whoever only looks (closebell
doctor).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError

FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One file of sql/migrations."""

    version: str
    name: str
    text: str

    @property
    def file_name(self) -> str:
        return f"{self.version}_{self.name}.sql"


def load_migrations(folder: Path) -> list[Migration]:
    """Return the migrations in order. Raises: ConfigError on a bad or doubled name."""
    migrations: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise ConfigError(
                f"expected YYYYMMDDHHMMSS_verb_object.sql, was {path.name}",
                hint="rename the file",
            )
        version = match["version"]
        if version in migrations:
            raise ConfigError(
                f"expected one migration {version}, were {migrations[version].file_name}"
                f" and {path.name}",
                hint="give the newer one its own time",
            )
        migrations[version] = Migration(version, match["name"], path.read_text("utf-8"))
    return list(migrations.values())


def compare_history(
    migrations: Sequence[Migration], applied_texts: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Return (file or version, applied | missing | edited | unknown) in order of version.

    `applied_texts`: version → statements, as the history of a database keeps them.
    """
    known = {migration.version: migration for migration in migrations}
    status = []
    for version in sorted(known.keys() | applied_texts.keys()):
        migration = known.get(version)
        if migration is None:
            status.append((version, "unknown"))
        elif version not in applied_texts:
            status.append((migration.file_name, "missing"))
        elif is_edited(migration, applied_texts[version]):
            status.append((migration.file_name, "edited"))
        else:
            status.append((migration.file_name, "applied"))
    return status


def is_edited(migration: Migration, statements: Sequence[str]) -> bool:
    """Return whether the text differs by more than blanks and semicolons.

    The CLI stores a file split into statements, this project's runner whole: joined, both are the
    text.
    """
    return _squeeze("".join(statements)) != _squeeze(migration.text)


def _squeeze(text: str) -> str:
    return re.sub(r"[\s;]+", "", text)
