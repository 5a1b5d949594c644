"""docs/runbook.md has a section for each kind of incident, with what it means and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = {
    section.partition("\n")[0]: section
    for section in (ROOT / "docs" / "runbook.md").read_text("utf-8").split("\n## ")[1:]
}
TITLES = (ROOT / "dashboard" / "src" / "pure" / "incidents.ts").read_text("utf-8")


@pytest.fixture(scope="module")
def kinds(migrated: str) -> list[str]:
    """The kinds that the table takes."""
    with psycopg.connect(migrated) as connection:
        row = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint"
            " where conname = 'incidents_kind_is_known'"
        ).fetchone()
    assert row is not None
    return re.findall(r"'([a-z_]+)'", row[0])


def test_each_kind_has_a_section_and_each_section_a_kind(kinds: list[str]) -> None:
    assert len(kinds) >= 8
    assert sorted(SECTIONS) == sorted(kinds)


def test_each_section_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    for kind, section in SECTIONS.items():
        for part in ("**Means.**", "**Look at.**", "**Do.**"):
            assert part in section, f"{kind} {part}"


def test_each_kind_has_plain_words_on_the_dashboard(kinds: list[str]) -> None:
    assert [kind for kind in kinds if f"  {kind}: '" not in TITLES] == []


def test_each_statement_of_the_runbook_runs(migrated: str) -> None:
    statements = [
        statement
        for section in SECTIONS.values()
        for block in re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
        for statement in re.sub(r"--.*", "", block).split(";")
        if statement.strip()
    ]
    assert len(statements) > 10
    with psycopg.connect(migrated) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        connection.rollback()


def test_each_setting_that_a_section_names_is_one(migrated: str) -> None:
    named = {
        word
        for section in SECTIONS.values()
        for word in re.findall(r"`([a-z_]+(?:_s|_max|_watched|_url|_enabled))`", section)
    }
    with psycopg.connect(migrated) as connection:
        rows = connection.execute("select name from ops.settings").fetchall()
    assert named and named <= {row[0] for row in rows}
