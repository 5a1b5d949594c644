"""1m → higher: exact sums, whatever was not seen is said."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.rollup import RollUp, SymbolRollUps
from shared.market.interval import MINUTE_MS, Interval
from shared.market.kline import UNITS_PER_COIN, Kline
from tests.unit.collector.make_klines import MIDNIGHT_MS, make_minute, random_minutes

HIGHER = tuple(interval for interval in Interval if interval is not Interval.M1)


def closed_klines(roll_up: RollUp, minutes: list[Kline]) -> list[Kline]:
    spans = [span for minute in minutes for span in roll_up.add_minute(minute)]
    return [span.kline for span in spans if span.kline is not None]


@settings(max_examples=30, deadline=None)
@given(interval=st.sampled_from(HIGHER), seed=st.integers(0, 10**6))
def test_rolled_up_kline_equals_arithmetic_over_its_minutes(interval: Interval, seed: int) -> None:
    count = interval.duration_ms // MINUTE_MS
    minutes = random_minutes("AAAUSDT", 0, min(2 * count, 2 * 1440), seed)
    rolled = closed_klines(RollUp(interval, MIDNIGHT_MS), minutes)
    assert len(rolled) == len(minutes) // count
    for number, kline in enumerate(rolled):
        part = minutes[number * count : (number + 1) * count]
        assert kline.open_time_ms == part[0].open_time_ms
        assert (kline.open, kline.close) == (part[0].open, part[-1].close)
        assert kline.high == max(minute.high for minute in part)
        assert kline.low == min(minute.low for minute in part)
        volume = sum(Fraction(minute.volume_e8, UNITS_PER_COIN) for minute in part)
        # The float nearest to the exact sum: a sum of floats would miss it.
        assert kline.row()[4] == float(volume)
        assert kline.trades == sum(minute.trades for minute in part)
        assert kline.taker_buy_volume_e8 == sum(minute.taker_buy_volume_e8 for minute in part)
        assert kline.quote_volume_e8 == sum(minute.quote_volume_e8 for minute in part)


def test_every_interval_closes_together_at_midnight() -> None:
    roll_ups = SymbolRollUps(HIGHER, MIDNIGHT_MS)
    spans = [s for m in random_minutes("A", 0, 1440, 1) for s in roll_ups.add_minute(m)]
    last = [
        s.interval
        for s in spans
        if s.open_time_ms + s.interval.duration_ms == MIDNIGHT_MS + 1440 * MINUTE_MS
    ]
    assert last == list(HIGHER)
    assert all(span.is_covered for span in spans)


def test_minutes_the_venue_does_not_have_do_not_count() -> None:
    minutes = [make_minute("A", 0, 10.0), make_minute("A", 3, 30.0), make_minute("A", 10, 1.0)]
    roll_up = RollUp(Interval.M5, MIDNIGHT_MS)
    spans = [span for minute in minutes for span in roll_up.add_minute(minute)]
    assert [(s.open_time_ms - MIDNIGHT_MS) // MINUTE_MS for s in spans] == [0, 5]
    assert spans[0].kline is not None
    assert (spans[0].kline.open, spans[0].kline.close, spans[0].kline.trades) == (9.5, 30.0, 6)
    # Nothing at all in the second: covered, and void.
    assert (spans[1].kline, spans[1].is_covered) == (None, True)


def test_minutes_without_trades_give_no_price_where_others_have_trades() -> None:
    flat = msgspec.structs.replace(
        make_minute("A", 0, 50.0, trades=0), open=50.0, high=50.0, low=50.0
    )
    [rolled] = closed_klines(
        RollUp(Interval.M3, MIDNIGHT_MS),
        [
            flat,
            make_minute("A", 1, 10.0),
            msgspec.structs.replace(
                flat,
                open_time_ms=MIDNIGHT_MS + 2 * MINUTE_MS,
                open=10.0,
                high=10.0,
                low=10.0,
                close=10.0,
            ),
        ],
    )
    assert (rolled.open, rolled.high, rolled.low, rolled.close) == (9.5, 11.0, 9.0, 10.0)
    assert rolled.trades == 3


def test_kline_whose_beginning_was_not_seen_is_not_given_out() -> None:
    roll_up = RollUp(Interval.M3, MIDNIGHT_MS + MINUTE_MS)
    spans = [s for m in random_minutes("A", 1, 5, 1) for s in roll_up.add_minute(m)]
    assert [(s.is_covered, s.kline is None) for s in spans] == [(False, True), (True, False)]


@pytest.mark.parametrize("seam", [1, 60, 119])
def test_beginning_given_later_makes_the_same_kline(seam: int) -> None:
    minutes = random_minutes("A", 0, 120, 3)
    [whole] = closed_klines(RollUp(Interval.H2, MIDNIGHT_MS), minutes)
    late = RollUp(Interval.H2, MIDNIGHT_MS + seam * MINUTE_MS)
    assert closed_klines(late, minutes[seam:-1]) == []
    assert not late.prepend(minutes[:seam], MIDNIGHT_MS, MIDNIGHT_MS + (seam - 1) * MINUTE_MS)
    assert late.prepend(minutes[:seam], MIDNIGHT_MS, MIDNIGHT_MS + seam * MINUTE_MS)
    if seam < 119:
        [joined] = closed_klines(late, minutes[-1:])
        assert joined.row() == whole.row()


def test_corrected_minute_makes_the_forming_kline_uncovered() -> None:
    roll_up = RollUp(Interval.M5, MIDNIGHT_MS)
    minutes = random_minutes("A", 0, 10, 4)
    for minute in minutes[:2]:
        roll_up.add_minute(minute)
    roll_up.forget()
    spans = [span for minute in minutes[2:] for span in roll_up.add_minute(minute)]
    assert [span.is_covered for span in spans] == [False, True]
