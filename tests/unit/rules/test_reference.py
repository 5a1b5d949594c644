"""Random rules: verdicts and unknowns as the slow evaluator of reference.py has them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.errors import InvalidRule
from shared.rules import UNKNOWN, parse_rule
from tests.unit.rules.reference import CloseCallError, Reference
from tests.unit.rules.rule_texts import rule_texts
from tests.unit.rules.windows import uneven_columns, verdicts_of, window_of

WINDOWS = {
    "longer": window_of(uneven_columns(1, 503, 7)),
    "short": window_of(uneven_columns(2, 70, 7)),
    "tiny": window_of(uneven_columns(3, 9, 7)),
}
CODE = {True: 1, False: 0, None: -1}


@pytest.mark.parametrize("name", list(WINDOWS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=rule_texts, symbol=st.integers(0, 6))
def test_verdict_random_rule_equals_reference(name: str, text: str, symbol: int) -> None:
    window = WINDOWS[name]
    try:
        rule = parse_rule(text)
    except InvalidRule:
        assume(False)
    try:
        expected = CODE[Reference(window.columns[:, :, symbol]).state(rule.tree)]
    except CloseCallError:
        assume(False)
    verdicts = verdicts_of(text, window)
    assert verdicts.state(0)[symbol] == expected
    assert (verdicts.unknown_reason(0, symbol) is not None) == (expected == UNKNOWN)


@settings(max_examples=40, deadline=None)
@given(text=rule_texts)
def test_canonical_random_rule_reads_back_as_itself(text: str) -> None:
    try:
        rule = parse_rule(text)
    except InvalidRule:
        assume(False)
    again = parse_rule(rule.canonical)
    assert again.tree == rule.tree
    assert again.canonical == rule.canonical
