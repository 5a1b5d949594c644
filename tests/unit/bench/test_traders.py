"""The traders of the benchmark: seeded, valid, read alike by ours and by the peers' reader."""

from __future__ import annotations

from bench.engine.formula import formula_of, functions_of
from bench.engine.population import calls_of
from bench.traders import draw_rules
from shared.rules import FUNCTIONS, parse_rule

# Written as arithmetic or as comparisons in a formula.
DISSOLVED = {"bb_pct", "crosses_above", "crosses_below"}


def test_rules_same_seed_are_the_same_and_a_longer_list_begins_with_them() -> None:
    assert draw_rules(50) == draw_rules(50)
    assert draw_rules(80)[:50] == draw_rules(50)
    assert draw_rules(50, seed=8) != draw_rules(50)


def test_rules_are_valid_and_name_every_kind_of_function() -> None:
    named: set[str] = set()
    for text in draw_rules(2_000):
        rule = parse_rule(text)
        formula = formula_of(text)
        called = {name for name in rule.names if name in FUNCTIONS}
        assert called - DISSOLVED <= functions_of(formula)
        named |= called
    assert {"rsi", "ema", "supertrend", "psar", "doji", "adx", "macd_signal"} <= named


def test_rules_mostly_share_popular_nodes() -> None:
    calls = calls_of(formula_of(rule) for rule in draw_rules(1_000))
    assert 300 < len(calls) < 800
    assert calls.most_common(1)[0][0] == "rsi(close, 14)"


def test_rules_rarer_periods_make_more_nodes() -> None:
    def nodes(popular_share: float) -> int:
        rules = draw_rules(300, popular_share=popular_share)
        return len(calls_of(formula_of(rule) for rule in rules))

    assert nodes(1.0) < nodes(0.85) < nodes(0.0)
