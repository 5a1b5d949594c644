"""What a start fetches, and the frames that history makes."""

from __future__ import annotations

import numpy as np

from collector.history import HistoryBlock, next_open_ms, plan_history
from collector.rollup import ClosedSpan
from shared.market.frame import Feed
from shared.market.interval import HOUR_MS, MINUTE_MS, Interval
from tests.unit.collector.make_klines import MIDNIGHT_MS, make_minute

INTERVALS = (Interval.M1, Interval.M5, Interval.H1, Interval.D1)
# 13:07 UTC
LIVE_FROM_MS = MIDNIGHT_MS + 13 * HOUR_MS + 7 * MINUTE_MS


def everything(live_from_ms: int, bars: int = 600) -> dict[Interval, set[int]]:
    plan = plan_history(live_from_ms, INTERVALS, {}, bars)
    return {interval: set(times) for interval, times in plan.missing.items()}


def test_first_start_fetches_every_interval_up_to_its_last_closed_bar() -> None:
    plan = plan_history(LIVE_FROM_MS, INTERVALS, {}, 600)
    assert {i: len(times) for i, times in plan.missing.items()} == dict.fromkeys(INTERVALS, 600)
    assert plan.missing[Interval.M1][-1] == LIVE_FROM_MS - MINUTE_MS
    assert plan.missing[Interval.M5][-1] == MIDNIGHT_MS + 13 * HOUR_MS
    assert plan.missing[Interval.H1][-1] == MIDNIGHT_MS + 12 * HOUR_MS
    assert plan.fetched == (Interval.M5, Interval.H1, Interval.D1)
    assert plan.minutes_from_ms == LIVE_FROM_MS - 600 * MINUTE_MS
    # The forming hour comes from the minutes, the forming day also from closed hours.
    assert plan.roll_from_ms == MIDNIGHT_MS + 13 * HOUR_MS
    assert plan.seed_hours_from_ms == MIDNIGHT_MS
    assert plan.calls_per_symbol == 5


def test_short_stop_costs_one_call_a_symbol_before_going_live() -> None:
    stored = everything(LIVE_FROM_MS - 10 * MINUTE_MS)
    plan = plan_history(LIVE_FROM_MS, INTERVALS, stored, 600)
    assert len(plan.missing[Interval.M1]) == 10
    assert plan.missing[Interval.M5] == (
        MIDNIGHT_MS + 12 * HOUR_MS + 55 * MINUTE_MS,
        MIDNIGHT_MS + 13 * HOUR_MS,
    )
    assert plan.missing[Interval.H1] == (MIDNIGHT_MS + 12 * HOUR_MS,)
    # All of it is rolled up from minutes that start on the hour.
    assert (plan.rolled, plan.fetched) == ((Interval.M5, Interval.H1), ())
    assert plan.roll_from_ms == plan.minutes_from_ms == MIDNIGHT_MS + 12 * HOUR_MS


def test_nothing_missing_still_needs_the_forming_klines() -> None:
    plan = plan_history(LIVE_FROM_MS, INTERVALS, everything(LIVE_FROM_MS), 600)
    assert not any(plan.missing.values())
    assert plan.minutes_from_ms == MIDNIGHT_MS + 13 * HOUR_MS


def test_hole_in_stored_minutes_is_fetched_again() -> None:
    stored = everything(LIVE_FROM_MS)
    hole_ms = LIVE_FROM_MS - 300 * MINUTE_MS
    stored[Interval.M1].discard(hole_ms)
    plan = plan_history(LIVE_FROM_MS, INTERVALS, stored, 600)
    assert plan.missing[Interval.M1] == (hole_ms,)
    assert plan.minutes_from_ms == hole_ms


def test_bars_older_than_all_stored_ones_are_marked_as_leading() -> None:
    stored = everything(LIVE_FROM_MS)
    stored[Interval.D1] = {t for t in stored[Interval.D1] if t >= MIDNIGHT_MS - 100 * 24 * HOUR_MS}
    assert plan_history(LIVE_FROM_MS, INTERVALS, stored, 600).leading == (Interval.D1,)


def test_longest_reach_of_one_call_bounds_the_minutes() -> None:
    plan = plan_history(LIVE_FROM_MS, INTERVALS, {}, 1000)
    assert (LIVE_FROM_MS - plan.minutes_from_ms) // MINUTE_MS == 998


def test_block_makes_frames_with_what_each_symbol_has() -> None:
    times = [MIDNIGHT_MS + n * MINUTE_MS for n in range(3)]
    block = HistoryBlock(Interval.M1, times, 3)
    row = np.arange(1.0, 9.0)
    block.put_columns(
        0,
        [times[0] - MINUTE_MS, *times, times[2] + MINUTE_MS],
        np.stack([row + n for n in range(5)], axis=1),
    )
    # Listed with the second minute; the answer of the third symbol ends before the last one.
    block.put_columns(1, [times[1], times[2]], np.stack([row, row], axis=1))
    block.put_columns(2, [times[0], times[1]], np.stack([row, row], axis=1))
    trading = np.array([True, True, True])
    assert [block.is_complete(bar, trading) for bar in range(3)] == [True, True, False]
    assert block.is_complete(2, np.array([True, True, False]))
    frame = block.frame(
        0, venue="binance", symbol_list_id="x", revision=1, feed=Feed.LIVE, complete=True, now_ms=5
    )
    assert frame is not None
    assert list(frame.present) == [True, False, True]
    assert list(frame.columns[:, 0]) == list(row + 1)


def test_block_without_any_row_makes_no_frame() -> None:
    block = HistoryBlock(Interval.D1, [MIDNIGHT_MS], 2)
    assert (
        block.frame(
            0, venue="v", symbol_list_id="x", revision=1, feed=Feed.LIVE, complete=True, now_ms=5
        )
        is None
    )


def test_block_rolled_up_bar_not_covered_is_unresolved() -> None:
    block = HistoryBlock(Interval.M5, [MIDNIGHT_MS], 2)
    block.put_span(0, ClosedSpan(Interval.M5, MIDNIGHT_MS, make_minute("A", 0), True))
    block.put_span(1, ClosedSpan(Interval.M5, MIDNIGHT_MS, None, False))
    block.put_span(1, ClosedSpan(Interval.M5, MIDNIGHT_MS + HOUR_MS, None, True))
    assert list(block.resolved[0]) == [True, False]
    assert tuple(block.columns[0, :, 0]) == make_minute("A", 0).row()


def test_closer_goes_on_where_the_venues_answer_ended() -> None:
    minutes = [make_minute("A", n) for n in range(5)]
    assert next_open_ms(MIDNIGHT_MS + 3 * MINUTE_MS, minutes) == MIDNIGHT_MS + 3 * MINUTE_MS
    assert next_open_ms(MIDNIGHT_MS + 9 * MINUTE_MS, minutes) == MIDNIGHT_MS + 5 * MINUTE_MS
    assert next_open_ms(MIDNIGHT_MS, []) == MIDNIGHT_MS
