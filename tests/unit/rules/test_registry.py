"""The registry keeps its word: examples read, warm-ups are exact, every entry is documented."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import (
    ALIASES,
    FALSE,
    FUNCTIONS,
    SERIES,
    TRUE,
    UNKNOWN,
    Rule,
    Verdicts,
    build_plan,
    evaluate,
    parse_rule,
)
from shared.rules.describe import bars_needed, is_condition, text_of
from shared.rules.entry import Kind
from shared.rules.kernels import Expansion
from shared.rules.registry import ALL_FUNCTIONS
from shared.rules.tree import Argument, Call, Comparison, Series
from tests.unit.rules.windows import random_columns, window_of

SYMBOLS = ("BTCUSDT", "ETHUSDT", *(f"S{place}USDT" for place in range(6)))
BARS, DAYS, DAY_MS = 120, 365, 86_400_000
# Of parameters without a default; two, so that a constant warm-up shows.
PERIODS = (5, 17)


def call_of(name: str, n: int) -> Call:
    """Return the function called on plain series with periods of n.

    Several periods of one function differ, as macd's must.
    """
    plain = iter((Series("close"), Series("open"), Series("high"), Series("low")))
    periods = itertools.count(n)
    arguments: list[Argument] = []
    for parameter in ALL_FUNCTIONS[name].parameters:
        match parameter.kind:
            case Kind.BARS:
                arguments.append(next(periods))
            case Kind.FACTOR:
                arguments.append(1.5)
            case Kind.INSTRUMENT:
                arguments.append(SYMBOLS[0])
            case Kind.CONDITION:
                arguments.append(Comparison(">", next(plain), next(plain)))
            case _:
                arguments.append(next(plain))
    return Call(name, tuple(arguments))


def verdicts_on(rule: Rule, columns: NDArray[np.float64]) -> Verdicts:
    """Return the verdicts on 1m bars, and on a year of days before them."""
    days = renamed(window_of(random_columns(3, DAYS, len(SYMBOLS))))
    longer = msgspec.structs.replace(
        days, interval=Interval.D1, open_times_ms=(np.arange(DAYS) - DAYS) * DAY_MS
    )
    window = renamed(window_of(columns))
    return evaluate(build_plan([rule]), window, longer={Interval.D1: longer})


def renamed(window: Window) -> Window:
    """Return the window with the symbols that examples name."""
    return msgspec.structs.replace(window, symbols=SYMBOLS)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_function_example_is_a_rule_that_uses_it(name: str) -> None:
    rule = parse_rule(FUNCTIONS[name].example, interval=Interval.M1)
    assert name in rule.names
    verdicts = verdicts_on(rule, random_columns(1, 300, len(SYMBOLS)))
    assert UNKNOWN not in verdicts.state(0).tolist()


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("n", PERIODS)
def test_function_warm_up_is_exactly_as_declared(name: str, n: int) -> None:
    call = call_of(name, n)
    needed = bars_needed(call)
    shown = text_of(call)
    condition = shown if is_condition(call) else f"{shown} > 0"
    rule = parse_rule(condition, interval=Interval.M1)
    assert rule.bars_needed == needed
    for history in {needed - 1, needed} - {0}:
        columns = random_columns(2, BARS, len(SYMBOLS))
        columns[:, : BARS - history] = np.nan
        states = verdicts_on(rule, columns).state(0)
        if history == needed:
            # On some symbol: what was never true has no last time.
            assert set(states.tolist()) & {TRUE, FALSE}
        elif not is_condition(call):
            assert set(states.tolist()) == {UNKNOWN}
        # A condition can be decided before: a cross that was not one, any() of what was true.


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
