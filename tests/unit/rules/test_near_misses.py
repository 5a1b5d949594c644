"""Near misses: who is nearest, by how many comparisons and how far; against plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from shared.market.kline import COLUMNS
from shared.rules import FALSE, build_plan, evaluate, parse_rule
from shared.rules.near_misses import NearMisses, find_near_misses
from tests.unit.rules.windows import random_columns, verdicts_of, window_of


def near_misses_of(text: str, **last_bars: list[float]) -> NearMisses:
    """Return the near misses of a rule on one bar; columns that are not given are 1."""
    count = len(next(iter(last_bars.values())))
    columns = np.ones((len(COLUMNS), 1, count))
    for name, values in last_bars.items():
        columns[COLUMNS.index(name), 0] = values
    return find_near_misses(verdicts_of(text, window_of(columns)))


def order_of(found: NearMisses) -> list[str]:
    return [miss.instrument.removesuffix("USDT") for miss in found.nearest]


def test_near_misses_fewest_failing_first_then_the_nearest() -> None:
    found = near_misses_of(
        "close > 10 and open < 5",
        close=[9.0, 9.9, 11.0, 11.0, float("nan")],
        open=[4.0, 6.0, 5.0, 4.0, 4.0],
    )
    assert order_of(found) == ["S2", "S0", "S1"]
    assert [miss.failing_count for miss in found.nearest] == [1, 1, 2]
    assert [miss.distance for miss in found.nearest] == pytest.approx([0.0, 0.1, 1 / 6])
    assert (found.false_count, found.unranked_count) == (3, 0)


def test_near_miss_says_what_it_needs() -> None:
    found = near_misses_of("close > 10 and open < 5", close=[9.9], open=[6.0])
    (miss,) = found.nearest
    assert [(need.text, need.left, need.right) for need in miss.needs] == [
        ("close > 10", 9.9, 10.0),
        ("open < 5", 6.0, 5.0),
    ]
    assert [need.distance for need in miss.needs] == pytest.approx([0.01, 1 / 6])


def test_near_miss_of_or_counts_its_best_part() -> None:
    found = near_misses_of("close > 10 or open > 10", close=[9.0, 5.0], open=[8.0, 9.9])
    assert order_of(found) == ["S1", "S0"]
    assert [miss.needs[0].text for miss in found.nearest] == ["open > 10", "close > 10"]
    assert [miss.failing_count for miss in found.nearest] == [1, 1]


def test_near_miss_of_not_wants_the_opposite() -> None:
    found = near_misses_of("not (close > 10 and open > 10)", close=[12.0], open=[11.0])
    (miss,) = found.nearest
    assert [need.text for need in miss.needs] == ["open <= 10"]
    assert miss.distance == pytest.approx(1 / 11)
    found = near_misses_of("not (close > 10 or open > 10)", close=[12.0], open=[11.0])
    assert [need.text for need in found.nearest[0].needs] == ["close <= 10", "open <= 10"]
    assert found.nearest[0].distance == pytest.approx(2 / 12)


def test_near_miss_that_needs_something_unknown_is_not_ranked() -> None:
    found = near_misses_of("close > 10 and close / (open - open) > 1", close=[9.0, 8.0])
    assert (found.false_count, found.unranked_count, found.nearest) == (2, 2, ())


def test_near_miss_goes_around_an_unknown_part_of_or() -> None:
    text = "(close / (open - open) > 1 or close > 10) and open > 10"
    (miss,) = near_misses_of(text, close=[9.0], open=[9.0]).nearest
    assert [need.text for need in miss.needs] == ["close > 10", "open > 10"]


def test_near_miss_at_zero_and_at_the_threshold_is_at_no_distance() -> None:
    found = near_misses_of("close != close or volume > 0", volume=[0.0])
    assert found.nearest[0].distance == 0.0


def test_near_miss_of_a_cross_shows_the_bar_before() -> None:
    columns = np.ones((len(COLUMNS), 2, 1))
    columns[COLUMNS.index("close"), :, 0] = [12.0, 11.0]
    found = find_near_misses(verdicts_of("crosses_above(close, 10)", window_of(columns)))
    (miss,) = found.nearest
    assert [need.text for need in miss.needs] == ["close[1] <= 10"]
    assert miss.distance == pytest.approx(2 / 12)


def test_near_miss_of_a_condition_without_sides_is_a_whole_away() -> None:
    columns = np.ones((len(COLUMNS), 30, 1))
    columns[[COLUMNS.index("close"), COLUMNS.index("high")]] = 2.0
    found = find_near_misses(verdicts_of("doji", window_of(columns)))
    (need,) = found.nearest[0].needs
    assert (need.text, need.left, need.right, need.distance) == ("doji()", None, None, 1.0)


def test_near_misses_are_only_of_those_asked_for_and_at_most_so_many() -> None:
    window = window_of(random_columns(3, 30, 9))
    verdicts = verdicts_of("close > 2 * high", window)
    among = np.zeros(9, dtype=np.bool_)
    among[[2, 5, 7]] = True
    found = find_near_misses(verdicts, among=among, count_max=2)
    assert len(found.nearest) == 2
    assert set(order_of(found)) <= {"S2", "S5", "S7"}
    assert found.false_count == 3


def test_near_misses_equal_plain_python_on_random_bars() -> None:
    text = "(close > open and high > 1.003 * close) or (close < low[1] and not volume > 20)"
    rule = parse_rule(text)
    window = window_of(random_columns(11, 5, 200))
    verdicts = evaluate(build_plan([rule]), window)

    def gap(holds: bool, left: float, right: float) -> tuple[int, float]:
        return (0, 0.0) if holds else (1, abs(left - right) / max(abs(left), abs(right)))

    def both(*gaps: tuple[int, float]) -> tuple[int, float]:
        return sum(g[0] for g in gaps), max(g[1] for g in gaps)

    expected = []
    for symbol, state in enumerate(verdicts.state(0).tolist()):
        if state != FALSE:
            continue
        bar = dict(zip(COLUMNS, window.columns[:, -1, symbol].tolist(), strict=True))
        low_before = float(window.columns[COLUMNS.index("low"), -2, symbol])
        o, c, h, v = bar["open"], bar["close"], bar["high"], bar["volume"]
        nearest = min(
            both(gap(c > o, c, o), gap(h > 1.003 * c, h, 1.003 * c)),
            both(gap(c < low_before, c, low_before), gap(v <= 20, v, 20)),
        )
        expected.append((*nearest, symbol))
    found = find_near_misses(verdicts, count_max=200)
    assert len(expected) > 50
    assert order_of(found) == [f"S{symbol}" for *_, symbol in sorted(expected)]
    assert [miss.distance for miss in found.nearest] == pytest.approx(
        [distance for _, distance, _ in sorted(expected)], rel=1e-11
    )
