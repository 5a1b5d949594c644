"""The registry keeps its word: examples read, warm-ups are exact, every entry is documented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.rules import ALIASES, FUNCTIONS, SERIES, parse_rule
from shared.rules.describe import bars_needed, is_condition
from shared.rules.entry import Kind
from shared.rules.kernels import Expansion
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.tree import Call, Node, Series
from tests.unit.rules.windows import random_columns, verdicts_of, window_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "rules.md"
# Of parameters without a default; two, so that a constant warm-up shows.
PERIODS = (5, 17)


def call_of(name: str, n: int) -> Call:
    """Return the function called on plain series with periods of n."""
    plain = iter((Series("close"), Series("open")))
    arguments: list[Node | int] = [
        n if parameter.kind is Kind.BARS else next(plain)
        for parameter in ALL_FUNCTIONS[name].parameters
    ]
    return Call(name, tuple(arguments))


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_function_example_is_a_rule_that_uses_it(name: str) -> None:
    rule = parse_rule(FUNCTIONS[name].example)
    assert name in rule.names
    verdicts = verdicts_of(rule.text, window_of(random_columns(1, 90, 3)))
    assert set(verdicts.state(0).tolist()) <= {0, 1}


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("n", PERIODS)
def test_function_warm_up_is_exactly_as_declared(name: str, n: int) -> None:
    call = call_of(name, n)
    needed = bars_needed(call)
    for history in range(needed - 1, needed + 1):
        if history == 0:
            continue
        columns = random_columns(2, 40, 1)
        columns[:, : 40 - history] = np.nan
        shown = ", ".join(
            str(argument) if isinstance(argument, int) else argument.name  # type: ignore[union-attr]
            for argument in call.arguments
        )
        condition = f"{name}({shown})" if is_condition(call) else f"{name}({shown}) > 0"
        verdicts = verdicts_of(condition, window_of(columns))
        # A cross can be false before it could be true.
        possible = {0, 1} if history >= needed else {-1, 0} if is_condition(call) else {-1}
        assert int(verdicts.state(0)[0]) in possible
        assert verdicts.plan.rules[0].bars_needed == needed


@pytest.mark.parametrize("name", list(ALL_FUNCTIONS))
def test_function_made_of_others_declares_what_they_need(name: str) -> None:
    kernel = ALL_FUNCTIONS[name].kernel
    if not isinstance(kernel, Expansion):
        return
    call = call_of(name, 7)
    expanded = kernel.expand(*call.arguments)
    assert bars_needed(call) == bars_needed(expanded)
    assert is_condition(call) == is_condition(expanded)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_function_entry_is_complete(name: str) -> None:
    entry = FUNCTIONS[name]
    assert entry.name == name and not name.startswith("_")
    assert all((entry.unit, entry.range, entry.definition, entry.source, entry.example))
    assert entry.gives in (Kind.NUMBER, Kind.CONDITION)


def test_aliases_mean_functions_and_shadow_nothing() -> None:
    assert set(ALIASES.values()) <= set(FUNCTIONS)
    assert not set(ALIASES) & (set(FUNCTIONS) | set(SERIES))
    assert not set(SERIES) & set(FUNCTIONS)


def test_document_shows_every_signature_definition_and_series() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for entry in FUNCTIONS.values():
        assert f"`{entry.signature}`" in text, entry.name
        assert f"`{entry.example}`" in text, entry.name
        for alias in entry.aliases:
            assert f"`{alias}`" in text, alias
    for series in SERIES.values():
        assert f"`{series.name}`" in text, series.name


def test_document_rules_are_rules() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = [block for block in text.split("```") if block.startswith("rule\n")]
    rules = [rule for block in blocks for rule in block.removeprefix("rule\n").split("\n\n")]
    assert len(rules) == 9
    for rule in rules:
        parse_rule(rule)
