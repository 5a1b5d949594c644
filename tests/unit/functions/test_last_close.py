"""The verdicts kept from the close before: equal to computing them, and used when they can be."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from functions.execute_traders.last_close import LastClose
from functions.execute_traders.verdicts import evaluate_rules, plan_rules, states
from shared.market.frame import Feed, Frame, symbol_list_id
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import Plan, Verdicts, evaluate, parse_rule
from shared.store.frames import FrameStore, Revisions
from shared.store.meter import CommandMeter
from shared.store.windows import WINDOW_BARS, WindowCache
from tests.unit.rules.windows import random_columns, uneven_columns
from tests.unit.shared.test_windows import MemoryRedis

SYMBOLS = tuple(f"S{number}USDT" for number in range(9))
RULES = [
    parse_rule(text, interval=Interval.M1)
    for text in (
        "close > ema(9)",
        "crosses_above(sma(5), sma(9))",
        "rsi(14) < 45 and volume > sma(volume, 20)",
        "adx(14) > 20 or close > supertrend(10, 3)",
        "rank(roc(5)) <= 3",
        'close > sma(9, tf="5m")',
        "all(close > open, 2)",
    )
]


class Market:
    """Frames of 1m and 5m in a store, read by one warm cache."""

    def __init__(self, columns: NDArray[np.float64]) -> None:
        self.columns = columns
        # The few commands that the store sends.
        self.store = FrameStore(MemoryRedis(), CommandMeter(time.monotonic()))  # type: ignore[arg-type]
        self.windows = WindowCache(self.store)
        self.revisions = Revisions()

    async def publish(self, interval: Interval, bar: int, revision: int = 1) -> None:
        minutes = interval.duration_ms // 60_000
        columns = self.columns[:, bar * minutes + minutes - 1]
        frame = Frame(
            venue="binance",
            interval=interval,
            open_time_ms=bar * interval.duration_ms,
            symbol_list_id=symbol_list_id(SYMBOLS),
            revision=revision,
            feed=Feed.SIMULATED,
            complete=True,
            received_at_ms=0,
            published_at_ms=0,
            present=~np.isnan(columns[0]),
            columns=columns,
        )
        await self.store.publish_symbols("binance", SYMBOLS)
        await self.store.publish([frame], self.revisions)

    async def close(self, minute: int) -> None:
        await self.publish(Interval.M1, minute)
        if minute % 5 == 4:
            await self.publish(Interval.M5, minute // 5)

    async def load(self, minute: int) -> tuple[Window, dict[Interval, Window]]:
        five = (minute + 1) // 5 - 1
        window = await self.windows.load_window("binance", Interval.M1, minute * 60_000)
        longer = await self.windows.load_window("binance", Interval.M5, five * 300_000)
        return window, {Interval.M5: longer}


class Counting:
    """Evaluates, and remembers at how many bars back."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(
        self, plan: Plan, window: Window, bars_back: int, *, longer: Mapping[Interval, Window]
    ) -> Verdicts:
        self.asked.append(bars_back)
        return evaluate(plan, window, bars_back, longer=longer)


async def run_closes(
    market: Market, last: LastClose, minutes: range, plan: Plan | None
) -> list[list[int]]:
    """Return the bars back that were evaluated at each close; both ways must agree."""
    asked = []
    nothing = [None] * len(RULES)
    for minute in minutes:
        await market.close(minute)
        window, longer = await market.load(minute)
        counting = Counting()
        warm = evaluate_rules(
            RULES, nothing, plan, window, longer, with_before=True, last=last, evaluate=counting
        )
        cold = evaluate_rules(RULES, nothing, plan, window, longer, with_before=True)
        for one, other in zip(
            states(warm, len(RULES), len(SYMBOLS)),
            states(cold, len(RULES), len(SYMBOLS)),
            strict=True,
        ):
            assert one.tolist() == other.tolist()
        asked.append(counting.asked)
    return asked


async def a_market(columns: NDArray[np.float64], bars: int = 5 * WINDOW_BARS + 4) -> Market:
    market = Market(columns)
    for minute in range(bars):
        await market.close(minute)
    return market


async def test_close_before_is_evaluated_once_only_and_found_equal() -> None:
    first = 5 * WINDOW_BARS + 4
    columns = uneven_columns(5, first + 20, len(SYMBOLS))
    market = await a_market(columns)
    plan = plan_rules(RULES, [None] * len(RULES))
    asked = await run_closes(market, LastClose(), range(first, first + 20), plan)
    assert asked == [[0, 1]] + [[0]] * 19


async def test_a_bar_that_changed_is_evaluated_again() -> None:
    first = 5 * WINDOW_BARS + 4
    market = await a_market(random_columns(6, first + 12, len(SYMBOLS)))
    plan = plan_rules(RULES, [None] * len(RULES))
    last = LastClose()
    await run_closes(market, last, range(first, first + 4), plan)
    changed = first + 3
    market.columns[:, changed] *= 1.5
    market.revisions.revisions[changed * 60_000] = 2
    await market.publish(Interval.M1, changed, revision=2)
    asked = await run_closes(market, last, range(first + 4, first + 7), plan)
    assert asked == [[0, 1], [0], [0]]


async def test_a_skipped_close_and_another_plan_are_evaluated_again() -> None:
    first = 5 * WINDOW_BARS + 4
    market = await a_market(random_columns(7, first + 12, len(SYMBOLS)))
    plan = plan_rules(RULES, [None] * len(RULES))
    last = LastClose()
    await run_closes(market, last, range(first, first + 3), plan)
    await market.close(first + 3)
    asked = await run_closes(market, last, range(first + 4, first + 6), plan)
    assert asked == [[0, 1], [0]]
    other = plan_rules(RULES, [None] * len(RULES))
    assert await run_closes(market, last, range(first + 6, first + 8), other) == [[0, 1], [0]]


async def test_no_bars_are_kept() -> None:
    market = await a_market(random_columns(8, 5 * WINDOW_BARS + 4, len(SYMBOLS)))
    last = LastClose()
    plan = plan_rules(RULES, [None] * len(RULES))
    window, longer = await market.load(5 * WINDOW_BARS + 3)
    evaluate_rules(RULES, [None] * len(RULES), plan, window, longer, with_before=False, last=last)
    bars = weakref.ref(window.columns.base)
    del window, longer, market
    gc.collect()
    assert bars() is None
