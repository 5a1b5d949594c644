"""Pivots: classic, from the last UTC day that has closed."""

from __future__ import annotations

import numpy as np
import pytest

from shared.market.frame import Feed
from shared.market.interval import DAY_MS, HOUR_MS, Interval
from shared.market.window import Window
from shared.rules import UNKNOWN, build_plan, evaluate, parse_rule
from shared.rules.entries import levels
from tests.unit.rules.windows import random_columns

FIRST_DAY_MS = 20_000 * DAY_MS


def window_at(
    interval: Interval, first_ms: int, columns: np.ndarray, symbols: tuple[str, ...] = ()
) -> Window:
    """Return a window of float64[8, bars, n] that begins at an instant."""
    return Window(
        venue="binance",
        interval=interval,
        symbols=symbols or tuple(f"S{index}USDT" for index in range(columns.shape[2])),
        open_times_ms=first_ms + interval.duration_ms * np.arange(columns.shape[1]),
        columns=columns,
        frame_revision=1,
        feed=Feed.SIMULATED,
        complete=True,
    )


def plain_levels(high: float, low: float, close: float) -> dict[str, float]:
    """Return the levels of a day, as the textbooks have them."""
    pivot = (high + low + close) / 3
    return {
        "pivot": pivot,
        "pivot_r1": 2 * pivot - low,
        "pivot_s1": 2 * pivot - high,
        "pivot_r2": pivot + (high - low),
        "pivot_s2": pivot - (high - low),
        "pivot_r3": high + 2 * (pivot - low),
        "pivot_s3": low - 2 * (high - pivot),
    }


def hourly_and_daily(hours: int) -> tuple[Window, Window]:
    """Return so many hours from a midnight on, and the days before, of two symbols."""
    hourly = window_at(Interval.H1, FIRST_DAY_MS, random_columns(1, hours, 2))
    days = random_columns(2, 8, 2)
    return hourly, window_at(Interval.D1, FIRST_DAY_MS - 4 * DAY_MS, days)


def value_of(text: str, window: Window, daily: Window | None, symbol: int) -> float:
    rule = parse_rule(f"{text} > -1e9", interval=window.interval)
    longer = {Interval.D1: daily} if daily is not None else {}
    shown = evaluate(build_plan([rule]), window, longer=longer).values(0, symbol)
    return next(iter(shown.values()), float("nan"))


@pytest.mark.parametrize("hours", [1, 23, 24, 25, 47, 48, 60])
@pytest.mark.parametrize("name", [entry.name for entry in levels.ENTRIES])
def test_level_is_that_of_the_last_day_that_has_closed(name: str, hours: int) -> None:
    hourly, daily = hourly_and_daily(hours)
    # Day 3 of the eight is the last before the first hour; the 24th hour closes with day 4.
    day = 3 + hours // 24
    for symbol in range(2):
        high, low, close = daily.columns[1:4, day, symbol]
        expected = plain_levels(high, low, close)[name]
        assert value_of(name, hourly, daily, symbol) == pytest.approx(expected, rel=1e-9)


def test_level_lagged_is_that_of_the_day_before_the_hour_lagged_to() -> None:
    hourly, daily = hourly_and_daily(30)
    for ago, day in ((0, 4), (6, 4), (7, 3), (29, 3)):
        high, low, close = daily.columns[1:4, day, 0]
        expected = plain_levels(high, low, close)["pivot_r1"]
        assert value_of(f"pivot_r1[{ago}]", hourly, daily, 0) == pytest.approx(expected, rel=1e-9)


def test_level_on_daily_bars_is_that_of_the_bar_itself() -> None:
    daily = window_at(Interval.D1, FIRST_DAY_MS, random_columns(3, 5, 1))
    high, low, close = daily.columns[1:4, -1, 0]
    for name, expected in plain_levels(high, low, close).items():
        assert value_of(name, daily, None, 0) == pytest.approx(expected, rel=1e-9)


def test_levels_are_in_order() -> None:
    hourly, daily = hourly_and_daily(10)
    order = "pivot_s3 < pivot_s2 < pivot_s1 < pivot < pivot_r1 < pivot_r2 < pivot_r3"
    rule = parse_rule(order, interval=Interval.H1)
    assert rule.intervals == (Interval.D1,)
    states = evaluate(build_plan([rule]), hourly, longer={Interval.D1: daily}).state(0)
    assert (states == 1).all()


def test_level_without_the_last_day_is_unknown_and_says_why() -> None:
    hourly, daily = hourly_and_daily(60)
    rule = parse_rule("close > pivot", interval=Interval.H1)
    plan = build_plan([rule])
    early = window_at(Interval.D1, int(daily.open_times_ms[0]), daily.columns[:, :5])
    for longer, reason in (({}, "missing"), ({Interval.D1: early}, "stale")):
        verdicts = evaluate(plan, hourly, longer=longer)
        assert verdicts.state(0)[0] == UNKNOWN
        assert verdicts.unknown_reason(0, 0) == reason


def test_level_of_an_instrument_that_lacks_the_day_is_unknown() -> None:
    hourly, daily = hourly_and_daily(10)
    columns = daily.columns.copy()
    columns[:, 3, 1] = np.nan
    daily = window_at(Interval.D1, int(daily.open_times_ms[0]), columns)
    rule = parse_rule("pivot > 0", interval=Interval.H1)
    verdicts = evaluate(build_plan([rule]), hourly, longer={Interval.D1: daily})
    assert verdicts.state(0).tolist() == [1, UNKNOWN]
    assert verdicts.unknown_reason(0, 1) == "missing"


@pytest.mark.parametrize("price", [3.0, 0.0, np.nan, np.inf, 1e308])
def test_edge_data_gives_a_finite_value_or_unknown_with_a_reason(price: float) -> None:
    hourly = window_at(Interval.H1, FIRST_DAY_MS, np.full((8, 30, 1), price))
    daily = window_at(Interval.D1, FIRST_DAY_MS - 4 * DAY_MS, np.full((8, 8, 1), price))
    for entry in levels.ENTRIES:
        rule = parse_rule(f"{entry.name} >= 0", interval=Interval.H1)
        verdicts = evaluate(build_plan([rule]), hourly, longer={Interval.D1: daily})
        unknown = verdicts.state(0)[0] == UNKNOWN
        assert (verdicts.unknown_reason(0, 0) is not None) == unknown
        assert unknown or price in (3.0, 0.0, 1e308)


def test_hours_since_midnight_use_the_same_day() -> None:
    hourly, daily = hourly_and_daily(24 + 5)
    assert hourly.closed_at_ms == FIRST_DAY_MS + 29 * HOUR_MS
    found = [value_of(f"pivot[{ago}]", hourly, daily, 0) for ago in range(6)]
    assert len(set(found)) == 1
