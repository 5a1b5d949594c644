"""Reading rules: what is accepted, how it is spelled in the end, and the limits."""

from __future__ import annotations

import pytest

from shared.errors import InvalidRule
from shared.rules import RuleLimits, parse_rule
from shared.rules.describe import names_of
from shared.settings import FunctionsSettings

ACCEPTED = [
    ("close>open", "close > open", 1),
    ("  close > open  ", "close > open", 1),
    ("close > open # why not: ≥ 'x' ((", "close > open", 1),
    ("close > open\n  and volume > 3 # so\n", "close > open and volume > 3", 1),
    ("close\u00a0>\topen", "close > open", 1),
    ("close > open\r\nor close < low", "close > open or close < low", 1),
    ("rsi(14) < 30", "rsi(14) < 30", 15),
    ("rsi(close, 14) < 30", "rsi(14) < 30", 15),
    ("rsi(n=14) < 30", "rsi(14) < 30", 15),
    ("rsi(length=14, source=hl2) < 30", "rsi(hl2, 14) < 30", 15),
    ("rsi(14, source=volume) < 30", "rsi(volume, 14) < 30", 15),
    ("ta.rsi(close, 14) < 30", "rsi(14) < 30", 15),
    ("highest(20) > high[1]", "highest(20) > high[1]", 20),
    ("highest(high, 20) > 1", "highest(20) > 1", 20),
    ("highest(close, 20) > 1", "highest(close, 20) > 1", 20),
    ("lowest(low, 20) > 1", "lowest(20) > 1", 20),
    ("change() > 0", "change(1) > 0", 2),
    ("change(5) > 0", "change(5) > 0", 6),
    ("change(volume) > 0", "change(volume, 1) > 0", 2),
    ("ta.crossover(ta.ema(9), ta.ema(21))", "crosses_above(ema(9), ema(21))", 22),
    ("crossunder(rsi(14), 70)", "crosses_below(rsi(14), 70)", 16),
    ("20 < rsi(14) < 80", "20 < rsi(14) and rsi(14) < 80", 15),
    ("(low < open) and (open < close and close < high)", None, 1),
    ("not (20 < rsi(14) < 80)", "not (20 < rsi(14) and rsi(14) < 80)", 15),
    ("not close > open", "not close > open", 1),
    ("(close > open or high > low) and close != 3", None, 1),
    ("close[1][2][0] > 1", "close[3] > 1", 4),
    ("close[0] > 1", "close > 1", 1),
    ("(close - open)[1] > 0", "(close - open)[1] > 0", 2),
    ("(close > open)[1]", "(close > open)[1]", 2),
    ("ema(sma(5), 9)[3] > 0", "ema(sma(5), 9)[3] > 0", 16),
    ("close > 2 * 3 + 1", "close > 7", 1),
    ("close > 1e3 and close < .5 and close > 1_000.25", None, 1),
    ("close > - - 5", "close > 5", 1),
    ("--close > -5", "close > -5", 1),
    ("close - (open - low) > 0", "close - (open - low) > 0", 1),
    ("(close - open) - low > 0", "close - open - low > 0", 1),
    ("-(close * 2) > -close * 2", "-(close * 2) > -close * 2", 1),
    ("close * (open + 1) / 2 > 0", "close * (open + 1) / 2 > 0", 1),
    ("max(close, 5) > min(open, low)", "max(close, 5) > min(open, low)", 1),
    ("math.abs(roc(1)) > 2", "abs(roc(1)) > 2", 2),
]


@pytest.mark.parametrize(("text", "canonical", "bars"), ACCEPTED)
def test_parse_rule_good_text_is_spelled_one_way(
    text: str, canonical: str | None, bars: int
) -> None:
    rule = parse_rule(text)
    assert rule.text == text
    if canonical is not None:
        assert rule.canonical == canonical
    assert rule.bars_needed == bars
    assert rule.interval_free
    assert parse_rule(rule.canonical).tree == rule.tree


def test_parse_rule_names_are_those_used() -> None:
    rule = parse_rule("crosses_above(ta.ema(hl2, 9), 5) or volume > 3")
    assert rule.names == {"crosses_above", "ema", "hl2", "volume"}
    rule = parse_rule("ema(9) > abs(-rsi(14)[2]) + 1 and not change() > 0")
    assert rule.names == {"close", "ema", "abs", "rsi", "change"} == names_of(rule.tree)


def test_parse_rule_equal_parts_of_rules_are_the_same_object() -> None:
    one, other = parse_rule("ema(9) > ema(21)"), parse_rule("ema(9) > close or close > ema(9)")
    assert one.tree.left is other.tree.operands[0].left  # type: ignore[union-attr]
    assert one.tree == parse_rule("ema( 9 )>ema( 21 )").tree
    assert one.canonical is one.text


def test_parse_rule_narrower_limits_are_kept() -> None:
    with pytest.raises(InvalidRule, match="at most 10 characters"):
        parse_rule("close > open", RuleLimits(text_characters_max=10))
    with pytest.raises(InvalidRule, match="at most 2 parts"):
        parse_rule("close > open", RuleLimits(nodes_max=2))
    with pytest.raises(InvalidRule, match="at most 20 bars, was 21"):
        parse_rule("rsi(20) > 1", RuleLimits(window_bars_max=20))


@pytest.mark.parametrize("thing", [None, 5, b"close > open", ["close"], float("nan")])
def test_parse_rule_not_text_is_refused(thing: object) -> None:
    with pytest.raises(InvalidRule, match="expected text"):
        parse_rule(thing)  # type: ignore[arg-type]


def test_rule_limits_are_the_defaults_of_the_settings() -> None:
    limits = RuleLimits()
    for name in RuleLimits.__struct_fields__:
        if name != "cost_max":
            default = FunctionsSettings.model_fields[f"rule_{name}"].default
            assert default == getattr(limits, name), name
