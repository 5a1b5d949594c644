"""Reading calls: arguments that are left out, in quotes, named; other intervals and instruments."""

from __future__ import annotations

import pytest

from shared.market.interval import Interval
from shared.rules import parse_rule
from shared.rules.describe import bars_on_longer, names_of
from shared.rules.tree import Call, OfInstrument, OnInterval, Series

ACCEPTED = [
    ("doji", "doji()"),
    ("doji()", "doji()"),
    ("not doji and close > open", "not doji() and close > open"),
    ("doji[1] and doji()[2]", "doji()[1] and doji()[2]"),
    ("ta.obv > obv[1]", "obv() > obv()[1]"),
    ("macd > macd_signal", "macd(12, 26, 9) > macd_signal(12, 26, 9)"),
    ("macd(12, 26, 9) > 0", "macd(12, 26, 9) > 0"),
    ("macd(5) > 0", "macd(5, 26, 9) > 0"),
    ("macd(volume) > 0", "macd(volume, 12, 26, 9) > 0"),
    ("macd(close, 12, 26, 9) > 0", "macd(12, 26, 9) > 0"),
    ("macd(signal=5) > 0", "macd(12, 26, 5) > 0"),
    ("stoch_k > 80", "stoch_k(14, 3) > 80"),
    ("stoch_k() > 80", "stoch_k(14, 3) > 80"),
    ("stoch_k(9) > 80", "stoch_k(9, 3) > 80"),
    ("stoch_k(smooth=1) > 80", "stoch_k(14, 1) > 80"),
    ("atr(14) > 1", "atr(14) > 1"),
    ("bb_upper(20, 2) > close", "bb_upper(20, 2) > close"),
    ("bb_upper(20, 2.5) > close", "bb_upper(20, 2.5) > close"),
    ("bb_upper(close, 20, 2.0) > close", "bb_upper(20, 2) > close"),
    ("bb_upper(hl2, 20, 1e-3) > close", "bb_upper(hl2, 20, 0.001) > close"),
    ("bb_upper(k=2, n=20) > close", "bb_upper(20, 2) > close"),
    ("vwap > close", "vwap() > close"),
    ("vwap(20) > close", "vwap(20) > close"),
    ("count(close > open, 5) >= 4", "count(close > open, 5) >= 4"),
    ("count(doji, 5) >= 4", "count(doji(), 5) >= 4"),
    ("bars_since(crosses_above(close, open)) < 5", "bars_since(crosses_above(close, open)) < 5"),
    ("any(close > open or doji, 3)", "any(close > open or doji(), 3)"),
    ("all((close > open)[1], 3)", "all((close > open)[1], 3)"),
    ("rank(roc(24)) <= 10", "rank(roc(24)) <= 10"),
    ("share(close > sma(50)) > 0.5", "share(close > sma(50)) > 0.5"),
    ("hour >= 8 and weekday < 5", "hour >= 8 and weekday < 5"),
    ('correlation("BTCUSDT", 30) > 0.8', 'correlation("BTCUSDT", 30) > 0.8'),
    ("correlation('BTCUSDT', n=30) > 0.8", 'correlation("BTCUSDT", 30) > 0.8'),
    ('of("BTCUSDT", close) > 1', 'of("BTCUSDT", close) > 1'),
    ("of('BTCUSDT', roc(1)[2])[3] > 1", 'of("BTCUSDT", roc(1)[2])[3] > 1'),
    ('of("BTCUSDT", close > open)', 'of("BTCUSDT", close > open)'),
    ('of("1000SATSUSDT", of("BTC_261225", doji))', None),
]

ACCEPTED_ON_HOURS = [
    ('roc("24h") > 5', "roc(24) > 5", ()),
    ("roc('1d') > 5", "roc(24) > 5", ()),
    ('roc("1w") > 5', "roc(168) > 5", ()),
    ('close["60m"] > open["0h"]', "close[1] > open", ()),
    ('sma(volume, "2d") > 1', "sma(volume, 48) > 1", ()),
    ('rsi(14, tf="4h") < 30', 'rsi(14, tf="4h") < 30', (Interval.H4,)),
    ('close(tf="4h") > 1', 'close(tf="4h") > 1', (Interval.H4,)),
    ('doji(tf="1d")', 'doji(tf="1d")', (Interval.D1,)),
    ('macd(tf="4h")[1] > 1', 'macd(12, 26, 9, tf="4h")[1] > 1', (Interval.H4,)),
    ('close(tf="1h") > open', "close > open", ()),
    ('rsi(14, tf="1h") > 30', "rsi(14) > 30", ()),
    ('roc("24h", tf="4h") > 5', 'roc(6, tf="4h") > 5', (Interval.H4,)),
    ('roc("1d", tf="1d") > close["1d"]', 'roc(1, tf="1d") > close[24]', (Interval.D1,)),
    ('of("BTCUSDT", close, tf="1d") > 1', None, (Interval.D1,)),
    ('of("BTCUSDT", close(tf="1d")) > 1', None, (Interval.D1,)),
    ('ema(close(tf="4h"), 9) > 1', None, (Interval.H4,)),
    ('ema(close(tf="4h"), 9, tf="4h") > 1', 'ema(9, tf="4h") > 1', (Interval.H4,)),
    (
        'ema(close(tf="1d"), 9, tf="4h") > 1',
        'ema(close(tf="1d"), 9, tf="4h") > 1',
        (Interval.H4, Interval.D1),
    ),
    ('rank(roc("24h", tf="1d")) < 5 or doji(tf="2h")', None, (Interval.H2, Interval.D1)),
    ('crosses_above(close, sma(200, tf="1d"))', None, (Interval.D1,)),
    ('crosses_above(close, sma(200), tf="1d")', None, (Interval.D1,)),
    ("close > pivot", "close > pivot()", (Interval.D1,)),
    ('close > pivot(tf="4h")', None, (Interval.H4, Interval.D1)),
    ('close > pivot(tf="1d")', None, (Interval.D1,)),
]


@pytest.mark.parametrize(("text", "canonical"), ACCEPTED)
def test_parse_rule_calls_are_spelled_one_way(text: str, canonical: str | None) -> None:
    rule = parse_rule(text)
    if canonical is not None:
        assert rule.canonical == canonical
    assert rule.interval_free and rule.interval is None and rule.intervals == ()
    assert rule.names == names_of(rule.tree)
    again = parse_rule(rule.canonical, interval=Interval.M1)
    assert again.tree == rule.tree
    assert again == parse_rule(rule.canonical)


@pytest.mark.parametrize(("text", "canonical", "intervals"), ACCEPTED_ON_HOURS)
def test_parse_rule_durations_and_intervals_are_read_on_hours(
    text: str, canonical: str | None, intervals: tuple[Interval, ...]
) -> None:
    rule = parse_rule(text, interval=Interval.H1)
    if canonical is not None:
        assert rule.canonical == canonical
    assert rule.intervals == intervals
    assert not rule.interval_free
    assert rule.interval is Interval.H1
    assert rule.names == names_of(rule.tree)
    assert parse_rule(rule.canonical, interval=Interval.H1).tree == rule.tree


def test_parse_rule_days_of_a_pivot_are_those_of_a_daily_rule() -> None:
    rule = parse_rule("close > pivot", interval=Interval.D1)
    assert (rule.interval, rule.intervals) == (Interval.D1, ())


def test_parse_rule_duration_is_as_many_bars_as_fit() -> None:
    bars = {
        interval: parse_rule('close["1d"] > 1', interval=interval).bars_needed - 1
        for interval in list(Interval)[3:]
    }
    assert list(bars.values()) == [96, 48, 24, 12, 6, 4, 3, 2, 1]


def test_parse_rule_intervals_and_instruments_wrap_what_they_are_written_on() -> None:
    day = Interval.D1
    text = 'of("BTCUSDT", close, tf="1d")[2] > of("ABC", open(tf="1d"))'
    rule = parse_rule(text, interval=Interval.H4)
    left, right = rule.tree.left.operand, rule.tree.right  # type: ignore[union-attr]
    assert left == OnInterval(OfInstrument("BTCUSDT", Series("close")), day)
    assert right == OfInstrument("ABC", OnInterval(Series("open"), day))
    assert rule.instruments == ("ABC", "BTCUSDT")
    assert rule.bars_needed == 3
    assert bars_on_longer(rule.tree, Interval.H4) == {day: 2}


def test_parse_rule_instruments_include_those_of_functions() -> None:
    rule = parse_rule('correlation("ETHUSDT", 20) > 0.5 and of("BTCUSDT", rsi(14)) > 50')
    assert rule.instruments == ("BTCUSDT", "ETHUSDT")
    assert isinstance(rule.tree.operands[0].left, Call)  # type: ignore[union-attr]


def test_parse_rule_bars_are_counted_on_each_interval_for_itself() -> None:
    rule = parse_rule('sma(400, tf="1d") > sma(480)', interval=Interval.H1)
    assert rule.bars_needed == 480
    assert bars_on_longer(rule.tree, Interval.H1) == {Interval.D1: 400}
    nested = 'sma(sma(100, tf="1d"), 30, tf="4h")[23] > 1'
    rule = parse_rule(nested, interval=Interval.H1)
    # 23 hours reach 6 bars of 4h back; 6 + 29 of those reach 6 days back.
    assert bars_on_longer(rule.tree, Interval.H1) == {Interval.H4: 36, Interval.D1: 106}
    assert rule.bars_needed == 24
