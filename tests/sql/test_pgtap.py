"""Runs each pgTAP file beside this one in a rolled-back transaction; one file, one behaviour."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

FILES = sorted(p for p in Path(__file__).parent.glob("*.sql") if p.name != "fixtures.sql")
PLAN = re.compile(r"^1\.\.(\d+)$", re.MULTILINE)
RESULT = re.compile(r"^(ok|not ok) \d+", re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pgtap_file(migrated: str, run_psql: Callable[[str, Path], str], path: Path) -> None:
    text = run_psql(migrated, path)
    plan, results = PLAN.search(text), RESULT.findall(text)
    # An error ends psql early: then results are missing, and the text says why.
    assert plan is not None and results == ["ok"] * int(plan[1]), text
