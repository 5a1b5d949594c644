"""docs/performance.md from figures."""

from __future__ import annotations

from bench.figures import Figure
from bench.page import digits, page


def test_page_engine_figures_have_their_own_sections() -> None:
    figures = [
        Figure(name="ingest", value=1.0, unit="messages", conditions="here"),
        Figure(
            name="engine_vs_talib_once",
            value=9.0,
            unit="verdicts per second",
            baseline=3.0,
            baseline_name="TA-Lib",
            ratio=3.0,
            promise="≥ 30×",
            kept=False,
            conditions="there",
        ),
        Figure(
            name="engine_growth_traders_001000", value=2.0, unit="ms", conditions="500 symbols; x"
        ),
        Figure(
            name="engine_traders_001000",
            value=500,
            unit="distinct nodes",
            conditions="1,000 traders, 990 distinct rules",
        ),
        Figure(
            name="engine_traders_function rsi", value=45.0, unit="% of traders", conditions="of 9"
        ),
    ]
    text = page(figures)
    before, _, after = text.partition("## The rule engine")
    assert "| ingest |" in before and "engine_" not in before.partition("| figure |")[2]
    assert "≥ 30× | **no** | 3× TA-Lib (3)" in after
    assert "| 1,000 | 2 | 2 |" in after
    assert "| 1,000 | 500 | 990 distinct rules |" in after
    assert "`rsi` 45 %" in after


def test_digits_large_ratio_has_no_exponent() -> None:
    assert digits(4.216) == "4.22"
    assert digits(12_345.0) == "12,300"
