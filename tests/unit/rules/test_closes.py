"""Many closes, other symbols, other rules, other futures: a verdict stays the same to the last bit.

Random rules of the whole language on random markets, with longer intervals, other instruments and
universes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pytest

from shared.errors import InvalidRule
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import (
    Plan,
    Rule,
    Verdicts,
    build_plan,
    evaluate,
    evaluate_closes,
    parse_rule,
    shifts,
)
from shared.rules.sliding import can_slide
from tests.unit.rules.random_rules import RuleWriter
from tests.unit.rules.reference_calls import KINDS
from tests.unit.rules.reference_markets import Market, random_market
from tests.unit.rules.windows import bits_equal, random_columns, uneven_columns, window_of

SEEDS = range(5)
Longer = Mapping[Interval, Window]


def rules_of(market: Market, seed: int, count: int) -> list[Rule]:
    """Return random rules, of which each names another function."""
    functions = list(KINDS)
    writer = RuleWriter(seed, market.interval, market.longer, market.symbols, functions)
    rules: list[Rule] = []
    while len(rules) < count:
        try:
            text = writer.rule(functions[(seed * count + len(rules)) % len(functions)])
            rules.append(parse_rule(text, interval=Interval(market.interval)))
        except InvalidRule:
            continue
    return rules


def longer_of(market: Market) -> dict[Interval, Window]:
    return {Interval(name): w for name, w in market.windows.items() if name != market.interval}


def cut(window: Window, bars: int) -> Window:
    """Return a copy of the first bars of a window."""
    return msgspec.structs.replace(
        window,
        open_times_ms=window.open_times_ms[:bars].copy(),
        columns=window.columns[:, :bars].copy(),
    )


def assert_equal(one: Verdicts, other: Verdicts) -> None:
    """Every value and verdict is equal to the last bit."""
    count = len(one.symbols)
    for key, row in one.plan.values.items():
        there = other.rows[other.plan.values[key], :count]
        assert bits_equal(one.rows[row, :count], there), key
    assert np.array_equal(one.states(), other.states())


@pytest.mark.parametrize("seed", SEEDS)
def test_evaluate_closes_random_rules_equal_each_window_cut_there(seed: int) -> None:
    market = random_market(seed, (520, 90)[seed % 2], 12)
    rules = rules_of(market, seed, 30)
    universes = [market.universes[place % 3] for place in range(len(rules))]
    window, longer = market.windows[market.interval], longer_of(market)
    closes = sorted({0, 1, window.bars // 2, *range(window.bars - 9, window.bars)})
    # Tables that look around at every bar go close by close; the others must not.
    for chosen in (slice(None), slice(3)):
        plan = build_plan(rules[chosen], universes[chosen])
        verdicts = evaluate_closes(plan, window, closes, longer=longer)
        for close, found in zip(closes, verdicts, strict=True):
            assert_equal(evaluate(plan, window, window.bars - 1 - close, longer=longer), found)
            if close == closes[-3]:
                assert_equal(evaluate(plan, cut(window, close + 1), longer=longer), found)


SLIDING = [
    "rsi(14) < 30",
    "crosses_above(ema(9), ema(21)[100])",
    "macd() > macd_signal() and dema(20)[3] > rma(200)",
    "close > bb_upper(20, 2) and volume > 2 * sma(volume, 20)",
    "close >= highest(close, 20)[3] or sma(sma(5), 200)[3] > lowest(low, 300)",
    "ema(close / change(volume), 3) > 2 or sma(close / change(volume), 9) > 3",
    "count(close > open, 10) >= 7 and not any(volume > 3 * sma(volume, 20), 5)",
    "rank(roc(24)) <= 3 and share(close > sma(50)) > 0.5",
    'of("S3USDT", rsi(14)) < 40 and close > of("S2USDT", ema(20)[2])',
    # Series that begin anew in every window.
    "adx(14) > 25 and plus_di(14) > minus_di(14)",
    "crosses_above(close, supertrend(10, 3)) or close > supertrend(5, 2)[7]",
    "crosses_above(close, psar(0.02, 0.2)) and rsi(14) > 50",
    "kama(10) > kama(30)[2] and close > supertrend(10, 3) and adx(7)[3] < adx(7)",
    "obv > obv[5] and ad > ad[3] and adosc(3, 10) > 0",
    "rising(adx(14), 3) or supertrend(7, 2) > close[4]",
    "rma(close / change(volume), 9)[1] > kama(close / change(volume), 4)",
    "adx(14)[470] > 20 and psar(0.02, 0.2)[498] > 3 and kama(30)[469] > 5",
    "vwap > close and obv[499] < obv[498] and adosc(3, 10)[490] > 0",
    "bars_since(rsi(14) < 30) < 5 and ad > ad[499]",
]


@pytest.mark.parametrize("text", SLIDING)
def test_evaluate_closes_shared_work_equals_single_closes(text: str) -> None:
    plan = build_plan([parse_rule(text)])
    assert can_slide(plan.tables[0])
    window = window_of(uneven_columns(3, 620, 40))
    closes = [0, 3, 498, 499, 500, 501, 505, 506, 540, *range(600, 620)]
    for close, found in zip(closes, evaluate_closes(plan, window, closes), strict=True):
        assert_equal(evaluate(plan, window, window.bars - 1 - close), found)


def test_evaluate_closes_inexact_processor_goes_window_by_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = build_plan([parse_rule("rsi(14) < 30")])
    window = window_of(uneven_columns(3, 510, 40))
    shared = [v.states() for v in evaluate_closes(plan, window, range(495, 510))]
    monkeypatch.setattr(shifts, "is_exact", lambda: False)
    assert not can_slide(plan.tables[0])
    alone = [v.states() for v in evaluate_closes(plan, window, range(495, 510))]
    assert np.array_equal(shared, alone)


@pytest.mark.parametrize("bars", [1, 31, 32, 33, 240, 500, 730])
def test_sums_at_every_bar_equal_sums_of_a_later_start(bars: int) -> None:
    random = np.random.default_rng(bars)
    steps = random.normal(size=(bars + 40, 64))
    for n in (1, 2, 20, 225, 227, 460):
        weights = random.random(n)
        whole = shifts.sums_at_every_bar(weights, steps)
        later = shifts.sums_at_every_bar(weights, steps[40:])
        # What reaches back before the later start is not a sum of all it should be.
        assert bits_equal(whole[40 + n :], later[n:])


@pytest.mark.parametrize("seed", SEEDS)
def test_verdicts_symbols_in_another_order_are_the_same(seed: int) -> None:
    market = random_market(seed, 90, 12)
    rules = rules_of(market, seed, 60)
    universes = [market.universes[place % 3] for place in range(len(rules))]
    window, plan = market.windows[market.interval], build_plan(rules, universes)
    order = np.random.default_rng(seed).permutation(len(window.symbols))
    other = msgspec.structs.replace(
        window,
        symbols=tuple(window.symbols[place] for place in order),
        columns=np.ascontiguousarray(window.columns[:, :, order]),
    )
    one = evaluate(plan, window, longer=longer_of(market))
    two = evaluate(plan, other, longer=longer_of(market))
    assert np.array_equal(one.states()[:, order], two.states())


@pytest.mark.parametrize("seed", SEEDS)
def test_values_other_rules_in_the_plan_change_no_bit(seed: int) -> None:
    market = random_market(seed, (90, 505)[seed % 2], 7)
    rules = rules_of(market, seed, 60)
    universes = [market.universes[place % 3] for place in range(len(rules))]
    window, longer = market.windows[market.interval], longer_of(market)
    whole = evaluate(build_plan(rules, universes), window, longer=longer)
    for place, (rule, universe) in enumerate(zip(rules, universes, strict=True)):
        alone = evaluate(build_plan([rule], [universe]), window, longer=longer)
        assert np.array_equal(alone.state(0), whole.state(place)), rule.text
        assert alone.values(0, 3) == whole.values(place, 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_verdicts_what_comes_later_changes_nothing(seed: int) -> None:
    market = random_market(seed, 90, 12)
    plan = build_plan(rules_of(market, seed, 60))
    window, longer = market.windows[market.interval], longer_of(market)
    back = 1 + seed * 5
    closed_at_ms = int(window.open_times_ms[-back - 1]) + window.interval.duration_ms

    def changed(there: Window) -> Window:
        columns = there.columns.copy()
        closes = there.open_times_ms + there.interval.duration_ms
        columns[:, closes > closed_at_ms] *= 3.0
        columns[:, closes > closed_at_ms, ::2] = np.nan
        return msgspec.structs.replace(there, columns=columns)

    others: Longer = {interval: changed(there) for interval, there in longer.items()}
    assert_equal(
        evaluate(plan, window, back, longer=longer),
        evaluate(plan, changed(window), back, longer=others),
    )


def odd_windows() -> Sequence[Window]:
    """Return windows of odd numbers, of no symbols, of one bar, of no bar."""
    windows = []
    for seed, odd in enumerate((np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, 5e-324)):
        columns = random_columns(seed, 60, 5)
        columns.flat[np.random.default_rng(seed).integers(0, columns.size, 80)] = odd
        columns[:, :, 4] = odd
        windows.append(window_of(columns))
    flat = np.full((8, 60, 3), 7.5)
    shapes = [np.empty((8, 60, 0)), random_columns(1, 1, 3), np.empty((8, 0, 3)), flat]
    return [*windows, *map(window_of, shapes)]


def everything(seed: int) -> Plan:
    market = random_market(2, 30, 5)  # of 1m, as the odd windows are
    rules = rules_of(market, seed, 60)
    universes = [(None, (), ("S1USDT", "NOUSDT"))[place % 3] for place in range(len(rules))]
    return build_plan(rules, universes)


def test_evaluate_odd_numbers_never_raise_nor_warn() -> None:
    windows = odd_windows()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = everything(1)
        for place, window in enumerate(windows):
            longer = {interval: windows[place - 1] for interval in plan.intervals}
            longer = {
                interval: msgspec.structs.replace(
                    there,
                    interval=interval,
                    open_times_ms=np.arange(-there.bars + 1, 1) * interval.duration_ms,
                )
                for interval, there in longer.items()
            }
            last = evaluate(plan, window, longer=longer)
            assert not np.isinf(last.rows[:, : len(window.symbols)]).any()
            for found in evaluate_closes(plan, window, range(window.bars)[-3:], longer=longer):
                assert found.states().shape == (len(plan.rules), len(window.symbols))
            for rule in range(0, len(plan.rules), 9):
                for symbol in range(len(window.symbols)):
                    last.tree(rule, symbol)
