"""The preview of a rule: counts, matches, triggers, what is unknown, how noisy it is."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from shared.errors import InvalidRequest
from shared.market.kline import COLUMNS
from shared.market.window import Window
from shared.rules import parse_rule
from shared.rules.preview import NOISY_SIGNALS_PER_DAY, noise_of, preview
from shared.runs import Trigger
from tests.unit.rules.windows import random_columns, uneven_columns, window_of

NAN = float("nan")


def window_of_closes(*closes: list[float]) -> Window:
    """Return a window with these closes, a list a symbol; all columns are like the close."""
    return window_of(np.tile(np.array(closes, dtype=np.float64).T, (len(COLUMNS), 1, 1)))


def test_preview_counts_true_false_and_unknown_by_reason() -> None:
    window = window_of_closes([9, 11, 12], [9, 9, 9], [NAN, NAN, 12], [9, 11, NAN])
    found = preview(parse_rule("close > 10 and close[1] > 0"), window)
    assert (found.true_count, found.false_count, found.unknown_count) == (1, 1, 2)
    assert found.instruments_count == 4
    assert {each.kind: each.count for each in found.unknown} == {"missing": 1, "warming up": 1}
    (match,) = found.matches
    assert (match.instrument, match.price) == ("S0USDT", 12.0)
    assert match.values == {"close": 12.0, "close[1]": 11.0}
    assert [miss.instrument for miss in found.near_misses.nearest] == ["S1USDT"]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Trigger.ENTER, ("S0USDT",)),
        (Trigger.EXIT, ("S2USDT",)),
        (Trigger.WHILE, ("S0USDT", "S1USDT")),
    ],
)
def test_preview_names_whom_the_trigger_would_signal(
    trigger: Trigger, expected: tuple[str, ...]
) -> None:
    window = window_of_closes([9, 9, 11], [9, 11, 11], [9, 11, 9], [NAN, NAN, 9])
    assert preview(parse_rule("close > 10"), window, trigger=trigger).would_signal == expected


def test_preview_counts_signals_of_the_last_closes() -> None:
    # Enters at bars 1, 3 and 5 of each; a minute a bar.
    window = window_of_closes([9, 11, 9, 11, 9, 11], [9, 11, 9, 11, 9, 11])
    found = preview(parse_rule("close > 10"), window, closes_max=3)
    assert found.lately is not None
    assert (found.lately.closes_count, found.lately.signals_count) == (3, 4)
    assert found.lately.signals_per_day == pytest.approx(4 * 1440 / 3)
    assert found.lately.first_closed_at_ms == 4 * 60_000
    assert found.noise is not None
    assert found.noise.startswith("too noisy: about 1,920 signals a day")


def test_preview_is_about_the_universe_alone() -> None:
    window = window_of_closes([9, 11], [9, 11], [9, 9])
    found = preview(parse_rule("close > 10"), window, universe=["S2USDT", "S1USDT"])
    assert (found.instruments_count, found.true_count, found.false_count) == (2, 1, 1)
    assert found.would_signal == ("S1USDT",)


def test_preview_of_an_unknown_instrument_is_refused_with_the_nearest() -> None:
    window = window_of_closes([9, 11], [9, 11])
    with pytest.raises(InvalidRequest, match="was s1usdt") as refused:
        preview(parse_rule("close > 10"), window, universe=["s1usdt"])
    assert refused.value.hint == "did you mean S1USDT?"


def test_preview_without_history_enough_says_all_is_unknown() -> None:
    found = preview(parse_rule("sma(50) > 1"), window_of_closes([1, 2], [1, 2]))
    assert (found.true_count, found.false_count, found.unknown_count) == (0, 0, 2)
    assert [(each.kind, each.count) for each in found.unknown] == [("warming up", 2)]
    assert found.lately is None
    assert found.bars_needed == 50


def test_preview_names_other_reasons_by_asking() -> None:
    found = preview(parse_rule("close / (open - open) > 1"), window_of_closes([9, 11], [9, 11]))
    assert [(each.kind, each.count) for each in found.unknown] == [("division by zero", 2)]


def test_preview_shows_at_most_what_was_asked_for_and_counts_all() -> None:
    window = window_of(random_columns(1, 30, 40))
    found = preview(parse_rule("close > 0.5 * high"), window, matches_max=3)
    assert (found.true_count, len(found.matches)) == (40, 3)


def test_preview_becomes_json() -> None:
    window = window_of(uneven_columns(1, 60, 21))
    found = preview(parse_rule("rsi(14) < 50"), window)
    document = msgspec.json.decode(msgspec.json.encode(found))
    assert document["rule"] == "rsi(14) < 50"
    assert document["cost"]["rows"] > 0


@pytest.mark.parametrize(
    ("now", "known", "per_day", "noisy"),
    [
        (2, 20, None, False),  # a tenth is not more than a tenth
        (3, 20, None, True),
        (19, 19, None, False),  # a small universe
        (0, 500, float(NOISY_SIGNALS_PER_DAY), False),
        (0, 500, NOISY_SIGNALS_PER_DAY + 1.0, True),
    ],
)
def test_noise_is_a_tenth_of_the_universe_or_one_in_a_quarter_of_an_hour(
    now: int, known: int, per_day: float | None, noisy: bool
) -> None:
    assert (noise_of(now, known, per_day) is not None) == noisy
