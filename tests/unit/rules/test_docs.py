"""docs/rules/: generated pages are of this registry, every rule on them is run."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from docs.rules.generate import FOLDER, IMAGES, NUMBERS_FILE, compute, functions_page, market
from docs.rules.generate import numbers_of as drawn_numbers
from shared.market.interval import Interval
from shared.rules import FALSE, FUNCTIONS, SERIES, TRUE, UNKNOWN, build_plan, evaluate, parse_rule

COOKBOOK_RULES = 30
# Closes of the market on which every rule of the cookbook is run.
RUN_CLOSES = 100


def rules_in(page: str) -> list[str]:
    """Return the rules of a page's ```rule blocks; a blank line parts two of them."""
    text = (FOLDER / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```rule\n(.*?)\n```", text, flags=re.DOTALL)
    return [rule for block in blocks for rule in block.split("\n\n")]


def test_functions_page_is_that_of_the_registry() -> None:
    written = (FOLDER / "functions.md").read_text(encoding="utf-8")
    assert written == functions_page(), "run `make docs`"


def test_every_function_has_a_picture_of_what_its_example_gives_now() -> None:
    assert {file.stem for file in IMAGES.glob("*.svg")} == set(FUNCTIONS), "run `make docs`"
    written = json.loads(NUMBERS_FILE.read_text(encoding="utf-8"))
    now = drawn_numbers(compute())
    assert written.keys() == now.keys()
    for name, numbers in now.items():
        assert (written[name]["rule"], written[name]["true"]) == (numbers["rule"], numbers["true"])
        for text, value in numbers["last"].items():
            assert written[name]["last"][text] == pytest.approx(value, rel=1e-5), name


def test_guide_names_every_series() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in SERIES:
        assert f"`{name}`" in text or name.startswith("_"), name


@pytest.mark.parametrize("page", ["README.md", "cookbook.md"])
def test_rules_on_a_page_are_known_on_a_market_with_history(page: str) -> None:
    rules = [parse_rule(text, interval=Interval.H1) for text in rules_in(page)]
    windows = market()
    hourly = windows.pop(Interval.H1)
    plan = build_plan(rules)
    seen: list[Counter[int]] = [Counter() for _ in rules]
    for bars_back in range(RUN_CLOSES):
        states = evaluate(plan, hourly, bars_back, longer=windows).states()
        for counts, row in zip(seen, states, strict=True):
            counts.update(row.tolist())
    for rule, counts in zip(rules, seen, strict=True):
        assert counts[UNKNOWN] == 0, (rule.text, counts)
        # A rule that is never true, or always is, would teach nothing.
        assert counts[TRUE] > 0 and counts[FALSE] > 0, (rule.text, counts)


def test_cookbook_has_thirty_rules_each_with_its_idea() -> None:
    text = (Path(FOLDER) / "cookbook.md").read_text(encoding="utf-8")
    titles = re.findall(r"^\*\*(\d+) · ", text, flags=re.MULTILINE)
    assert [int(number) for number in titles] == list(range(1, COOKBOOK_RULES + 1))
    assert len(rules_in("cookbook.md")) == COOKBOOK_RULES
