"""Windows of longer intervals: which bar, which are waited for, which are given up."""

from __future__ import annotations

import pytest

from functions.longer_windows import ASK_AGAIN_MS, LongerWindows
from shared.errors import StaleData
from shared.market.interval import Interval
from shared.market.window import Window
from tests.unit.functions.fakes import FakeDatabase, FakeWindows, function_log, window

HOUR_MS = Interval.H1.duration_ms
CLOSED_AT_MS = 1_760_000_400_000  # 09:00 UTC


class Bench:
    def __init__(self, *windows: Window, now_ms: int = CLOSED_AT_MS + 500) -> None:
        self.now_ms = now_ms
        self.windows = FakeWindows(*windows)
        self.database = FakeDatabase()
        log = function_log(self.database)
        self.longer = LongerWindows(self.windows, log, lambda: self.now_ms)


def hourly(closed_at_ms: int) -> Window:
    return window({"AUSDT": [1.0]}, interval=Interval.H1, closed_at_ms=closed_at_ms)


async def test_window_ends_with_the_bar_that_closes_together() -> None:
    here = hourly(CLOSED_AT_MS)
    bench = Bench(hourly(CLOSED_AT_MS - HOUR_MS), here)
    found = await bench.longer.load("binance", CLOSED_AT_MS, [Interval.H1])
    assert found == {Interval.H1: here}


async def test_window_between_closes_ends_with_the_last_one() -> None:
    here = hourly(CLOSED_AT_MS)
    bench = Bench(here)
    at_ms = CLOSED_AT_MS + 59 * 60_000
    assert await bench.longer.load("binance", at_ms, [Interval.H1]) == {Interval.H1: here}


async def test_frame_about_to_come_is_waited_for() -> None:
    bench = Bench(hourly(CLOSED_AT_MS - HOUR_MS))
    with pytest.raises(StaleData):
        await bench.longer.load("binance", CLOSED_AT_MS, [Interval.H1])


async def test_frame_that_does_not_come_leaves_the_window_before_it() -> None:
    before = hourly(CLOSED_AT_MS - HOUR_MS)
    bench = Bench(before, now_ms=CLOSED_AT_MS + 121_000)
    found = await bench.longer.load("binance", CLOSED_AT_MS, [Interval.H1])
    assert found == {Interval.H1: before}
    assert await bench.longer.load("binance", CLOSED_AT_MS, [Interval.H1], wait_ms=0) == found


async def test_interval_without_frames_is_asked_for_again_only_after_a_while() -> None:
    bench = Bench()
    assert await bench.longer.load("binance", CLOSED_AT_MS, [Interval.H1]) == {}
    looks = len(bench.windows.looks)
    assert await bench.longer.load("binance", CLOSED_AT_MS, [Interval.H1]) == {}
    assert len(bench.windows.looks) == looks
    bench.now_ms += ASK_AGAIN_MS
    bench.windows.windows[(Interval.H1, CLOSED_AT_MS)] = hourly(CLOSED_AT_MS)
    assert Interval.H1 in await bench.longer.load("binance", CLOSED_AT_MS, [Interval.H1])
