"""100,000 random pairs of a rule and an instrument: verdicts and reasons as the reference has them.

A failure prints the rule, the instrument, both results and the values of the parts.
"""

from __future__ import annotations

import pytest

from shared.rules import FUNCTIONS
from tests.unit.rules.reference_calls import KINDS
from tests.unit.rules.reference_compare import Tally, compare
from tests.unit.rules.reference_markets import random_market
from tests.unit.rules.reference_words import SIGNATURES

PAIRS = 100_000
MARKETS = 50
SYMBOLS = (7, 12, 20, 31, 50)
# Mostly short, so that it is fast and little is known; some beyond the 500 that count.
BARS = (45, 30, 150, 60, 80, 100, 45, 510, 150, 60, 120)
SHOWN = 5


@pytest.fixture(scope="module")
def tally() -> Tally:
    tally = Tally()
    for seed in range(MARKETS):
        symbols = SYMBOLS[seed % len(SYMBOLS)]
        market = random_market(seed, BARS[seed % len(BARS)], symbols)
        compare(market, seed, -(-PAIRS // MARKETS // symbols), tally)
    return tally


def test_signatures_registry_equals_reference() -> None:
    registered = {
        name: [parameter.name for parameter in function.parameters]
        for name, function in FUNCTIONS.items()
    }
    named = {name: list(p) for name, p in SIGNATURES.items() if not name.startswith("_")}
    assert registered == named
    assert set(KINDS) == set(named)


def test_verdict_random_rules_equals_reference(tally: Tally) -> None:
    assert tally.pairs >= PAIRS
    shown = "\n\n".join(tally.mismatches[:SHOWN])
    assert not tally.mismatches, f"{len(tally.mismatches)} mismatches\n{shown}"


def test_random_rules_are_mixed_and_name_every_function(tally: Tally) -> None:
    shares = {state: count / tally.pairs for state, count in tally.states.items()}
    assert set(shares) == {True, False, None}
    assert min(shares.values()) > 0.10, shares
    assert tally.close_calls < 0.02 * tally.pairs
    # The bound on the work of one rule: nothing else may refuse these.
    assert all("cheaper rule" in refused for refused in tally.refused), tally.refused
    assert len(tally.refused) < 0.05 * tally.rules
    both = {(name, known) for name in FUNCTIONS for known in (True, False)}
    assert both <= tally.seen, sorted(both - tally.seen)
    reasons = ("missing", "stale", "warming up", "division by zero", "never true")
    assert all(tally.reasons[reason] for reason in reasons), tally.reasons


def test_canonical_random_rule_reads_back_as_itself(tally: Tally) -> None:
    assert not tally.not_canonical, tally.not_canonical[:SHOWN]
