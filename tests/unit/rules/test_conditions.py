"""Functions that look back on conditions: their truth tables, and a plain evaluator."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from shared.market.window import Window
from shared.rules import UNKNOWN, build_plan, evaluate, parse_rule
from shared.rules.entries import conditions
from shared.rules.entry import Function
from tests.unit.rules.windows import one_symbol, random_columns, value_of, verdicts_of, window_of

CODE = {"T": 1, "F": 0, "U": UNKNOWN}
# True where the close is above the open, false where below, unknown where equal.
EVENT = "1 / (close - open) > 0"
LONG = 40  # so many bars are no longer written out


def market(states: str) -> Window:
    """Return a window in which EVENT has these states, oldest first."""
    move = np.array([{"T": 1.0, "F": -1.0, "U": 0.0}[state] for state in states])
    return one_symbol(open=np.full(len(states), 5.0), close=5.0 + move)


def state_of(text: str, window: Window, symbol: int = 0) -> int:
    return int(verdicts_of(text, window).state(0)[symbol])


def plain_any(states: str) -> str:
    return "T" if "T" in states else "U" if "U" in states else "F"


def plain_all(states: str) -> str:
    return "F" if "F" in states else "U" if "U" in states else "T"


def plain_count(states: str) -> float:
    return float("nan") if "U" in states else states.count("T")


def plain_bars_since(states: str) -> float:
    last = max(states.rfind("T"), states.rfind("U"))
    return len(states) - 1 - last if last >= 0 and states[last] == "T" else float("nan")


# Oldest first: the states of the last three bars -> any(c, 3), all(c, 3), count(c, 3).
TABLE = [
    ("FFF", "F", "F", 0),
    ("FFT", "T", "F", 1),
    ("FTT", "T", "F", 2),
    ("TTT", "T", "T", 3),
    ("TFF", "T", "F", 1),
    ("FFU", "U", "F", None),
    ("UFF", "U", "F", None),
    ("UUU", "U", "U", None),
    ("TUF", "T", "F", None),
    ("TTU", "T", "U", None),
    ("UTT", "T", "U", None),
    ("FUU", "U", "F", None),
    ("UTU", "T", "U", None),
]


@pytest.mark.parametrize(("states", "any_", "all_", "count"), TABLE)
def test_three_bars_as_the_table_says(states: str, any_: str, all_: str, count: int | None) -> None:
    window = market("TFU" + states)  # what is before does not matter
    assert state_of(f"any({EVENT}, 3)", window) == CODE[any_]
    assert state_of(f"all({EVENT}, 3)", window) == CODE[all_]
    found = value_of(f"count({EVENT}, 3)", window)
    assert found == count if count is not None else np.isnan(found)


@pytest.mark.parametrize("states", ["".join(states) for states in product("TFU", repeat=3)])
@pytest.mark.parametrize("padded", [False, True], ids=["written out", "rolled"])
def test_every_sequence_of_three_equals_the_plain_evaluator(states: str, padded: bool) -> None:
    # Of more bars, what is added in front must not decide.
    for name, plain, neutral in (("any", plain_any, "F"), ("all", plain_all, "T")):
        bars = neutral * (LONG - 3) + states if padded else states
        window = market(bars)
        assert state_of(f"{name}({EVENT}, {len(bars)})", window) == CODE[plain(states)]
    bars = "T" * (LONG - 3) + states if padded else states
    found = value_of(f"count({EVENT}, {len(bars)})", market(bars))
    np.testing.assert_equal(found, plain_count(bars))


@pytest.mark.parametrize("n", [1, 2, 5, 32, 33, 60])
def test_random_sequences_equal_the_plain_evaluator(n: int) -> None:
    random = np.random.default_rng(n)
    for unknown in (0.0, 0.01, 0.3):
        for true in (0.02, 0.5, 0.97):
            known = 1.0 - unknown
            odds = [true * known, (1 - true) * known, unknown]
            states = "".join(random.choice(list("TFU"), 80, p=odds))
            window, last = market(states), states[-n:]
            assert state_of(f"any({EVENT}, {n})", window) == CODE[plain_any(last)]
            assert state_of(f"all({EVENT}, {n})", window) == CODE[plain_all(last)]
            found = value_of(f"count({EVENT}, {n})", window)
            np.testing.assert_equal(found, plain_count(last))
            found = value_of(f"bars_since({EVENT})", window)
            np.testing.assert_equal(found, plain_bars_since(states))


@pytest.mark.parametrize("n", [5, LONG])
def test_history_shorter_than_the_bars_looked_back_on_is_known_where_it_decides(n: int) -> None:
    for states, any_, all_ in (("FF", "U", "F"), ("TT", "T", "U"), ("TF", "T", "F")):
        window = market(states)
        assert state_of(f"any({EVENT}, {n})", window) == CODE[any_]
        assert state_of(f"all({EVENT}, {n})", window) == CODE[all_]
        assert np.isnan(value_of(f"count({EVENT}, {n})", window))
    reason = verdicts_of(f"any({EVENT}, {n})", market("FF")).unknown_reason(0, 0)
    assert reason is not None and reason.startswith("warming up (2 of ")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("T", 0),
        ("FT", 0),
        ("TF", 1),
        ("TFFF", 3),
        ("TUTFF", 2),
        ("F", None),
        ("FFFF", None),
        ("U", None),
        ("TU", None),
        ("TUF", None),
        ("UTF", 1),
    ],
)
def test_bars_since_as_the_table_says(states: str, expected: int | None) -> None:
    verdicts = verdicts_of(f"bars_since({EVENT}) >= 0", market(states))
    assert verdicts.state(0)[0] == (UNKNOWN if expected is None else 1)
    if expected is None:
        assert not verdicts.values(0, 0)
    else:
        assert next(iter(verdicts.values(0, 0).values())) == expected


def test_bars_since_never_true_says_so() -> None:
    reason = verdicts_of("bars_since(close > 9) < 5", market("TFTF")).unknown_reason(0, 0)
    assert reason == "never true in 4 bars"


def test_bars_since_is_as_at_the_bar_it_is_lagged_to() -> None:
    window = market("FTFFTFF")
    found = [value_of(f"bars_since({EVENT})[{ago}]", window) for ago in range(7)]
    np.testing.assert_equal(found, [2, 1, 0, 2, 1, 0, float("nan")])


@pytest.mark.parametrize("n", [1, 2, 3, 32, 33, 50])
def test_rising_and_falling_need_every_step_to_be_strict(n: int) -> None:
    up = np.arange(1.0, 61.0)
    for name, values in (("rising", up), ("falling", -up)):
        assert state_of(f"{name}(close, {n})", one_symbol(close=values)) == 1
        flat = values.copy()
        flat[-1] = flat[-2]
        assert state_of(f"{name}(close, {n})", one_symbol(close=flat)) == 0
        early = values.copy()
        early[-1 - n] = early[-n]  # the oldest step
        assert state_of(f"{name}(close, {n})", one_symbol(close=early)) == 0
        before = values.copy()
        before[-2 - n] = before[-1 - n]  # one step older
        assert state_of(f"{name}(close, {n})", one_symbol(close=before)) == 1


@pytest.mark.parametrize("n", [3, 33])
def test_rising_too_short_a_history_is_unknown_unless_a_step_was_not_up(n: int) -> None:
    up = np.arange(1.0, n + 1.0)  # n bars are n - 1 steps
    verdicts = verdicts_of(f"rising(close, {n})", one_symbol(close=up))
    assert verdicts.state(0)[0] == UNKNOWN
    assert verdicts.plan.rules[0].bars_needed == n + 1
    down = up.copy()
    down[-1] = 0.0
    assert state_of(f"rising(close, {n})", one_symbol(close=down)) == 0


@pytest.mark.parametrize(
    ("x", "low", "high", "expected"),
    [
        (2.0, 1.0, 3.0, 1),
        (1.0, 1.0, 3.0, 1),
        (3.0, 1.0, 3.0, 1),
        (0.9, 1.0, 3.0, 0),
        (3.1, 1.0, 3.0, 0),
        (2.0, 3.0, 1.0, 0),
        (2.0, None, 3.0, -1),
        (2.0, 1.0, None, -1),
        (4.0, None, 3.0, 0),
        (0.0, 1.0, None, 0),
        (None, 1.0, 3.0, -1),
    ],
)
def test_between_as_the_table_says(
    x: float | None, low: float | None, high: float | None, expected: int
) -> None:
    # x / 0 is unknown.
    sides = [(0.0, 0.0) if side is None else (side, 1.0) for side in (x, low, high)]
    names = (("open", "volume"), ("high", "quote_volume"), ("low", "trades"))
    columns: dict[str, np.ndarray] = {}
    for (value, divisor), (name, other) in zip(sides, names, strict=True):
        columns |= {name: np.array([value]), other: np.array([divisor])}
    text = "between(open / volume, high / quote_volume, low / trades)"
    assert state_of(text, one_symbol(**columns)) == expected


def test_signal_shows_what_each_of_the_bars_was_compared_with() -> None:
    shown = verdicts_of("rising(close, 2)", one_symbol(close=np.array([1.0, 2.0, 3.0]))).values(
        0, 0
    )
    assert shown == {"close": 3.0, "close[1]": 2.0, "close[2]": 1.0}


def test_lookbacks_of_lookbacks_equal_the_same_written_out() -> None:
    window = window_of(random_columns(3, 120, 64))
    pairs = [
        (
            "any(all(close > open, 2), 3)",
            " or ".join(f"all(close > open, 2)[{i}]" for i in range(3)),
        ),
        ("count(any(close > open, 2), 3) == 3", "all(any(close > open, 2), 3)"),
        ("all(rsi(14) > 40, 40)", "count(rsi(14) > 40, 40) == 40"),
        (
            "any(crosses_above(ema(3), ema(9)), 50)",
            "bars_since(crosses_above(ema(3), ema(9))) < 50",
        ),
        ("rising(sma(5), 40)", "all(sma(5) > sma(5)[1], 40)"),
    ]
    for one, other in pairs:
        plan = build_plan([parse_rule(one), parse_rule(other)])
        verdicts = evaluate(plan, window)
        known = verdicts.state(0) != UNKNOWN
        assert known.any()
        # bars_since is unknown where there was none at all.
        known &= verdicts.state(1) != UNKNOWN
        np.testing.assert_array_equal(verdicts.state(0)[known], verdicts.state(1)[known])


EDGES = {
    "constant": np.full((8, 60, 2), 3.0),
    "zeros": np.zeros((8, 60, 2)),
    "nan": np.full((8, 60, 2), np.nan),
    "infinite": np.full((8, 60, 2), np.inf),
    "one bar": random_columns(1, 1, 2),
    "huge": random_columns(1, 60, 2) * 1e300,
    "tiny": random_columns(1, 60, 2) * 1e-300,
}


@pytest.mark.parametrize("edge", list(EDGES))
@pytest.mark.parametrize("entry", conditions.ENTRIES, ids=lambda entry: entry.name)
def test_edge_data_gives_a_state_or_unknown_with_a_reason(entry: Function, edge: str) -> None:
    for text in (entry.example, entry.example.replace(" 20)", " 50)").replace(", 3)", ", 40)")):
        verdicts = verdicts_of(text, window_of(EDGES[edge]))
        for symbol in range(2):
            unknown = verdicts.state(0)[symbol] == UNKNOWN
            assert (verdicts.unknown_reason(0, symbol) is not None) == unknown
