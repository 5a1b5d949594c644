"""What a run decides: triggers by Kleene, universes, caps, re-runs, errors; a simple model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.execute_traders.core import decide, prepare, select_traders
from functions.execute_traders.verdicts import evaluate_rules, states
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import Plan, Verdicts, evaluate, parse_rule
from shared.runs import Outcome, Run, Trader, Trigger
from tests.unit.functions.fakes import CLOSED_AT_MS, run, trader, window

NAN = float("nan")
SOON_MS = CLOSED_AT_MS + 500
SYMBOLS = ("AUSDT", "BUSDT", "CUSDT", "DUSDT")


def outcome_of(
    traders: Sequence[Trader],
    seen: Window,
    this: Run | None = None,
    at_ms: int = SOON_MS,
    longer: Mapping[Interval, Window] = MappingProxyType({}),
) -> Outcome:
    this = this or run()
    prepared = prepare(select_traders(traders, this), seen.symbols, seen.interval)
    return decide(prepared, seen, this, at_ms, longer)


def matches(outcome: Outcome) -> set[tuple[int, str]]:
    return {(signal.trader_id, signal.instrument) for signal in outcome.signals}


# (close before, close now) of a rule `close > 10`; which triggers match.
@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (9.0, 11.0, {"enter", "while"}),
        (11.0, 11.0, {"while"}),
        (11.0, 9.0, {"exit"}),
        (9.0, 9.0, set()),
        (NAN, 11.0, {"while"}),  # unknown before: neither entered nor left
        (NAN, 9.0, set()),
        (11.0, NAN, set()),
        (9.0, NAN, set()),
    ],
)
def test_trigger_of_two_closes_matches_by_kleene(
    before: float, now: float, expected: set[str]
) -> None:
    traders = [
        trader(id, rule="close > 10", trigger=kind) for id, kind in enumerate(Trigger, start=1)
    ]
    outcome = outcome_of(traders, window({"AUSDT": [before, now]}))
    assert {str(signal.trigger) for signal in outcome.signals} == expected


def test_signal_of_a_match_says_price_values_and_version() -> None:
    outcome = outcome_of(
        [trader(5, rule="close > 0.00001", version=3)], window({"AUSDT": [0.00002]})
    )
    (signal,) = outcome.signals
    assert (signal.trader_id, signal.rule_version, signal.instrument) == (5, 3, "AUSDT")
    assert Decimal(signal.price) == Decimal("0.00002")
    assert signal.values == {"close": 0.00002}


def test_matches_over_the_cap_are_kept_in_universe_order_and_the_rest_counted() -> None:
    seen = window({symbol: [1.0] for symbol in SYMBOLS})
    outcome = outcome_of([trader(1, signals_per_close_max=3), trader(2)], seen)
    assert [s.instrument for s in outcome.signals if s.trader_id == 1] == list(SYMBOLS[:3])
    assert [s.instrument for s in outcome.signals if s.trader_id == 2] == list(SYMBOLS)
    assert outcome.overflow == {"1": 1}
    assert outcome.matched_count == 8


def test_universe_of_a_trader_restricts_it_whatever_its_order() -> None:
    seen = window({symbol: [1.0] for symbol in SYMBOLS})
    outcome = outcome_of([trader(universe=("DUSDT", "GONEUSDT", "BUSDT"))], seen)
    assert [signal.instrument for signal in outcome.signals] == ["BUSDT", "DUSDT"]


def test_trader_enabled_after_the_close_is_skipped_unless_the_run_names_it() -> None:
    later = trader(2, enabled_at_ms=CLOSED_AT_MS + 1)
    at_the_close = trader(1, enabled_at_ms=CLOSED_AT_MS)
    seen = window({"AUSDT": [1.0]})
    outcome = outcome_of([at_the_close, later], seen)
    assert matches(outcome) == {(1, "AUSDT")}
    assert outcome.traders_count == 1
    assert matches(outcome_of([at_the_close, later], seen, run(trader_id=2))) == {(2, "AUSDT")}


def test_absent_instrument_matches_nothing_and_is_reported_missing() -> None:
    seen = window({"AUSDT": [1.0, 1.0], "BUSDT": [1.0, NAN]})
    # True of both, but the second has no price at this close.
    outcome = outcome_of([trader(rule="close[1] > 0")], seen)
    assert matches(outcome) == {(1, "AUSDT")}
    assert outcome.missing_instruments == ("BUSDT",)
    assert not outcome.complete


def test_absent_instrument_of_a_complete_frame_is_not_waited_for() -> None:
    seen = window({"AUSDT": [1.0], "HALTEDUSDT": [NAN]}, complete=True)
    assert outcome_of([trader()], seen).missing_instruments == ()


def test_second_execution_evaluates_only_what_was_missing_and_is_late() -> None:
    seen = window({symbol: [1.0] for symbol in SYMBOLS[:3]} | {"DUSDT": [NAN]}, frame_revision=2)
    again = run(attempt=2, frame_revision=1, missing_instruments=("BUSDT", "DUSDT"))
    outcome = outcome_of([trader()], seen, again)
    assert matches(outcome) == {(1, "BUSDT")}
    assert outcome.late
    assert outcome.missing_instruments == ("DUSDT",)
    assert outcome.frame_revision == 2


@pytest.mark.parametrize(("age_ms", "late"), [(500, False), (10_000, False), (10_001, True)])
def test_execution_long_after_the_close_is_late(age_ms: int, late: bool) -> None:
    outcome = outcome_of([trader()], window({"AUSDT": [1.0]}), at_ms=CLOSED_AT_MS + age_ms)
    assert outcome.late is late


def test_rule_that_does_not_parse_is_an_error_of_its_trader_only() -> None:
    traders = [trader(1), trader(2, rule="rsii(14) < 30"), trader(3), trader(4, rule="close >")]
    outcome = outcome_of(traders, window({"AUSDT": [1.0]}))
    assert matches(outcome) == {(1, "AUSDT"), (3, "AUSDT")}
    assert {(error.trader_id, error.code) for error in outcome.errors} == {
        (2, "InvalidRule"),
        (4, "InvalidRule"),
    }
    assert outcome.traders_count == 4


@pytest.mark.parametrize("failing", [0, 3, 6])
def test_rule_that_fails_to_evaluate_costs_no_other_its_verdict(failing: int) -> None:
    rules = [parse_rule(f"close > {level}") for level in range(7)]
    seen = window({"AUSDT": [2.0, 3.5]})

    def brittle(
        plan: Plan, window: Window, bars_back: int, *, longer: Mapping[Interval, Window]
    ) -> Verdicts:
        if any(rule.text == f"close > {failing}" for rule in plan.rules):
            raise FloatingPointError("a kernel's mistake")
        return evaluate(plan, window, bars_back, longer=longer)

    parts = evaluate_rules(rules, [None] * 7, None, seen, {}, with_before=True, evaluate=brittle)
    assert [part.first for part in parts if part.error is not None] == [failing]
    assert sum(part.count for part in parts) == 7
    now, before = states(parts, 7, 1)
    expected_now = [1, 1, 1, 1, 0, 0, 0]
    expected_before = [1, 1, 0, 0, 0, 0, 0]
    expected_now[failing] = expected_before[failing] = -1
    assert now[:, 0].tolist() == expected_now
    assert before[:, 0].tolist() == expected_before


def test_second_execution_before_anything_came_finds_nothing_and_waits_on() -> None:
    seen = window({"AUSDT": [1.0], "BUSDT": [NAN]})
    again = run(attempt=2, frame_revision=1, missing_instruments=("BUSDT",))
    outcome = outcome_of([trader()], seen, again)
    assert (outcome.signals, outcome.missing_instruments) == ((), ("BUSDT",))
    assert (outcome.traders_count, outcome.late) == (1, True)


def test_rules_that_compare_instruments_do_so_within_their_traders_universe() -> None:
    seen = window({symbol: [float(place)] for place, symbol in enumerate(SYMBOLS, start=1)})
    text = "rank(close) == 1"
    traders = [trader(1, rule=text), trader(2, rule=text, universe=("BUSDT", "AUSDT"))]
    assert matches(outcome_of(traders, seen)) == {(1, "DUSDT"), (2, "BUSDT")}


def test_rule_on_a_longer_interval_reads_its_last_closed_bar() -> None:
    seen = window({"AUSDT": [1.0], "BUSDT": [1.0]})
    hourly = window(
        {"BUSDT": [3.0, 5.0], "AUSDT": [5.0, 3.0]},
        interval=Interval.H1,
        closed_at_ms=Interval.H1.floor_ms(CLOSED_AT_MS),
    )
    traders = [trader(rule='close(tf="1h") > 4')]
    outcome = outcome_of(traders, seen, longer={Interval.H1: hourly})
    assert matches(outcome) == {(1, "BUSDT")}
    # Without its bars the rule is unknown, not an error.
    alone = outcome_of(traders, seen)
    assert (alone.signals, alone.errors) == ((), ())


def test_no_traders_or_no_usable_rule_is_an_outcome_too() -> None:
    seen = window({"AUSDT": [1.0]})
    assert outcome_of([], seen).signals == ()
    outcome = outcome_of([trader(rule="nonsense")], seen)
    assert outcome.signals == () and len(outcome.errors) == 1


closes = st.one_of(st.just(NAN), st.sampled_from([1.0, 2.0, 3.0]))


@st.composite
def some_traders(draw: st.DrawFn) -> list[Trader]:
    count = draw(st.integers(0, 8))
    universe = st.one_of(st.none(), st.lists(st.sampled_from(SYMBOLS), min_size=1).map(tuple))
    return [
        trader(
            id,
            rule=f"close > {draw(st.sampled_from([0.5, 1.5, 2.5]))}",
            trigger=draw(st.sampled_from(Trigger)),
            universe=draw(universe),
            signals_per_close_max=draw(st.integers(1, 4)),
            enabled_at_ms=draw(st.sampled_from([0, CLOSED_AT_MS + 1])),
        )
        for id in range(1, count + 1)
    ]


@settings(max_examples=150, deadline=None)
@given(some_traders(), st.lists(st.tuples(closes, closes), min_size=4, max_size=4))
def test_arrays_decide_what_a_plain_loop_decides(
    traders: list[Trader], last_two: list[tuple[float, float]]
) -> None:
    seen = window(dict(zip(SYMBOLS, last_two, strict=True)))
    expected, rest = [], {}
    for each in traders:
        if (each.enabled_at_ms or 0) > CLOSED_AT_MS:
            continue
        level, mine = float(each.rule.split()[-1]), []
        for symbol, (before, now) in zip(SYMBOLS, last_two, strict=True):
            if np.isnan(now) or (each.universe is not None and symbol not in each.universe):
                continue
            if each.trigger is Trigger.WHILE:
                hit = now > level
            elif np.isnan(before):
                hit = False
            elif each.trigger is Trigger.ENTER:
                hit = now > level >= before
            else:
                hit = before > level >= now
            if hit:
                mine.append((each.id, symbol))
        expected += mine[: each.signals_per_close_max]
        if len(mine) > each.signals_per_close_max:
            rest[str(each.id)] = len(mine) - each.signals_per_close_max
    outcome = outcome_of(traders, seen)
    assert [(signal.trader_id, signal.instrument) for signal in outcome.signals] == expected
    assert outcome.overflow == rest
