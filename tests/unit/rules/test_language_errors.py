"""Texts that are no rules, as a user would meet them: the place, the message, the advice."""

from __future__ import annotations

import pytest

from shared.errors import InvalidRequest, InvalidRule
from shared.market.interval import Interval
from shared.rules import RuleLimits, excerpt, parse_rule

# text, line, column, suggestion, part of the message
REFUSED = [
    ("rsy(14) < 30", 1, 1, "rsi", "expected a function, was 'rsy'"),
    ("close > 1 and emma(9) > 2", 1, 15, "ema", "was 'emma'"),
    ("ta.crosover(close, open)", 1, 1, "crosses_above", "was 'ta.crosover'"),
    ("RSI(14) < 30", 1, 1, "rsi", "was 'RSI'"),
    ("close >\n\n opne", 3, 2, "open", "expected a series, was 'opne'"),
    ("Close > open", 1, 1, "close", "was 'Close'"),
    ("xyzzy > 3", 1, 1, "", "was 'xyzzy'"),
    ("rsi < 30", 1, 1, "rsi(14)", "expected arguments: rsi(source=close, n)"),
    ("close(14) > 3", 1, 1, "close[1]", "close is a series"),
    ("rsi(close) > 3", 1, 1, "rsi(14)", "expected n: rsi(source=close, n)"),
    ("close > 1 and ema(9, 21) > 2", 1, 22, "ema(9)", "expected fewer arguments"),
    ("rsi(14, lenght=3) < 2", 1, 9, "length", "expected one of source, n, length"),
    ("rsi(14, n=3) < 2", 1, 9, "", "expected 'n' once"),
    ("rsi(0) > 3", 1, 5, "", "from 2 to 500, was 0"),
    ("sma(0) > 3", 1, 5, "", "from 1 to 500, was 0"),
    ("rsi(-3) > 3", 1, 5, "", "was -3"),
    ("rsi(14.0) > 3", 1, 5, "", "was 14.0"),
    ("rsi(close, open) > 3", 1, 12, "", "was open"),
    ("sma(501) > 3", 1, 5, "", "was 501"),
    ("rsi(500) > 3", 1, 1, "", "expected to need at most 500 bars, was 501"),
    ("1 < ema(400)[200]", 1, 5, "", "at most 500 bars, was 600"),
    ("close[-1] > 3", 1, 7, "", "was -1"),
    ("close[n] > 3", 1, 7, "", "was n"),
    ("close[open\x0b+\xa01] > 3", 1, 7, "", "to 500, was open + 1"),
    ("close[open + 1] > 3", 1, 7, "", "to 500, was open + 1"),
    ("5[1] < close", 1, 1, "", "was a constant"),
    ("sma(2 * 3, 20) > 1", 1, 5, "sma(50)", "expected a series, was a constant"),
    ("", 1, 1, "", "was nothing"),
    ("\n # nothing\n", 1, 1, "", "was nothing"),
    ("rsi(14)", 1, 1, "rsi(14) > …", "expected a condition"),
    ("close > open and close", 1, 18, "close > …", "expected a condition"),
    ("not close", 1, 5, "close > …", "expected a condition"),
    ("(close > open) + 1 > 2", 1, 2, "", "expected a number, was a condition"),
    ("rsi(close > open, 14) > 2", 1, 5, "", "expected a number, was a condition"),
    ("True", 1, 1, "", "was the constant True"),
    ("close > open or False", 1, 17, "", "was the constant False"),
    ("1 < 2", 1, 1, "", "was two constants"),
    ("close > 5 > 3", 1, 9, "", "was two constants"),
    ("crosses_above(1, 2)", 1, 1, "", "was only constants"),
    ("close / 0 > 1", 1, 1, "", "divisor that is not 0"),
    ("close > 1e999", 1, 9, "", "was too large"),
    ("close > 1e300 * 1e300", 1, 9, "", "was too large"),
    ("close > " + "9" * 400, 1, 9, "", "was too large"),
    ("close = 5", 1, 7, "==", "expected a comparison, was '='"),
    ("close && open", 1, 7, "and", "was '&&'"),
    ("close > 1 || open > 2", 1, 11, "or", "was '||'"),
    ("!close > 1", 1, 1, "not", "was '!'"),
    ("close ≥ 3", 1, 7, ">=", "was '≥'"),
    ("close => 3", 1, 7, ">=", "was '=>'"),
    ("close <> 3", 1, 7, "!=", "was '<>'"),
    ("rsi(14) AND close > 3", 1, 9, "and", "expected lower case"),
    ("rsi(14) crosses above 30", 1, 9, "crosses_above(a, b)", "expected an operator"),
    ("rsi(14) crosses below 30", 1, 9, "crosses_below(a, b)", "expected an operator"),
    ("close > ", 1, 8, "", "expected a value after '>'"),
    ("close > and open > 1", 1, 9, "", "expected a condition before 'and'"),
    ("close not > 3", 1, 7, "and not", "before 'not'"),
    ("(close > open", 1, 1, "", "stays open"),
    ("close > open)", 1, 13, "", "nothing is open"),
    ("close > (open]", 1, 14, "", "to close the '(' of line 1, column 9"),
    ("close > 1) and (open > 2", 1, 10, "", "nothing is open"),
    ("close, open", 1, 6, "", "expected ',' only between"),
    ("rsi(14,) > 2", 1, 8, "", "expected a value before ')'"),
    ("rsi(n=3, 14) < 2", 1, None, "", "positional argument"),
    ("rsi(14)(15) < 3", 1, 8, "", "expected an operator before '('"),
    ("close ** 2 > 3", 1, 7, "", "was '**'"),
    ("close % 2 > 3", 1, 7, "", "was '%'"),
    ("close if open else 2", 1, 7, "", "the word 'if'"),
    ("lambda: 1", 1, 1, "", "the word 'lambda'"),
    ("__import__('os')", 1, 1, "", "expected a function, was '__import__'"),
    ("__import__(os)", 1, 1, "", "expected a function"),
    ("close.__class__ > 1", 1, 1, "", "was 'close.__class__'"),
    ('roc("24h") > 5', 1, 5, "", "roc: n: expected a rule with an interval"),
    ("close['1h'] > 5", 1, 7, "", "[n]: expected a rule with an interval, to count the bars in"),
    ('close(tf="4h") > 5', 1, 10, "", "tf: expected a rule with an interval of its own"),
    ("close > “24h”", 1, 9, '"24h"', "expected straight quotes, was “"),
    ("roc(«24h) > 1", 1, 5, '"', "expected straight quotes, was «"),
    ('close > "24h', 1, 9, "", 'expected a closing " on this line'),
    ("close['1h] > 1\nand close['1h'] > 2", 1, 7, "", "expected a closing ' on this line"),
    ('of("BTC\\x41", close) > 1', 1, 8, "", "letters and digits in quotes, was '\\'"),
    ('of("bitçoin", close) > 1', 1, 8, "", "letters and digits in quotes, was 'ç'"),
    ('of("\x1b", close) > 1', 1, 5, "", "letters and digits in quotes, was '\\x1b'"),
    ('close "24h" > 1', 1, 7, "", "expected an operator"),
    ('"24h" "24h" > 1', 1, 7, "", "expected an operator"),
    ('f"24h" > 1', 1, 2, "", "expected an operator"),
    ('"24h"(1) > 1', 1, 6, "", "expected an operator before '('"),
    ("close > 1and open > 2", 1, 10, "", "expected a space before 'and'"),
    ("close > 1.or open > 2", 1, 11, "", "expected a space before 'or'"),
    ("roc(24h) > 5", 1, 7, '"24h"', "expected an operator"),
    ("atr > 5", 1, 1, "atr(14)", "expected arguments: atr(n)"),
    ("ta.atr > 5", 1, 1, "atr(14)", "expected arguments: atr(n)"),
    ("obv > 5 and stdev > 2", 1, 13, "stdev(20)", "expected arguments: stdev(source=close, n)"),
    ("doji(3)", 1, 6, "doji", "expected fewer arguments: doji()"),
    ("doji > 3", 1, 1, "", "expected a number, was a condition"),
    ("stoch_k(close, 14) > 3", 1, 9, "", "stoch_k: n: expected a whole number"),
    (
        "bb_upper(20, 0) > 3",
        1,
        14,
        "",
        "bb_upper: k: expected a number above 0, written out, was 0",
    ),
    ("bb_upper(20, -2) > 3", 1, 14, "", "was -2"),
    ("bb_upper(20, close) > 3", 1, 14, "", "was close"),
    ("bb_upper(20, 1e999) > 3", 1, 14, "", "was 1e999"),
    ("bb_upper(20, " + "9" * 400 + ") > 3", 1, 14, "", "was 99999999999999999999…"),
    ('bb_upper(20, "2") > 3', 1, 14, "", 'was "2"'),
    ("atr() > 3", 1, 1, "atr(14)", "expected n: atr(n)"),
    ("count(rsi(14), 5) > 3", 1, 7, "rsi(14) > …", "expected a condition"),
    ("count(close > open) > 3", 1, 1, "count(close > open, 10)", "expected n: count(condition, n)"),
    ("rank(5) > 3", 1, 6, "rank(roc(24))", "rank: expected a series, was a constant"),
    ("close > pivot_r1", 1, 9, "", "pivot_r1: expected a rule with an interval, as it reads 1d"),
    ("hour() > 3", 1, 1, "hour", "expected no arguments: hour is a series"),
    ("of > 3", 1, 1, 'of("BTCUSDT", close)', "expected arguments: of(instrument, x)"),
    ("of(close) > 3", 1, 1, 'of("BTCUSDT", close)', "expected two arguments: of(instrument, x)"),
    ('of("A", close, 3) > 3', 1, 16, 'of("BTCUSDT", close)', "expected two arguments"),
    ('of(symbol="A") > 3', 1, 4, 'of("BTCUSDT", close)', "was 'symbol='"),
    ("of(BTCUSDT, close) > 3", 1, 4, '"BTCUSDT"', "expected an instrument in quotes"),
    ('of("btcusdt", close) > 3', 1, 4, '"BTCUSDT"', 'was "btcusdt"'),
    ('of("BINANCE:BTC/USDT", close) > 3', 1, 4, '"BTCUSDT"', "expected an instrument"),
    ('of("", close) > 3', 1, 4, "", 'was ""'),
    ('of("' + "A" * 31 + '", close) > 3', 1, 4, "", 'was "AAAAAAAAAAAAAAAAAAAA…"'),
    ('of("BTCUSDT", 5) > 3', 1, 15, 'of("BTCUSDT", close)', "expected a series, was a constant"),
    ("correlation(close, 20) > 0", 1, 13, '"CLOSE"', "correlation: instrument: expected an inst"),
    ('correlation("ethusdt", 20) > 0', 1, 13, '"ETHUSDT"', "correlation: instrument"),
    ('close > "BTCUSDT"', 1, 9, 'of("BTCUSDT", close)', 'expected a number, was "BTCUSDT" in q'),
    ('close > "24h"', 1, 9, 'close["24h"]', 'expected a number, was "24h" in quotes'),
    ('"24h"', 1, 1, 'close["24h"]', "in quotes"),
    ('close > "a b"', 1, 9, "", 'expected a number, was "a b" in quotes'),
    ("rsi(14, period=3) < 2", 1, 9, "", "expected one of source, n, length, tf, was 'period'"),
    ("off(14, tf=3) < 2", 1, 1, "of", "expected a function, was 'off'"),
    ("close > 007", 1, 9, "", "leading zeros"),
    ("close > 1__0", 1, 10, "", "expected an operator"),
    ("close > 0x10", 1, 10, "", "expected an operator"),
    ("close > 3\x00", 1, 10, "", "was '\\x00'"),
    ("close > 3\ud800", 1, 10, "", "was '\\ud800'"),
    ("close > 3 # \x07 é\nand 4", 2, 5, "", "expected a condition"),
    ("close > 3 # \x00", 1, 13, "", "expected text in a comment, was '\\x00'"),
    ("close > 3 # \udfff", 1, 13, "", "was '\\udfff'"),
    ("x" * 1_990 + " > 1", 1, 1, "", f"expected a series, was '{'x' * 40}…'"),
    ("_day > 1", 1, 1, "", "expected a series, was '_day'"),
    ("close > _day() and 1", 1, 9, "", "expected a function, was '_day'"),
    ("_gains(close) > 1", 1, 1, "", "was '_gains'"),
    ("a" * 2001, 1, 2001, "", "at most 2000 characters"),
    ("(" * 33, 1, 33, "", "at most 32 deep"),
    ("not " * 33 + "close > 1", 1, 129, "", "at most 32 signs"),
    ("- " * 900 + "close > 1", 1, 65, "", "at most 32 signs"),
    ("close" + "+1" * 900 + " > 1", 1, 1, "", "at most 32 levels"),
    ("close" + "[1]" * 600 + " > 1", 1, 1, "", "at most 32 levels"),
    ("a" + ".a" * 900 + " > 1", 1, 1, "", ""),
    ("rsi" + ".rsi" * 400 + "(14) > 1", 1, 1, "", ""),
    ("close[close" + "+1" * 900 + "] > 1", 1, None, "", ""),
    ("rsi(close" + "+1" * 900 + ") > 1", 1, None, "", ""),
    ("rsi(close[" + "(" * 28 + "1" + ")" * 28 + "+1" * 800 + "]) > 1", 1, None, "", ""),
    ("rsi(n=\n14\n+ 1) > 1", 2, 1, "", "from 2 to 500, was 14"),
    (" and ".join(["close > 1"] * 90), 1, None, "", "at most 200 parts"),
    ("roc(" * 30 + "close" + ", 1)" * 30 + " > 1", 1, 1, "", "expected a cheaper rule"),
    ("sma(" * 25 + "close" + ", 2)" * 25 + " > 1", 1, 1, "", "expected a cheaper rule"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "suggestion", "message"),
    REFUSED,
    ids=[ascii(row[0])[:40] for row in REFUSED],
)
def test_parse_rule_bad_text_is_refused_at_the_place(
    text: str, line: int, column: int | None, suggestion: str, message: str
) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_rule(text)
    error = caught.value
    assert message in error.message
    assert error.line == line
    assert column is None or error.column == column
    assert error.suggestion == suggestion
    assert (f"did you mean {suggestion}?" if suggestion else "") == error.hint
    assert isinstance(error, InvalidRequest)
    assert error.field == "rule"


# text (on 1h bars), line, column, suggestion, part of the message
REFUSED_ON_HOURS = [
    ('roc("90m") > 5', 1, 5, '"2h"', 'whole number of 1h bars, was "90m": 90 min / 60 min = 1.5'),
    ('roc("20m") > 5', 1, 5, '"1h"', "20 min / 60 min = 0.333333"),
    ('close["0h"] > close["30m"]', 1, 21, '"1h"', "[n]: expected a whole number of 1h bars"),
    ('roc("0h") > 5', 1, 5, "", 'roc: n: expected from 1 to 500 bars, was "0h" = 0 bars of 1h'),
    ('roc("3w") > 5', 1, 5, "", 'expected from 1 to 500 bars, was "3w" = 504 bars of 1h'),
    ('roc("500h") > 5', 1, 1, "", "expected to need at most 500 bars, was 501"),
    ('roc("24H") > 5', 1, 5, '"24h"', 'expected a duration such as "90m", "24h", "7d" or "1w"'),
    ('roc("24 h") > 5', 1, 5, '"24h"', 'was "24 h"'),
    ('roc("90s") > 5', 1, 5, "", 'was "90s"'),
    ('roc("1M") > 5', 1, 5, '"1m"', 'was "1M"'),
    ('roc("day") > 5', 1, 5, "", 'was "day"'),
    ('roc("") > 5', 1, 5, "", 'was ""'),
    ('roc("99999999999h") > 5', 1, 5, "", 'was "99999999999h"'),
    ('close(tf="5h") > 1', 1, 10, '"4h"', "tf: expected one of 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h"),
    ('close(tf="240") > 1', 1, 10, '"4h"', 'was "240"'),
    ('close(tf="D") > 1', 1, 10, '"1d"', 'was "D"'),
    ('close(tf="1w") > 1', 1, 10, '"1d"', 'was "1w"'),
    ('close(tf="4hh") > 1', 1, 10, '"4h"', 'was "4hh"'),
    ('close(tf="long ago") > 1', 1, 10, "", 'was "long ago"'),
    ("close(tf=4h) > 1", 1, 11, '"4h"', "expected an operator"),
    ("close(tf=240) > 1", 1, 10, '"4h"', "tf: expected an interval in quotes, was 240"),
    ("close(tf=open) > 1", 1, 10, "", "tf: expected an interval in quotes, was open"),
    ('close(tf="15m") > 1', 1, 10, '"1h"', "tf: expected 1h or longer, as the bars around it are"),
    ('ema(close(tf="2h"), 9, tf="4h") > 1', 1, 14, '"4h"', "tf: expected 4h or longer"),
    ('close(tf="4h", tf="4h") > 1', 1, 16, "", "expected 'tf' once, was twice"),
    ('close(14, tf="4h") > 1', 1, 1, "close[1]", "expected no arguments: close is a series"),
    ('close(n=3, tf="4h") > 1', 1, 7, "", "expected only 'tf' on a series, was 'n'"),
    ('close[1, tf="4h"] > 1', 1, 8, "", "',' only between the arguments"),
    ('(close - open)(tf="4h") > 1', 1, 15, "", "expected an operator before '('"),
    ('roc("6h", tf="4h") > 1', 1, 5, '"8h"', "whole number of 4h bars"),
    ('sma(500, tf="1d")["2d"] > 1', 1, 1, "", "expected to need at most 500 bars of 1d, was 502"),
    ('sma(sma(400, tf="4h"), 480) > 1', 1, 1, "", "at most 500 bars of 4h, was 520"),
    (
        'sma(300, tf="4h") > sma(sma(300), 300, tf="4h")',
        1,
        21,
        "",
        "at most 500 bars of 4h, was 599",
    ),
    ("+".join(f'of("S{i}", close)' for i in range(9)) + " > 1", 1, 132, "", "at most 8 other inst"),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "suggestion", "message"),
    REFUSED_ON_HOURS,
    ids=[ascii(row[0])[:40] for row in REFUSED_ON_HOURS],
)
def test_parse_rule_bad_quotes_are_refused_with_the_arithmetic(
    text: str, line: int, column: int, suggestion: str, message: str
) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_rule(text, interval=Interval.H1)
    error = caught.value
    assert message in error.message
    assert (error.line, error.column, error.suggestion) == (line, column, suggestion)


def test_parse_rule_more_intervals_than_allowed_are_refused() -> None:
    text = " + ".join(f'close(tf="{interval}")' for interval in list(Interval)[1:]) + " > 1"
    with pytest.raises(InvalidRule, match="expected at most 8 other intervals") as caught:
        parse_rule(text, interval=Interval.M1)
    assert caught.value.context["excerpt"].endswith("^")
    assert text[caught.value.column - 1 :].startswith('"8h"')
    wide = parse_rule(text, RuleLimits(intervals_max=11), interval=Interval.M1)
    assert len(wide.intervals) == 11
    with pytest.raises(InvalidRule, match="at most 0 other instruments"):
        parse_rule('of("A", close) > 1', RuleLimits(instruments_max=0))


def test_parse_rule_error_shows_the_line_and_a_caret() -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_rule("close > open\nand rsy(14) < 30\nor close < 1")
    assert caught.value.context["excerpt"] == "and rsy(14) < 30\n    ^"
    assert excerpt("ab", 9, 1) == "\n^"
