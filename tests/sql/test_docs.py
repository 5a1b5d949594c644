"""docs/database.md names every table, setting, schedule and API routine, with its value."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "database.md").read_text("utf-8")


@pytest.mark.parametrize(
    "query",
    [
        "select format('| `%s` | %s | %s |', name, coalesce(nullif(value, ''), '(empty)'), unit)"
        " from ops.settings",
        "select format('| `%s` |', name) from ops.schedules",
        "select format('| `%s(', proname) from pg_proc where pronamespace = 'public'::regnamespace",
        "select format('`%s`', relname) from pg_class"
        " where relnamespace in ('public'::regnamespace, 'ops'::regnamespace)"
        " and relkind in ('r', 'v')",
    ],
    ids=["settings", "schedules", "routines", "tables"],
)
def test_database_page_names_everything(migrated: str, query: str) -> None:
    with psycopg.connect(migrated) as connection:
        names = [str(row[0]) for row in connection.execute(query.encode()).fetchall()]
    assert names
    assert [name for name in names if name not in PAGE] == []
