"""Properties of evaluation: what a verdict depends on, and what it does not."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.rules import Plan, Rule, Verdicts, build_plan, evaluate, parse_rule
from shared.rules.entry import Kind
from shared.rules.kernels import Recursion
from shared.rules.registry import ALL_FUNCTIONS
from tests.unit.rules.windows import (
    bits_equal,
    one_symbol,
    random_columns,
    uneven_columns,
    verdicts_of,
    window_of,
)

AVERAGES = [
    f"close > {name}({source}, {n})[{ago}]"
    for name in ("sma", "ema", "rma")
    for source in ("close", "volume", "hl2", "rsi(14)", "ema(5)", "close / volume")
    for n in (1, 2, 9, 14, 50, 200)
    for ago in (0, 1, 3)
]
OTHERS = [
    "rsi(14) < 30",
    "rsi(2) > 90 or rsi(volume, 30) < 40",
    "crosses_above(ema(9), ema(21)) and volume > 2 * sma(volume, 20)",
    "crosses_below(rsi(14), 70)",
    "close >= highest(close, 20)",
    "close < lowest(55)[1]",
    "highest(rsi(14), 20) > 70 and lowest(sma(5), 20) < close",
    "roc(24) > 3 and change(close, 3) > 0",
    "20 < rsi(7) < 80 and not close == open",
    "abs(close - open) / (high - low) < 0.1",
    "(close > open)[1] and close[2] < open[2]",
    "close / (volume - volume[1]) > ema(close / (volume - volume[1]), 3)",
]
RULES = [parse_rule(text) for text in AVERAGES + OTHERS]
SYMBOLS = 150
COLUMNS = uneven_columns(7, 503, SYMBOLS)


def rows_of(verdicts: Verdicts, symbols: int) -> dict[object, NDArray[np.float64]]:
    return {key: verdicts.rows[row, :symbols] for key, row in verdicts.plan.values.items()}


WHOLE = evaluate(build_plan(RULES), window_of(COLUMNS))
WHOLE_ROWS = rows_of(WHOLE, SYMBOLS)


def assert_same_bits(rules: list[Rule], part: Verdicts, symbols: NDArray[np.intp]) -> None:
    """Every value and verdict equals that of the whole plan over all symbols, to the last bit."""
    for key, row in rows_of(part, len(symbols)).items():
        assert bits_equal(row, WHOLE_ROWS[key][symbols]), key
    for index, rule in enumerate(rules):
        assert np.array_equal(part.state(index), WHOLE.state(RULES.index(rule))[symbols])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, len(RULES)))
def test_values_other_rules_and_symbols_order_change_no_bit(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    rules = [RULES[index] for index in random.permutation(len(RULES))[:count]]
    symbols = random.permutation(SYMBOLS)[: random.integers(1, SYMBOLS + 1)]
    part = evaluate(build_plan(rules), window_of(COLUMNS[:, :, symbols]))
    assert_same_bits(rules, part, symbols)


def test_values_more_symbols_than_one_block_change_no_bit() -> None:
    columns = np.concatenate([random_columns(8, 503, 450), COLUMNS], axis=2)
    verdicts = evaluate(build_plan(RULES), window_of(columns))
    for key, row in rows_of(verdicts, 600).items():
        assert bits_equal(row[450:], WHOLE_ROWS[key]), key


@pytest.mark.parametrize("index", range(7))
def test_values_one_symbol_alone_changes_no_bit(index: int) -> None:
    alone = evaluate(build_plan(RULES), window_of(COLUMNS[:, :, index : index + 1]))
    assert_same_bits(RULES, alone, np.array([index]))


@pytest.mark.parametrize("bars_back", [1, 2, 3])
def test_evaluate_bars_back_equals_window_cut_earlier(bars_back: int) -> None:
    plan = build_plan(RULES)
    back = evaluate(plan, window_of(COLUMNS), bars_back)
    cut = evaluate(plan, window_of(COLUMNS[:, :-bars_back].copy()))
    assert bits_equal(back.rows, cut.rows)
    assert np.array_equal(back.states(), cut.states())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), bars_back=st.integers(1, 60))
def test_evaluate_other_future_changes_no_past_verdict(seed: int, bars_back: int) -> None:
    plan = build_plan(RULES[:: 1 + seed % 5])
    changed = COLUMNS.copy()
    random = np.random.default_rng(seed)
    future = changed[:, -bars_back:]
    future *= random.uniform(0.1, 9.0, future.shape)
    future[:, :, :: 1 + seed % 3] = np.nan
    before = evaluate(plan, window_of(COLUMNS), bars_back)
    after = evaluate(plan, window_of(changed), bars_back)
    assert bits_equal(before.rows, after.rows)
    assert np.array_equal(before.states(), after.states())


@pytest.mark.parametrize("bars", [500, 520])
def test_evaluate_bars_before_the_window_change_nothing(bars: int) -> None:
    columns = random_columns(11, 500, 5)
    older = random_columns(12, bars - 500, 5) * 1e6
    plan = build_plan(RULES)
    alone = evaluate(plan, window_of(columns))
    longer = evaluate(plan, window_of(np.concatenate([older, columns], axis=1)))
    assert bits_equal(alone.rows, longer.rows)


@settings(max_examples=10, deadline=None)
@given(power=st.integers(-60, 60), symbol=st.integers(0, SYMBOLS - 1))
def test_verdict_scale_free_rule_prices_scaled_stays(power: int, symbol: int) -> None:
    rules = [
        parse_rule(text)
        for text in (
            "rsi(14) < 45",
            "crosses_above(ema(3), ema(7))",
            "close > 1.001 * sma(50)",
            "close >= highest(close, 5)",
            "roc(24) > 0.3",
            "(close - low) / (high - low) > 0.5",
        )
    ]
    scaled = COLUMNS.copy()
    scaled[:4, :, symbol] *= 2.0**power
    plan = build_plan(rules)
    before, after = evaluate(plan, window_of(COLUMNS)), evaluate(plan, window_of(scaled))
    assert np.array_equal(before.states(), after.states())


def test_averages_flat_market_equal_the_price_exactly() -> None:
    price = 0.1 + 0.2
    jump = np.full(503, price)
    jump[-1] *= 1.01
    for history in (503, 37):
        flat = one_symbol(close=np.full(history, price))
        risen = one_symbol(close=jump[-history:])
        for name in ("sma", "ema", "rma"):
            for n in (1, 3, 7, 20, 33):
                assert verdicts_of(f"close == {name}({n})", flat).state(0)[0] == 1, (name, n)
                assert verdicts_of(f"close > {name}({n})", flat).state(0)[0] == 0, (name, n)
                if n > 1:
                    text = f"crosses_above(close, {name}({n}))"
                    assert verdicts_of(text, risen).state(0)[0] == 1, (name, n, history)


@pytest.mark.parametrize("quiet_bars", [5, 100, 420])
def test_rsi_after_hours_without_a_trade_stays_what_it_was(quiet_bars: int) -> None:
    moves = np.random.default_rng(4).normal(0, 1, 503 - quiet_bars)
    prices = np.concatenate([100 + np.cumsum(moves), np.zeros(quiet_bars)])
    prices[-quiet_bars:] = prices[-quiet_bars - 1]
    for n in (2, 5, 14):
        verdicts = verdicts_of(f"rsi({n}) > rsi({n})[{quiet_bars}]", one_symbol(close=prices))
        now, before = verdicts.values(0, 0).values()
        assert now == pytest.approx(before, rel=1e-9)


def test_recursion_several_at_once_and_their_last_bars_are_the_same_bits() -> None:
    columns = uneven_columns(5, 300, 128)
    random = np.random.default_rng(5)
    several = [f for f in ALL_FUNCTIONS.values() if isinstance(f.kernel, Recursion)]
    assert len(several) == 9
    for function in several:
        assert isinstance(function.kernel, Recursion)
        compute = function.kernel.compute
        sources = [p for p in function.parameters if p.kind not in (Kind.BARS, Kind.FACTOR)]
        given = [columns[1 + place].copy() for place in range(len(sources))]
        if sources[0].kind is Kind.CONDITION:
            given = [np.where(np.isnan(given[0]), np.nan, np.sign(given[0] - 100.0) > 0.0)]
        numbers = function.parameters[len(sources) :]
        periods = [
            tuple(
                int(random.integers(2, 40)) if p.kind is Kind.BARS else float(random.uniform(1, 4))
                for p in numbers
            )
            for _ in range(5 if numbers else 1)
        ]
        whole = [compute([given], [each], 300)[0] for each in periods]
        assert any(np.isfinite(alone).any() for alone in whole), function.name
        for last in (1, 7, 300):
            found = compute([given] * len(periods), periods, last)
            for alone, series in zip(whole, found, strict=True):
                assert bits_equal(alone[-last:], series), function.name


def test_plan_equal_parts_are_one_row() -> None:
    texts = [
        "close > sma(20)",
        "sma(close, 20) < close",
        "not close <= ta.sma(n=20)",
        "close[1] > sma(close, length=20)[1]",
        "(close > sma(20))[1]",
        "volume * 2 > 1 and 2 * volume > 1",
        "hl2 > 5 or (low + high) / 2 > 5",
    ]
    plan = build_plan([parse_rule(text) for text in texts])
    assert len(set(plan.result_conditions[:3])) == 1
    assert len(set(plan.result_conditions[3:5])) == 1
    assert plan.less.shape == (2, 4)
    assert plan.conditions_count == 4


def test_plan_no_rules_no_symbols_evaluates_to_nothing() -> None:
    nothing = build_plan([])
    assert evaluate(nothing, window_of(random_columns(1, 9, 3))).states().shape == (0, 3)
    rules = build_plan(RULES)
    empty = evaluate(rules, window_of(np.empty((8, 501, 0))))
    assert empty.states().shape == (len(RULES), 0)


def test_evaluate_no_bars_is_missing() -> None:
    window = window_of(random_columns(1, 4, 2))
    for bars_back in (4, 5, 1000):
        verdicts = verdicts_of("close > open", window, bars_back)
        assert verdicts.state(0).tolist() == [-1, -1]
        assert verdicts.unknown_reason(0, 1) == "missing"


def test_state_one_rule_is_its_row_of_states() -> None:
    states = WHOLE.states()
    assert states.dtype == np.int8
    assert {-1, 0, 1} == set(np.unique(states).tolist())
    for index in (0, 5, len(RULES) - 1):
        assert np.array_equal(WHOLE.state(index), states[index])


def test_states_unknown_is_neither_true_nor_false_in_bits() -> None:
    assert not np.any(WHOLE.bits[0] & WHOLE.bits[1])


def digest_of(plan: Plan) -> str:
    return hashlib.sha256(evaluate(plan, window_of(COLUMNS)).rows.tobytes()).hexdigest()


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_values_any_number_of_blas_threads_same_bits(threads: str) -> None:
    program = (
        "from tests.unit.rules import test_evaluate as t;print(t.digest_of(t.build_plan(t.RULES)))"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": os.getcwd()}
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert result.stdout.strip() == digest_of(build_plan(RULES))
