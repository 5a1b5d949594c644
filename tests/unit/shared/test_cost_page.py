"""docs/cost.md is what its generator writes from the measured units and the prices."""

from __future__ import annotations

from docs.cost_table import PAGE, generate


def test_page_of_cost_is_true() -> None:
    text = PAGE.read_text("utf-8")
    assert generate(text) == text, "run: python -m docs.cost_table"
    assert "| 500 | 5 | 1,000 |" in text
