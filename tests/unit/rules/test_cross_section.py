"""Functions across instruments, and readings of the clock: against plain loops."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from shared.market.window import Window
from shared.rules import UNKNOWN, build_plan, evaluate, parse_rule
from shared.rules.entries import cross_section
from shared.rules.registry import SERIES
from tests.unit.rules.windows import bits_equal, random_columns, uneven_columns, window_of

Values = list[float | None]
NAN = float("nan")


def plain_rank(values: Values) -> Values:
    known = [v for v in values if v is not None]
    return [None if v is None else 1 + sum(other > v for other in known) for v in values]


def plain_percentile(values: Values) -> Values:
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return [None] * len(values)
    below = [None if v is None else sum(other < v for other in known) for v in values]
    return [None if b is None else 100 * b / (len(known) - 1) for b in below]


def plain_zscore(values: Values) -> Values:
    known = [v for v in values if v is not None]
    if not known or min(known) == max(known):
        return [None] * len(values)
    mean = math.fsum(known) / len(known)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in known) / len(known))
    return [None if v is None else (v - mean) / deviation for v in values]


def plain_share(values: Values) -> Values:
    known = [v for v in values if v is not None]
    return [sum(known) / len(known) if known else None] * len(values)


PLAIN = {
    "rank": (cross_section.rank, plain_rank),
    "percentile": (cross_section.percentile, plain_percentile),
    "zscore_across": (cross_section.zscore, plain_zscore),
    "share": (cross_section.share, plain_share),
}
TABLE = [
    # x, rank, percentile
    ([3.0, 1.0, 2.0], [1, 3, 2], [100, 0, 50]),
    ([2.0, 2.0, 1.0], [1, 1, 3], [50, 50, 0]),
    ([1.0, 2.0, 2.0, 3.0], [4, 2, 2, 1], [0, 100 / 3, 100 / 3, 100]),
    ([1.0, 1.0, 1.0], [1, 1, 1], [0, 0, 0]),
    ([NAN, 5.0, 4.0], [NAN, 1, 2], [NAN, 100, 0]),
    ([NAN, 5.0], [NAN, 1], [NAN, NAN]),
    ([NAN, NAN], [NAN, NAN], [NAN, NAN]),
    ([7.0], [1], [NAN]),
    ([-0.0, 0.0, -1.0], [1, 1, 3], [50, 50, 0]),
]


def none_for_nan(values: np.ndarray) -> Values:
    return [None if np.isnan(v) else float(v) for v in values]


@pytest.mark.parametrize(("x", "rank", "percentile"), TABLE)
def test_rank_and_percentile_as_the_table_says(
    x: list[float], rank: list[float], percentile: list[float]
) -> None:
    np.testing.assert_equal(cross_section.rank(np.array([x]))[0], rank)
    np.testing.assert_allclose(cross_section.percentile(np.array([x]))[0], percentile, rtol=1e-15)


@pytest.mark.parametrize("name", list(PLAIN))
def test_random_rows_equal_the_plain_loops(name: str) -> None:
    compute, plain = PLAIN[name]
    random = np.random.default_rng(1)
    for m in (1, 2, 3, 7, 100):
        rows = random.normal(size=(60, m))
        rows[20:40] = np.round(rows[20:40])  # many equals
        rows[random.random(rows.shape) < random.choice([0.0, 0.1, 0.9], (60, 1))] = np.nan
        if name == "share":
            rows = np.where(np.isnan(rows), np.nan, rows > 0.3)
        expected = np.array([plain(none_for_nan(row)) for row in rows], dtype=np.float64)
        np.testing.assert_allclose(compute(rows.copy()), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(PLAIN))
def test_order_of_instruments_and_other_rows_change_no_bit(name: str) -> None:
    compute, _ = PLAIN[name]
    random = np.random.default_rng(2)
    rows = random.normal(size=(5, 50))
    rows[random.random(rows.shape) < 0.2] = np.nan
    if name == "share":
        rows = np.where(np.isnan(rows), np.nan, rows > 0)
    order = random.permutation(50)
    found = compute(rows)
    assert bits_equal(compute(rows[:, order]), found[:, order])
    assert bits_equal(compute(rows[2:3]), found[2:3])
    with_unknown = np.concatenate([np.full((5, 9), np.nan), rows], axis=1)
    assert bits_equal(compute(with_unknown)[:, 9:], found)


def test_zscore_equal_values_are_unknown_whatever_their_size() -> None:
    for value in (0.1, 1 / 3, 1e-12, 7e15):
        assert np.isnan(cross_section.zscore(np.full((1, 37), value))).all()


def test_share_is_the_same_for_instruments_of_which_it_is_unknown() -> None:
    np.testing.assert_equal(
        cross_section.share(np.array([[1.0, 0.0, np.nan, 1.0]]))[0], [2 / 3] * 4
    )


@pytest.mark.parametrize("name", list(PLAIN))
def test_edge_rows_raise_and_warn_nothing(name: str) -> None:
    compute, _ = PLAIN[name]
    for row in ([1e308, -1e308, 0.0], [np.nan] * 3, [5e-324, 0.0, 0.0], [1e300, 1e300, 1.0]):
        values = np.array([row])
        with np.errstate(all="ignore"):
            found = compute(
                np.where(np.isnan(values), np.nan, values > 0) if name == "share" else values
            )
        assert found.shape == values.shape


def values_of(expression: str, window: Window, universe: tuple[str, ...] | None = None) -> Values:
    """Return the expression's value of every symbol."""
    verdicts = evaluate(build_plan([parse_rule(f"{expression} > -1e9")], [universe]), window)
    found = [verdicts.values(0, symbol) for symbol in range(len(window.symbols))]
    return [next(iter(shown.values()), None) for shown in found]


MARKET = window_of(uneven_columns(6, 80, 21))
CASES = {
    "rank(close)": plain_rank,
    "percentile(close)": plain_percentile,
    "zscore_across(close)": plain_zscore,
}


def as_floats(values: Values) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize("text", list(CASES))
@pytest.mark.parametrize("ago", [0, 3])
def test_rule_ranges_over_all_instruments_of_the_window(text: str, ago: int) -> None:
    close = values_of(f"close[{ago}]", MARKET)
    found = values_of(f"{text}[{ago}]", MARKET)
    np.testing.assert_allclose(as_floats(found), as_floats(CASES[text](close)), rtol=1e-9)


@pytest.mark.parametrize("text", list(CASES))
def test_rule_of_a_trader_ranges_over_its_universe_only(text: str) -> None:
    universe = MARKET.symbols[2::3]
    close = values_of("close", MARKET)
    inside = [v if s in universe else None for s, v in zip(MARKET.symbols, close, strict=True)]
    found = values_of(text, MARKET, universe)
    np.testing.assert_allclose(as_floats(found), as_floats(CASES[text](inside)), rtol=1e-9)


def test_share_counts_the_known_ones_of_the_universe() -> None:
    window = window_of(random_columns(9, 40, 10))
    window.columns[3, -1, 0] = np.nan
    rises = window.columns[3, -1, :8] > window.columns[0, -1, :8]
    found = values_of("share(close > open)", window, window.symbols[:8])
    assert found == [pytest.approx(rises[1:].mean())] * 8 + [None, None]


def test_percentile_of_one_known_instrument_is_a_division_by_zero() -> None:
    window = window_of(random_columns(9, 40, 3))
    window.columns[:, -1, 1:] = np.nan
    for text in ("percentile(close) > 0", "zscore_across(close) > 0"):
        verdicts = evaluate(build_plan([parse_rule(text)]), window)
        assert verdicts.state(0)[0] == UNKNOWN
        assert verdicts.unknown_reason(0, 0) == "division by zero"


@pytest.mark.parametrize(
    "moment", ["1970-01-01T00:00", "2026-11-22T23:59", "2024-02-29T12:00", "1969-12-31T23:00"]
)
def test_clock_series_equal_the_calendar(moment: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    times = np.array([int(at.timestamp()) * 1000], dtype=np.int64)
    clocks = {name: SERIES[name].clock for name in ("hour", "weekday", "_day")}
    found = {name: clock(times)[0] for name, clock in clocks.items() if clock}
    days = (at - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert found == {"hour": at.hour, "weekday": at.weekday(), "_day": days}


def test_hour_and_weekday_are_those_of_the_bars_open_time() -> None:
    opened = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)  # a Sunday
    window = window_of(random_columns(1, 3, 1))
    times = int(opened.timestamp()) * 1000 + 60_000 * np.arange(-2, 1, dtype=np.int64)
    window = msgspec.structs.replace(window, open_times_ms=times)
    for text in ("hour == 23 and weekday == 6", "(hour == 23)[2]", "hour[1] == 23"):
        assert evaluate(build_plan([parse_rule(text)]), window).state(0)[0] == 1


def test_clock_is_known_where_a_bar_is_missing() -> None:
    window = window_of(np.full((8, 5, 2), np.nan))
    verdicts = evaluate(build_plan([parse_rule("hour >= 0 and weekday >= 0")]), window)
    assert (verdicts.state(0) == 1).all()
