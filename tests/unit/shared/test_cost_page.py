"""docs/cost.md and docs/deploy.md hold what their generator writes from units and prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.cost_table import DEPLOY_PAGE, PAGE, PARTS, generate


@pytest.mark.parametrize("page", PARTS, ids=lambda page: page.name)
def test_page_of_cost_is_true(page: Path) -> None:
    assert generate(page) == page.read_text("utf-8"), "run: python -m docs.cost_table"


def test_tables_hold_what_a_reader_looks_for() -> None:
    assert "| 500 | 5 | 1,000 |" in PAGE.read_text("utf-8")
    assert "| a month | **$" in DEPLOY_PAGE.read_text("utf-8")
