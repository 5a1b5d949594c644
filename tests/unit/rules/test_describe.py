"""What a tree says of itself: the columns it reads and the bars it needs."""

from __future__ import annotations

import pytest

from shared.market.interval import Interval
from shared.market.kline import COLUMNS
from shared.rules import parse_rule
from shared.rules.describe import bars_needed, columns_of

READS = [
    ("close > open[3]", ("open", "close")),
    ("hlc3 > 1", ("high", "low", "close")),
    ("atr(14) > 1", ("high", "low", "close")),
    ("rsi(volume, 14) > 1", ("volume",)),
    ("highest(5) > ema(9)", ("high", "close")),
    # Of other bars, or other instruments, a reason is found there.
    ('close(tf="4h") > of("BTCUSDT", high)', ()),
    ('close(tf="4h") > low', ("low",)),
]


@pytest.mark.parametrize(("text", "columns"), READS)
def test_columns_are_those_read_on_its_own_bars(text: str, columns: tuple[str, ...]) -> None:
    found = columns_of(parse_rule(text, interval=Interval.H1).tree)
    assert {COLUMNS[index] for index in found} == set(columns)


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("tr > 1", 2),
        ("atr(14) > 1", 15),
        ("sma(atr(14), 5)[2] > 1", 21),
        ("stoch_k > 1", 16),
        ('sma(rsi(100, tf="4h"), 5) > 1', 5),
        ('of("BTCUSDT", sma(20))[2] > 1', 22),
        ('correlation("BTCUSDT", 20) > 0', 20),
    ],
)
def test_bars_needed_count_series_a_function_reads_by_itself(text: str, bars: int) -> None:
    rule = parse_rule(text, interval=Interval.H1)
    assert rule.bars_needed == bars == bars_needed(rule.tree)
