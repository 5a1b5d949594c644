"""Longer bars from shorter ones: against plain Python, and never from incomplete parts."""

from __future__ import annotations

import msgspec
import numpy as np

from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.market.roll_up import roll_up
from shared.market.window import Window
from tests.unit.rules.windows import MINUTE_MS, random_columns, window_of


def window_from(first_minute: int, bars: int) -> Window:
    window = window_of(random_columns(4, bars, 3))
    return msgspec.structs.replace(
        window, open_times_ms=window.open_times_ms + first_minute * MINUTE_MS
    )


def test_roll_up_equals_plain_python() -> None:
    window = window_from(3, 24)
    rolled = roll_up(window, Interval.M5)
    assert rolled is not None
    # Minutes 5 to 24 are whole; 3, 4, 25 and 26 are parts.
    assert (rolled.open_times_ms // MINUTE_MS).tolist() == [5, 10, 15, 20]
    assert rolled.interval is Interval.M5
    for bar, first in enumerate((2, 7, 12, 17)):
        for symbol in range(3):
            part = {
                name: window.columns[place, first : first + 5, symbol].tolist()
                for place, name in enumerate(COLUMNS)
            }
            found = dict(zip(COLUMNS, rolled.columns[:, bar, symbol].tolist(), strict=True))
            assert found["open"] == part["open"][0]
            assert found["high"] == max(part["high"])
            assert found["low"] == min(part["low"])
            assert found["close"] == part["close"][-1]
            for name in COLUMNS[4:]:
                np.testing.assert_allclose(found[name], sum(part[name]), rtol=1e-14)


def test_roll_up_of_a_bar_with_a_part_missing_is_unknown_in_every_column() -> None:
    window = window_from(0, 10)
    window.columns[:, 2, 1] = np.nan
    rolled = roll_up(window, Interval.M5)
    assert rolled is not None
    assert np.isnan(rolled.columns[:, 0, 1]).all()
    assert np.isfinite(rolled.columns[:, 1, 1]).all()
    assert np.isfinite(rolled.columns[:, 0, [0, 2]]).all()


def test_roll_up_keeps_columns_that_are_there_when_others_never_are() -> None:
    window = window_from(0, 10)
    window.columns[COLUMNS.index("trades")] = np.nan
    rolled = roll_up(window, Interval.M5)
    assert rolled is not None
    assert np.isfinite(rolled.columns[COLUMNS.index("volume")]).all()


def test_roll_up_without_a_whole_bar_is_nothing() -> None:
    assert roll_up(window_from(3, 5), Interval.M5) is None
    assert roll_up(window_from(1, 1), Interval.M5) is None
