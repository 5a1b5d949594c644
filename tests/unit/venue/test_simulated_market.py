"""The simulated market: a pure function of seed, symbol and time; exact roll-ups; sane klines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from local.venue.blocks import FileDayStore
from local.venue.forming import forming_bars
from local.venue.market import SimulatedMarket
from local.venue.market_protocol import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    QUOTE_VOLUME,
    TAKER_QUOTE_VOLUME,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    Columns,
    Rows,
)
from local.venue.rollup import roll_up_rows
from shared.market.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval

# 2026-11-21 03:17:42.512 UTC: inside an hour and a minute.
NOW_MS = 1_795_231_062_512
MINUTE_NOW_MS = NOW_MS - NOW_MS % MINUTE_MS


def market(symbols: int = 50, seed: int = 7, history_days: int = 6) -> SimulatedMarket:
    return SimulatedMarket(seed, symbols, anchor_ms=NOW_MS, history_days=history_days)


def rows(of: SimulatedMarket, index: int, interval: Interval, bars: int) -> Rows:
    first_ms = interval.floor_ms(NOW_MS) - (bars - 1) * interval.duration_ms
    return of.rows(index, interval, first_ms, NOW_MS, NOW_MS)


def all_minutes(of: SimulatedMarket, minutes: int) -> Columns:
    """int64[9, symbols, minutes] before the present one."""
    times = [MINUTE_NOW_MS - back * MINUTE_MS for back in range(minutes, 0, -1)]
    return np.stack([of.minute(time).columns for time in times], axis=2)


def test_minute_asked_in_any_order_by_any_process_is_the_same() -> None:
    one, other = market(), market()
    backs = [0, 900, 61, 4_000, 60, 59, 1]
    forward = {back: one.minute(MINUTE_NOW_MS - back * MINUTE_MS).columns for back in backs}
    # The other market has answered other questions before.
    rows(other, 3, Interval.H1, 100)
    for back in reversed(backs):
        again = other.minute(MINUTE_NOW_MS - back * MINUTE_MS).columns
        np.testing.assert_array_equal(again, forward[back])


def test_minute_of_a_symbol_does_not_depend_on_how_many_others_there_are() -> None:
    few, many = market(symbols=5), market(symbols=203)
    np.testing.assert_array_equal(all_minutes(few, 130)[:, :5], all_minutes(many, 130)[:, :5])
    assert [one.symbol for one in many.instruments[:5]] == [
        "BTCUSDT",
        "ETHUSDT",
        "SOLUSDT",
        "XRPUSDT",
        "BNBUSDT",
    ]


def test_minute_with_another_seed_is_another() -> None:
    assert (all_minutes(market(seed=1), 3) != all_minutes(market(seed=2), 3)).any()


def test_klines_of_every_minute_keep_the_invariants() -> None:
    columns = all_minutes(market(symbols=500), 190)
    top = np.maximum(columns[OPEN], columns[CLOSE])
    bottom = np.minimum(columns[OPEN], columns[CLOSE])
    assert (columns[HIGH] >= top).all()
    assert (columns[LOW] <= bottom).all()
    assert (columns[LOW] >= 1).all()
    assert (columns[VOLUME] >= 1).all()
    assert (columns[TRADES] >= 1).all()
    assert (columns[TAKER_VOLUME] <= columns[VOLUME]).all()
    assert (columns[TAKER_QUOTE_VOLUME] <= columns[QUOTE_VOLUME]).all()


def test_open_of_a_minute_is_the_close_before_also_across_hours_and_days() -> None:
    columns = all_minutes(market(symbols=500), 300)
    np.testing.assert_array_equal(columns[OPEN][:, 1:], columns[CLOSE][:, :-1])


def test_quote_volume_lies_between_volume_at_low_and_at_high() -> None:
    of = market(symbols=500)
    columns = all_minutes(of, 65).astype(object)
    for index, one in enumerate(of.instruments):
        # 10^-8 of the quote asset in one lot at one price step: always a whole number.
        step = 10 ** (8 - one.price_decimals - one.lot_decimals)
        low = columns[VOLUME, index] * columns[LOW, index] * step
        high = columns[VOLUME, index] * columns[HIGH, index] * step
        assert (low <= columns[QUOTE_VOLUME, index]).all()
        assert (columns[QUOTE_VOLUME, index] <= high).all()


@pytest.mark.parametrize("interval", list(Interval))
def test_rows_of_any_interval_are_the_roll_up_of_the_minutes(interval: Interval) -> None:
    of = market(symbols=50)
    # 0 is old, 12 was listed five hours and 40 one and a half days ago.
    for index in (0, 12, 40):
        found = rows(of, index, interval, 1_000)
        minutes = of.rows(index, Interval.M1, 0, NOW_MS, NOW_MS)
        expected = roll_up_rows(minutes, interval.duration_ms)
        count = min(len(expected.open_times_ms), 1_000)
        np.testing.assert_array_equal(found.open_times_ms, expected.open_times_ms[-count:])
        np.testing.assert_array_equal(found.columns, expected.columns[:, -count:])


def test_rows_do_not_show_the_future_and_end_with_the_forming_one() -> None:
    of = market()
    found = of.rows(0, Interval.M1, MINUTE_NOW_MS - 3 * MINUTE_MS, NOW_MS + DAY_MS, NOW_MS)
    assert found.open_times_ms.tolist() == [MINUTE_NOW_MS - i * MINUTE_MS for i in (3, 2, 1, 0)]
    final = of.minute(MINUTE_NOW_MS).columns[:, 0]
    assert 0 < found.columns[VOLUME, -1] < final[VOLUME]


def test_rows_of_a_past_range_are_exactly_that_range() -> None:
    of = market()
    first_ms = MINUTE_NOW_MS - 26 * HOUR_MS
    found = of.rows(1, Interval.M15, first_ms, first_ms + HOUR_MS, NOW_MS)
    quarter_ms = 15 * MINUTE_MS
    aligned_ms = -(-first_ms // quarter_ms) * quarter_ms
    assert found.open_times_ms.tolist() == [aligned_ms + i * quarter_ms for i in range(4)]


def test_symbol_listed_hours_ago_starts_there() -> None:
    of = market()
    listed_at_ms = of.instruments[12].listed_at_ms
    assert NOW_MS - listed_at_ms == 5 * HOUR_MS + NOW_MS % HOUR_MS
    found = rows(of, 12, Interval.M5, 600)
    assert found.open_times_ms[0] == listed_at_ms
    assert not of.minute(listed_at_ms - MINUTE_MS).present[12]
    assert of.minute(listed_at_ms).present[12]


def test_symbols_that_do_not_trade_have_no_klines() -> None:
    of = market()
    halted = [i for i, one in enumerate(of.instruments) if one.status != "TRADING"]
    assert len(halted) == 5
    bars = of.minute(MINUTE_NOW_MS)
    for index in halted:
        assert not bars.present[index]
        assert len(rows(of, index, Interval.M1, 10).open_times_ms) == 0


def test_day_rows_are_the_minutes_of_the_last_day() -> None:
    of = market(symbols=3)
    found = of.day_rows(NOW_MS)
    first_ms = MINUTE_NOW_MS + MINUTE_MS - DAY_MS
    volumes = sum(of.minute(first_ms + i * MINUTE_MS).columns[VOLUME, 1] for i in range(1_440))
    assert found[VOLUME, 1] == volumes
    assert found[OPEN, 1] == of.minute(first_ms).columns[OPEN, 1]


def test_forming_kline_only_grows_and_ends_as_the_final_one() -> None:
    of = market()
    final = of.minute(MINUTE_NOW_MS).columns
    indexes = np.arange(final.shape[1])
    before = forming_bars(final, indexes, MINUTE_NOW_MS, 0)
    assert (before[TRADES] == 1).all()
    for elapsed_ms in range(0, 60_001, 1_500):
        now = forming_bars(final, indexes, MINUTE_NOW_MS, elapsed_ms)
        for column in (HIGH, VOLUME, QUOTE_VOLUME, TRADES, TAKER_VOLUME, TAKER_QUOTE_VOLUME):
            assert (before[column] <= now[column]).all()
            assert (now[column] <= final[column]).all()
        assert (now[LOW] <= before[LOW]).all()
        assert (now[LOW] >= final[LOW]).all()
        assert (now[LOW] <= now[CLOSE]).all()
        assert (now[CLOSE] <= now[HIGH]).all()
        assert (now[TAKER_VOLUME] <= now[VOLUME]).all()
        before = now
    np.testing.assert_array_equal(before, final)


def test_no_trade_minute_is_flat_and_empty_also_in_the_roll_up() -> None:
    of = market()
    minute_ms = MINUTE_NOW_MS - 30 * MINUTE_MS
    plain = of.minute(minute_ms).columns[:, 2].copy()
    hour = rows(of, 2, Interval.H1, 2)
    of.set_no_trade(2, minute_ms)
    found = of.minute(minute_ms).columns[:, 2]
    assert found.tolist() == [plain[OPEN]] * 4 + [0] * 5
    less = rows(of, 2, Interval.H1, 2)
    assert hour.columns[VOLUME].sum() - less.columns[VOLUME].sum() == plain[VOLUME]


def test_history_kept_on_disk_is_what_would_be_computed(tmp_path: Path) -> None:
    fresh, writer, reader = market(symbols=8), market(symbols=8), market(symbols=8)
    count = len(fresh.instruments)
    writer.use_store(FileDayStore(tmp_path, count))
    expected = rows(fresh, 1, Interval.D1, 100).columns
    np.testing.assert_array_equal(rows(writer, 1, Interval.D1, 100).columns, expected)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 6
    # A file that a kill cut short is computed again.
    (tmp_path / files[0]).write_bytes(b"\x93NUMPY")
    reader.use_store(FileDayStore(tmp_path, count))
    np.testing.assert_array_equal(rows(reader, 1, Interval.D1, 100).columns, expected)


def test_warmed_hours_are_what_would_be_computed() -> None:
    cold, warm = market(symbols=8), market(symbols=8)
    newest = NOW_MS // HOUR_MS - 1
    for age in range(160):
        warm.warm_hour(newest - age, age)
    for interval in (Interval.M1, Interval.M5, Interval.M15, Interval.H1, Interval.D1):
        np.testing.assert_array_equal(
            rows(warm, 4, interval, 500).columns, rows(cold, 4, interval, 500).columns
        )
