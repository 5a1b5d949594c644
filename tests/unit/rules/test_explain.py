"""What a verdict says about itself: values, reasons, parts; and odd numbers in the data."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.errors import InvalidRule
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import UNKNOWN, Explanation, build_plan, evaluate, parse_rule
from tests.unit.rules.rule_texts import rule_texts
from tests.unit.rules.windows import one_symbol, random_columns, verdicts_of, window_of

COUNT = np.arange(1.0, 31.0)


def counting() -> Window:
    """Return one symbol whose close is 1, 2, … 30, and open half of it."""
    return one_symbol(close=COUNT, open=COUNT / 2)


VALUES = [
    ("close > 3", {"close": 30.0}),
    ("3 < close < 2 * open + 1", {"close": 30.0, "2 * open + 1": 31.0}),
    ("ta.sma(close, 3) >= close[1]", {"sma(3)": 29.0, "close[1]": 29.0}),
    ("(close > open)[2]", {"close[2]": 28.0, "open[2]": 14.0}),
    ("(close[1] > open)[2]", {"close[3]": 27.0, "open[2]": 14.0}),
    ("(close - open)[1] > 0", {"(close - open)[1]": 14.5}),
    (
        "crosses_above(close, 2 * open)",
        {"close": 30.0, "2 * open": 30.0, "close[1]": 29.0, "(2 * open)[1]": 29.0},
    ),
    ("crosses_below(close, 5)", {"close": 30.0, "close[1]": 29.0}),
    ("not (close > 3 or open != 15)", {"close": 30.0, "open": 15.0}),
    ("close > 3 and sma(200) > 1", {"close": 30.0}),
    ("close / 7 > 1", {"close / 7": 4.28571428571}),
    ("highest(close, 5) - lowest(close, 5) > 3", {"highest(close, 5) - lowest(close, 5)": 4.0}),
]


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[text for text, _ in VALUES])
def test_values_are_the_sides_of_comparisons(text: str, expected: dict[str, float]) -> None:
    values = verdicts_of(text, counting()).values(0, 0)
    assert values == expected
    assert json.loads(json.dumps(values, allow_nan=False)) == expected


def test_values_are_the_same_whatever_else_is_in_the_plan() -> None:
    texts = [text for text, _ in VALUES]
    plan = build_plan([parse_rule(text) for text in reversed(texts)])
    verdicts = evaluate(plan, counting())
    for index, (_, expected) in enumerate(reversed(VALUES)):
        assert verdicts.values(index, 0) == expected


def flat_volume() -> Window:
    """Return 30 bars whose volume moved only at the tenth bar from the end."""
    return one_symbol(close=COUNT, volume=np.where(COUNT == 21, 7.0, 5.0))


def broken() -> Window:
    """Return 30 bars of which one, the fifth from the end, is absent."""
    window = counting()
    window.columns[:, -5] = np.nan
    return window


def absent() -> Window:
    window = counting()
    window.columns[:, -1] = np.nan
    return window


def huge() -> Window:
    return one_symbol(close=np.full(30, 1e300))


REASONS = [
    (counting, "close > 3", None),
    (counting, "sma(200) > 1", "warming up (30 of 200 bars)"),
    (counting, "close > 3 and sma(200) > 1", "warming up (30 of 200 bars)"),
    (counting, "close > 3 or sma(200) > 1", None),
    (counting, "close < 3 and sma(200) > 1", None),
    (counting, "not rsi(30) > 1", "warming up (30 of 31 bars)"),
    (counting, "ema(rsi(20), 20)[2] > 1", "warming up (30 of 42 bars)"),
    (counting, "close + ema(31) > 1", "warming up (30 of 31 bars)"),
    (counting, "crosses_above(close, sma(30))", "warming up (30 of 31 bars)"),
    (counting, "close[30] > 1", "warming up (30 of 31 bars)"),
    (broken, "rsi(14) > 1", "warming up (4 of 15 bars)"),
    (broken, "close[4] > 1", "warming up (4 of 5 bars)"),
    (broken, "close[3] > 1", None),
    (absent, "close > 1", "missing"),
    (absent, "close[1] > 1", "missing"),
    (absent, "hl2 > ema(9)", "missing"),
    (flat_volume, "close / (volume - volume[1]) > 1", "division by zero"),
    (flat_volume, "-close / change(volume) > 1", "division by zero"),
    (flat_volume, "(close / change(volume))[2] > 1", "division by zero"),
    (flat_volume, "(close / change(volume))[9] > 1", None),
    (flat_volume, "sma(close / change(volume), 2)[8] > 1", None),
    (flat_volume, "sma(close / change(volume), 2)[7] > 1", "division by zero"),
    (flat_volume, "ema(close / change(volume), 3) > 1", "division by zero"),
    (flat_volume, "rsi(close / change(volume), 3) > 1", "division by zero"),
    (flat_volume, "highest(close / change(volume), 3) > 1", "division by zero"),
    (flat_volume, "abs(close / change(volume)) > 1", "division by zero"),
    (flat_volume, "roc(change(volume), 3) > 1", "division by zero"),
    (flat_volume, "close > 9 or close / change(volume) > 1", None),
    (huge, "close * close > 1", "not a finite number"),
    (huge, "1 / (close * close) < 1", "not a finite number"),
    (huge, "sma(close * close, 3) > 1", "not a finite number"),
]


@pytest.mark.parametrize(
    ("window", "text", "reason"), REASONS, ids=[f"{w.__name__}: {t}" for w, t, _ in REASONS]
)
def test_unknown_reason_is_the_first_that_decides(
    window: Callable[[], Window], text: str, reason: str | None
) -> None:
    verdicts = verdicts_of(text, window())
    assert verdicts.unknown_reason(0, 0) == reason
    assert (verdicts.state(0)[0] == UNKNOWN) == (reason is not None)


def test_tree_shows_every_part_with_its_state_and_value() -> None:
    verdicts = verdicts_of("close > 3 and not sma(200) > 1", counting())
    warming = "warming up (30 of 200 bars)"
    assert verdicts.tree(0, 0) == Explanation(
        text="close > 3 and not sma(200) > 1",
        state=-1,
        reason=warming,
        parts=(
            Explanation(
                text="close > 3",
                state=1,
                distance=27.0,
                parts=(Explanation(text="close", value=30.0), Explanation(text="3", value=3.0)),
            ),
            Explanation(
                text="not sma(200) > 1",
                state=-1,
                reason=warming,
                parts=(
                    Explanation(
                        text="sma(200) > 1",
                        state=-1,
                        reason=warming,
                        parts=(
                            Explanation(text="sma(200)", reason=warming),
                            Explanation(text="1", value=1.0),
                        ),
                    ),
                ),
            ),
        ),
    )


def test_truth_is_strong_kleene() -> None:
    known = {"T": "close > 0", "F": "close < 0", "U": "sma(200) > 0"}
    state = {"T": 1, "F": 0, "U": -1}
    table = {
        "and": ("TTT", "TFF", "TUU", "FFF", "FUF", "UUU"),
        "or": ("TTT", "TFT", "TUT", "FFF", "FUU", "UUU"),
    }
    window = counting()
    for word, rows in table.items():
        for row in rows:
            a, b, result = list(row)
            for left, right in ((a, b), (b, a)):
                text = f"{known[left]} {word} ({known[right]})"
                assert verdicts_of(text, window).state(0)[0] == state[result], text
    for letter, negated in (("T", "F"), ("F", "T"), ("U", "U")):
        assert verdicts_of(f"not {known[letter]}", window).state(0)[0] == state[negated]


ODD = st.sampled_from(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1.0, 1e308, -1e308, 1e-308, 1.0, 3.5]
)


@settings(max_examples=150, deadline=None)
@given(text=rule_texts, odd=st.lists(ODD, min_size=1, max_size=9), bars=st.integers(1, 40))
def test_evaluate_any_numbers_never_raises_nor_warns(
    text: str, odd: list[float], bars: int
) -> None:
    columns = random_columns(len(odd), bars, 4)
    places = np.random.default_rng(bars).integers(0, columns.size, 60)
    columns.flat[places] = np.resize(np.array(odd), 60)
    try:
        rule = parse_rule(text)
    except InvalidRule:
        assume(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdicts = evaluate(build_plan([rule]), window_of(columns))
        for symbol in range(4):
            json.dumps(verdicts.values(0, symbol), allow_nan=False)
            reason = verdicts.unknown_reason(0, symbol)
            assert (reason is None) == (verdicts.state(0)[symbol] != UNKNOWN)
    assert not np.isinf(verdicts.rows).any()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_evaluate_odd_number_hides_one_symbol_only(odd: float) -> None:
    texts = ["close > sma(20)", "ema(9) > ema(21)", "rsi(14) < 50", "highest(5) > close"]
    plan = build_plan([parse_rule(text) for text in texts])
    columns = random_columns(3, 501, 5)
    before = evaluate(plan, window_of(columns)).states()
    columns[:, -1, 2] = odd
    after = evaluate(plan, window_of(columns)).states()
    assert (after[:, 2] == UNKNOWN).all()
    others = [0, 1, 3, 4]
    assert np.array_equal(before[:, others], after[:, others])


def hourly(closes: list[float], interval: str, until_hour: int) -> Window:
    """Return one symbol's closes on bars of an interval, the last of which closes at an hour."""
    window = one_symbol(close=np.array(closes))
    step_ms = Interval(interval).duration_ms
    times = until_hour * Interval.H1.duration_ms + step_ms * np.arange(-len(closes), 0)
    return msgspec.structs.replace(window, interval=Interval(interval), open_times_ms=times)


@pytest.mark.parametrize("hour", range(8, 17))
def test_longer_interval_is_held_as_of_each_close(hour: int) -> None:
    own = hourly(list(range(1, 101)), "1h", hour)
    longer = {Interval.H4: hourly([4.0, 8.0, 12.0, 16.0], "4h", 16)}
    text = 'close(tf="4h")[1] > 0 and close(tf="4h")[5] > 0 and change(close, 1, tf="4h") > 0'
    verdicts = evaluate(build_plan([parse_rule(text, interval=Interval.H1)]), own, longer=longer)
    values = verdicts.values(0, 0)
    assert values['close(tf="4h")[1]'] == (hour - 1) // 4 * 4
    assert values.get('close(tf="4h")[5]', 0.0) == (hour - 5) // 4 * 4
    assert values['change(1, tf="4h")'] == 4.0


def test_longer_interval_without_its_newest_bar_is_stale() -> None:
    own = hourly(list(range(1, 101)), "1h", 17)
    plan = build_plan([parse_rule('close(tf="4h") > 1', interval=Interval.H1)])
    old = {Interval.H4: hourly([4.0, 8.0], "4h", 12)}
    assert evaluate(plan, own, longer=old).unknown_reason(0, 0) == "stale"
    assert evaluate(plan, own).unknown_reason(0, 0) == "missing"
    assert plan.intervals == (Interval.H4,)


def test_tree_of_a_function_of_conditions_shows_the_condition_as_it_is_now() -> None:
    tree = verdicts_of("count(close > 28, 5) >= 4", counting()).tree(0, 0)
    (count, four) = tree.parts
    assert (tree.state, tree.distance) == (0, -2.0)
    assert (count.value, four.value) == (2.0, 4.0)
    assert [(part.text, part.state, part.distance) for part in count.parts] == [
        ("close > 28", 1, 2.0)
    ]


def test_tree_names_only_what_a_rule_can_name() -> None:
    rule = "any(doji[1] or hammer, 3) and not bullish_engulfing and adx(14) > 20"
    tree = verdicts_of(rule, window_of(random_columns(3, 100, 2))).tree(0, 0)

    def texts(part: Explanation) -> list[str]:
        return [part.text, *(text for inner in part.parts for text in texts(inner))]

    assert len(texts(tree)) > 8
    assert all(text and "_doji" not in text and text[0] != "_" for text in texts(tree))
