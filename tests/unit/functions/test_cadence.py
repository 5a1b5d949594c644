"""Traders that are not due at each close: who is evaluated, and with which close before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from functions.execute_traders.core import decide, prepare
from functions.save_trader.core import try_rule
from shared.errors import InvalidRequest
from shared.market.cadence import Cadence
from shared.market.interval import Interval
from shared.rules import parse_rule
from shared.runs import Outcome, Trader, Trigger, check_cadence
from tests.unit.functions.fakes import CLOSED_AT_MS, run, trader, window
from tests.unit.functions.test_execute_traders import SLOT
from tests.unit.functions.test_execute_traders import Bench as ExecuteBench
from tests.unit.functions.test_save_trader import Bench as SaveBench

# True now; false two bars ago, true one and three bars ago.
FLICKER = [9.0, 9.0, 11.0, 9.0, 11.0, 11.0]


def due_trader(id: int, cadence: str, **fields: Any) -> Trader:
    return trader(id, **({"rule": "close > 10", "cadence": cadence} | fields))


def outcome_of(
    traders: list[Trader], closes: list[float], due: dict[str, int], **this: Any
) -> Outcome:
    seen = window({"AUSDT": closes})
    prepared = prepare(traders, seen.symbols, seen.interval)
    return decide(prepared, seen, run(**this), CLOSED_AT_MS + 500, {}, due)


def who(outcome: Outcome) -> list[int]:
    return [signal.trader_id for signal in outcome.signals]


def test_trader_that_is_not_due_is_not_evaluated_nor_counted() -> None:
    traders = [
        due_trader(1, "close"),
        due_trader(2, "every 3 closes"),
        due_trader(3, "every 5 closes"),
        due_trader(4, "every 5 closes", rule="close >"),
        due_trader(5, "every 3 closes", rule="close >"),
    ]
    outcome = outcome_of(traders, [11.0], {"every 3 closes": 3})
    assert who(outcome) == [1, 2]
    assert [error.trader_id for error in outcome.errors] == [5]
    assert outcome.traders_count == 3


def test_run_that_names_a_trader_that_is_not_due_finds_nothing() -> None:
    outcome = outcome_of([due_trader(3, "every 5 closes")], [11.0], {}, trader_id=3)
    assert (who(outcome), outcome.traders_count, outcome.complete) == ([], 0, True)


@pytest.mark.parametrize(
    ("bars", "trigger", "is_signal"),
    [
        (1, Trigger.ENTER, False),
        (2, Trigger.ENTER, True),
        (3, Trigger.ENTER, False),
        (4, Trigger.ENTER, True),
        (2, Trigger.WHILE, True),
        (2, Trigger.EXIT, False),
        (500, Trigger.ENTER, False),  # unknown there: no bars
    ],
)
def test_trigger_compares_with_the_due_close_before(
    bars: int, trigger: Trigger, is_signal: bool
) -> None:
    traders = [due_trader(1, "a cadence", trigger=trigger)]
    assert who(outcome_of(traders, FLICKER, {"a cadence": bars})) == ([1] if is_signal else [])


def test_exit_compares_with_the_due_close_before() -> None:
    closes = [20.0 - price for price in FLICKER]
    traders = [due_trader(i, f"c{i}", trigger=Trigger.EXIT) for i in (1, 2, 3)]
    assert who(outcome_of(traders, closes, {"c1": 1, "c2": 2, "c3": 3})) == [2]


def test_traders_of_many_cadences_agree_with_each_alone() -> None:
    rng = np.random.default_rng(5)
    closes = {f"S{i}USDT": rng.choice((9.0, 11.0), 40).tolist() for i in range(20)}
    seen = window(closes)
    due = {f"c{bars}": bars for bars in (1, 2, 3, 7, 30)}
    rules = ("close > 10", "close < 10", "crosses_above(close, sma(5))")
    traders = [
        trader(10 * n + k, rule=rule, trigger=trigger, cadence=cadence)
        for n, (cadence, rule) in enumerate((c, r) for c in ["close", *due] for r in rules)
        for k, trigger in enumerate(Trigger)
    ]

    def signals(some: list[Trader]) -> set[tuple[int, str]]:
        prepared = prepare(some, seen.symbols, seen.interval)
        outcome = decide(prepared, seen, run(), CLOSED_AT_MS, {}, due)
        return {(s.trader_id, s.instrument) for s in outcome.signals}

    alone = set().union(*(signals([one]) for one in traders))
    assert signals(traders) == alone
    assert len({trader_id for trader_id, _ in alone}) > 30


async def test_window_is_as_long_as_the_due_close_before_asks_and_then_read_at_once() -> None:
    bench = ExecuteBench(window({"AUSDT": [1.0]}))
    bench.database.traders = (
        due_trader(1, "every 60 closes", trigger=Trigger.ENTER),
        due_trader(2, "every 90 closes", trigger=Trigger.WHILE),
    )
    bench.database.due = {"every 60 closes": 60, "every 90 closes": 90}
    await bench.post({"run_id": 7, "slot": SLOT})
    # 500 bars behind the close 60 bars before; WHILE compares nothing.
    assert bench.windows.bars == [501, 560]
    bench.database.add(run(8))
    bench.windows.bars.clear()
    await bench.post({"run_id": 8, "slot": SLOT})
    # What it was so far is asked for while the run is claimed (the fake's window stays short).
    assert bench.windows.bars[0] == 560
    bench.database.due = {"every 60 closes": 500}
    bench.database.add(run(9))
    await bench.post({"run_id": 9, "slot": SLOT})
    assert bench.windows.bars[-1] == 600


async def test_saved_cadence_is_stored_without_blanks_that_do_not_matter() -> None:
    bench = SaveBench(window({"AUSDT": [11.0, 9.0]}))
    reply = await bench.post(cadence="  30 8  * * 1-5 ", interval="1m", trigger="while")
    assert reply.status_code == 200, reply.text
    assert bench.database.stored[0][1]["cadence"] == "30 8 * * 1-5"
    assert (await bench.post()).status_code == 200
    assert bench.database.stored[1][1]["cadence"] == "close"


@pytest.mark.parametrize(
    ("cadence", "said"),
    [
        ("hourly", 'expected "close", "every N closes" or the five fields of a cron expression'),
        ("every 1 closes", "expected 2 to 1,000 closes, was 1"),
        ("every 99999999999 closes", "expected 2 to 1,000 closes, was 99999999999"),
        ("61 * * * *", 'expected a minute from 0 to 59, was "61"'),
        ("* * * * moon", "expected a weekday as *, n, n-m, */step, n-m/step or a list of these"),
        ("0 0 30 2 *", "expected a date that comes, was day 30 of month 2"),
        ("0 8 * * *", "expected due closes at most 500 bars apart with trigger enter, was 1440"),
    ],
)
async def test_impossible_cadence_is_refused_with_the_reason(cadence: str, said: str) -> None:
    bench = SaveBench(window({"AUSDT": [11.0, 9.0]}))
    error = await bench.refused(cadence=cadence)
    assert (error["code"], error["field"]) == ("InvalidRequest", "cadence")
    assert error["message"].startswith(said)
    assert error["hint"]


def test_rule_must_leave_bars_for_the_due_close_before() -> None:
    def checked(text: str, trigger: Trigger, bars_needed: int = 400) -> Cadence:
        return check_cadence(text, Interval.M5, trigger, bars_needed)

    assert checked("every 200 closes", Trigger.ENTER).count == 200
    with pytest.raises(
        InvalidRequest, match=r"at most 200 .* \(the rule needs 400 bars\), was 288"
    ):
        checked("0 8 * * *", Trigger.ENTER)
    assert checked("0 8 * * *", Trigger.WHILE).cron is not None
    assert checked("close", Trigger.ENTER, 500).count == 1


@pytest.mark.parametrize(("bars", "triggered"), [(1, 0), (2, 1), (3, 0)])
def test_trial_counts_what_the_trigger_would_signal_at_a_due_close(
    bars: int, triggered: int
) -> None:
    rule = parse_rule("close > 10")
    seen = window({"AUSDT": FLICKER})
    trial = try_rule(rule, None, Trigger.ENTER, seen, matches_max=5, before_bars=bars)
    assert (trial.matched_count, trial.triggered_count) == (1, triggered)
