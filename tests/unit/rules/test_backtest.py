"""The backtest: signals, days, returns and their distributions, against plain Python."""

from __future__ import annotations

import statistics
from collections import Counter

import msgspec
import numpy as np
import pytest

from shared.errors import InvalidRequest
from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.rules import FALSE, TRUE, UNKNOWN, build_plan, evaluate, parse_rule
from shared.rules.backtest import Progress, Report, backtest, distribution
from shared.rules.replay import reason_kind
from shared.runs import Trigger
from tests.unit.rules.test_preview import NAN, window_of_closes
from tests.unit.rules.windows import random_columns, uneven_columns, window_of

CLOSE = COLUMNS.index("close")


def report_of(text: str, window: Window, trigger: Trigger = Trigger.ENTER) -> Report:
    *_, report = backtest(parse_rule(text), window, trigger=trigger)
    assert isinstance(report, Report)
    return report


def test_backtest_counts_entries_and_their_returns() -> None:
    window = window_of_closes([9, 11, 12, 9, 12, 15], [11, 11, 11, 11, 11, 11])
    report = report_of("close > 10", window)
    assert (report.signals_count, report.closes_count) == (2, 5)
    assert [(each.instrument, each.signals_count) for each in report.by_instrument] == [
        ("S0USDT", 2)
    ]
    after_one = report.horizons[0]
    assert after_one.bars == 1
    # Entered at 11 and at 12, then 12 and 15.
    assert after_one.signals.count == 2
    assert after_one.signals.mean == pytest.approx((12 / 11 - 1 + 15 / 12 - 1) / 2)
    assert after_one.signals.share_above_0 == 1.0
    # Every close but the last, of both.
    returns = [12 / 11 - 1, 9 / 12 - 1, 12 / 9 - 1, 15 / 12 - 1, 0, 0, 0, 0]
    assert after_one.universe.count == 8
    assert after_one.universe.mean == pytest.approx(statistics.mean(returns))
    assert after_one.universe.share_above_0 == pytest.approx(3 / 8)
    # Nothing is known twenty bars later.
    assert report.horizons[2].signals.count == report.horizons[2].universe.count == 0
    assert report.horizons[2].signals.mean is None


@pytest.mark.parametrize(
    ("trigger", "signals"), [(Trigger.ENTER, 2), (Trigger.EXIT, 1), (Trigger.WHILE, 4)]
)
def test_backtest_of_each_trigger(trigger: Trigger, signals: int) -> None:
    window = window_of_closes([9, 11, 12, 9, 12, 15])
    assert report_of("close > 10", window, trigger).signals_count == signals


def test_backtest_tells_its_progress_then_the_report() -> None:
    window = window_of(random_columns(1, 40, 3))
    *steps, report = backtest(parse_rule("close > sma(20)"), window)
    assert steps == [Progress(done, 20) for done in range(1, 21)]
    assert isinstance(report, Report)
    assert report.caution.startswith("Past returns promise nothing")


def test_backtest_begins_after_the_warm_up_and_counts_short_histories() -> None:
    window = window_of(random_columns(1, 510, 2))
    report = report_of("close > sma(20)", window)
    # sma(20) is known at bar 19, an entry at bar 20; bar 499 has 500 behind it.
    assert report.first_closed_at_ms == 21 * 60_000
    assert report.last_closed_at_ms == window.closed_at_ms
    assert (report.closes_count, report.short_history_closes_count) == (490, 479)


def test_backtest_from_a_time_on_knows_the_close_before_it() -> None:
    window = window_of_closes([9, 9, 9, 11, 11])
    first_ms = 4 * 60_000
    *_, report = backtest(parse_rule("close > 10"), window, first_closed_at_ms=first_ms)
    assert isinstance(report, Report)
    assert (report.first_closed_at_ms, report.closes_count, report.signals_count) == (
        first_ms,
        2,
        1,
    )


def test_backtest_without_history_enough_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="expected more than 50 bars of history, was 3"):
        list(backtest(parse_rule("sma(50) > 1"), window_of_closes([1, 2, 3])))


def test_backtest_days_are_utc_and_a_close_at_midnight_ends_its_day() -> None:
    hour = 3_600_000
    window = msgspec.structs.replace(
        window_of_closes([9, 11, 11, 11], [9, 9, 11, 11]),
        interval=Interval.H1,
        # Closes at 23:00, 00:00, 01:00, 02:00.
        open_times_ms=np.array([22, 23, 24, 25], dtype=np.int64) * hour,
    )
    report = report_of("close > 10", window, Trigger.WHILE)
    assert [(each.day_ms, each.signals_count) for each in report.by_day] == [
        (0, 1),
        (24 * hour, 4),
    ]
    assert report.signals_per_day == pytest.approx(5 * 24 / 4)


def test_backtest_holds_back_what_has_no_bar() -> None:
    report = report_of("close > 10", window_of_closes([9, NAN, 11, NAN, 12]), Trigger.WHILE)
    assert (report.true_count, report.false_count, report.unknown_count) == (2, 1, 2)
    assert [(each.kind, each.count) for each in report.unknown] == [("missing", 2)]


def test_distribution_equals_plain_python() -> None:
    returns = np.random.default_rng(5).normal(0, 0.02, 501)
    found = distribution(returns)
    cuts = statistics.quantiles(returns.tolist(), n=20, method="inclusive")
    assert found.count == 501
    assert found.mean == pytest.approx(statistics.fmean(returns.tolist()))
    assert found.median == pytest.approx(statistics.median(returns.tolist()))
    assert [found.p5, found.p25, found.p75, found.p95] == pytest.approx(
        [cuts[0], cuts[4], cuts[14], cuts[18]]
    )
    assert found.share_above_0 == sum(value > 0 for value in returns) / 501


@pytest.mark.parametrize("trigger", list(Trigger))
def test_backtest_equals_plain_python_on_uneven_histories(trigger: Trigger) -> None:
    text = "rsi(5) < 45 and close / (volume - volume[1]) > -1e9"
    window = window_of(uneven_columns(7, 120, 16))
    report = report_of(text, window, trigger)
    plan = build_plan([parse_rule(text)])
    verdicts = [evaluate(plan, window, window.bars - 1 - bar) for bar in range(window.bars)]
    closes = window.columns[CLOSE]
    first = window.bars - report.closes_count
    signals, states, kinds = [], Counter[int](), Counter[str]()
    for bar in range(first, window.bars):
        for symbol in range(len(window.symbols)):
            now = int(verdicts[bar].state(0)[symbol])
            before = int(verdicts[bar - 1].state(0)[symbol])
            if np.isnan(closes[bar, symbol]):
                now = UNKNOWN
            states[now] += 1
            if now == UNKNOWN:
                reason = verdicts[bar].unknown_reason(0, symbol) or "missing"
                kinds[reason_kind(reason)] += 1
            fires = {
                Trigger.ENTER: now == TRUE and before == FALSE,
                Trigger.EXIT: now == FALSE and before == TRUE,
                Trigger.WHILE: now == TRUE,
            }
            if fires[trigger]:
                signals.append((bar, symbol))
    assert report.signals_count == len(signals) > 10
    assert report.true_count == states[TRUE]
    assert report.false_count == states[FALSE]
    assert report.unknown_count == states[UNKNOWN]
    assert {each.kind: each.count for each in report.unknown} == kinds
    assert {each.instrument: each.signals_count for each in report.by_instrument} == Counter(
        window.symbols[symbol] for _, symbol in signals
    )
    for horizon in report.horizons:
        later = [
            float(closes[bar + horizon.bars, symbol] / closes[bar, symbol] - 1)
            for bar, symbol in signals
            if bar + horizon.bars < window.bars
        ]
        later = [value for value in later if not np.isnan(value)]
        assert horizon.signals.count == len(later)
        assert horizon.signals.mean == pytest.approx(statistics.fmean(later))


def test_backtest_never_looks_ahead() -> None:
    window = window_of(random_columns(2, 90, 5))
    shorter = window_of(window.columns[:, :70])
    whole, part = (report_of("close > ema(9)", each) for each in (window, shorter))
    assert part.closes_count == whole.closes_count - 20
    # Every day of the shorter one but its last, which goes on, has the same signals.
    *_, until = backtest(parse_rule("close > ema(9)"), shorter)
    assert isinstance(until, Report)
    assert until == part
    assert whole.signals_count >= part.signals_count
