"""Reading rules: what is accepted and how it is spelled, what is refused, where, and the advice."""

from __future__ import annotations

import random

import pytest

from shared.errors import InvalidRequest, InvalidRule
from shared.rules import ALIASES, FUNCTIONS, SERIES, RuleLimits, excerpt, parse_rule

ACCEPTED = [
    ("close>open", "close > open", 1),
    ("  close > open  ", "close > open", 1),
    ("close > open # why not: ≥ 'x' ((", "close > open", 1),
    ("close > open\n  and volume > 3 # so\n", "close > open and volume > 3", 1),
    ("close\u00a0>\topen", "close > open", 1),
    ("close > open\r\nor close < low", "close > open or close < low", 1),
    ("rsi(14) < 30", "rsi(14) < 30", 15),
    ("rsi(close, 14) < 30", "rsi(14) < 30", 15),
    ("rsi(n=14) < 30", "rsi(14) < 30", 15),
    ("rsi(length=14, source=hl2) < 30", "rsi(hl2, 14) < 30", 15),
    ("rsi(14, source=volume) < 30", "rsi(volume, 14) < 30", 15),
    ("ta.rsi(close, 14) < 30", "rsi(14) < 30", 15),
    ("highest(20) > high[1]", "highest(20) > high[1]", 20),
    ("highest(high, 20) > 1", "highest(20) > 1", 20),
    ("highest(close, 20) > 1", "highest(close, 20) > 1", 20),
    ("lowest(low, 20) > 1", "lowest(20) > 1", 20),
    ("change() > 0", "change(1) > 0", 2),
    ("change(5) > 0", "change(5) > 0", 6),
    ("change(volume) > 0", "change(volume, 1) > 0", 2),
    ("ta.crossover(ta.ema(9), ta.ema(21))", "crosses_above(ema(9), ema(21))", 22),
    ("crossunder(rsi(14), 70)", "crosses_below(rsi(14), 70)", 16),
    ("20 < rsi(14) < 80", "20 < rsi(14) and rsi(14) < 80", 15),
    ("(low < open) and (open < close and close < high)", None, 1),
    ("not (20 < rsi(14) < 80)", "not (20 < rsi(14) and rsi(14) < 80)", 15),
    ("not close > open", "not close > open", 1),
    ("(close > open or high > low) and close != 3", None, 1),
    ("close[1][2][0] > 1", "close[3] > 1", 4),
    ("close[0] > 1", "close > 1", 1),
    ("(close - open)[1] > 0", "(close - open)[1] > 0", 2),
    ("(close > open)[1]", "(close > open)[1]", 2),
    ("ema(sma(5), 9)[3] > 0", "ema(sma(5), 9)[3] > 0", 16),
    ("close > 2 * 3 + 1", "close > 7", 1),
    ("close > 1e3 and close < .5 and close > 1_000.25", None, 1),
    ("close > - - 5", "close > 5", 1),
    ("--close > -5", "close > -5", 1),
    ("close - (open - low) > 0", "close - (open - low) > 0", 1),
    ("(close - open) - low > 0", "close - open - low > 0", 1),
    ("-(close * 2) > -close * 2", "-(close * 2) > -close * 2", 1),
    ("close * (open + 1) / 2 > 0", "close * (open + 1) / 2 > 0", 1),
    ("max(close, 5) > min(open, low)", "max(close, 5) > min(open, low)", 1),
    ("math.abs(roc(1)) > 2", "abs(roc(1)) > 2", 2),
]


@pytest.mark.parametrize(("text", "canonical", "bars"), ACCEPTED)
def test_parse_rule_good_text_is_spelled_one_way(
    text: str, canonical: str | None, bars: int
) -> None:
    rule = parse_rule(text)
    assert rule.text == text
    if canonical is not None:
        assert rule.canonical == canonical
    assert rule.bars_needed == bars
    assert rule.interval_free
    assert parse_rule(rule.canonical).tree == rule.tree


def test_parse_rule_names_are_those_used() -> None:
    rule = parse_rule("crosses_above(ta.ema(hl2, 9), 5) or volume > 3")
    assert rule.names == {"crosses_above", "ema", "hl2", "volume"}


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
    ("rsi(14, lenght=3) < 2", 1, 16, "length", "expected one of source, n, length"),
    ("rsi(14, n=3) < 2", 1, 11, "", "expected 'n' once"),
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
    ("__import__('os')", 1, 12, "", "text in quotes"),
    ("__import__(os)", 1, 1, "", "expected a function"),
    ("close.__class__ > 1", 1, 1, "", "was 'close.__class__'"),
    ('roc("24h") > 5', 1, 5, "", "text in quotes"),
    ("close > 007", 1, 9, "", "leading zeros"),
    ("close > 1__0", 1, 10, "", "expected an operator"),
    ("close > 0x10", 1, 10, "", "expected an operator"),
    ("close > 3\x00", 1, 10, "", "was '\\x00'"),
    ("close > 3\ud800", 1, 10, "", "was '\\ud800'"),
    ("close > 3 # \x00\nand 4", 2, 5, "", "expected a condition"),
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
    ("ema(" * 25 + "close" + ", 2)" * 25 + " > 1", 1, 1, "", "expected a cheaper rule"),
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


def test_parse_rule_error_shows_the_line_and_a_caret() -> None:
    with pytest.raises(InvalidRule) as caught:
        parse_rule("close > open\nand rsy(14) < 30\nor close < 1")
    assert caught.value.context["excerpt"] == "and rsy(14) < 30\n    ^"
    assert excerpt("ab", 9, 1) == "\n^"


def test_parse_rule_narrower_limits_are_kept() -> None:
    with pytest.raises(InvalidRule, match="at most 10 characters"):
        parse_rule("close > open", RuleLimits(text_characters_max=10))
    with pytest.raises(InvalidRule, match="at most 2 parts"):
        parse_rule("close > open", RuleLimits(nodes_max=2))
    with pytest.raises(InvalidRule, match="at most 20 bars, was 21"):
        parse_rule("rsi(20) > 1", RuleLimits(window_bars_max=20))


@pytest.mark.parametrize("thing", [None, 5, b"close > open", ["close"], float("nan")])
def test_parse_rule_not_text_is_refused(thing: object) -> None:
    with pytest.raises(InvalidRule, match="expected text"):
        parse_rule(thing)  # type: ignore[arg-type]


# A chained comparison is longer in its canonical spelling.
WIDE = RuleLimits(text_characters_max=20_000, nodes_max=2_000)
SCRAPS = [
    *SERIES,
    *FUNCTIONS,
    *ALIASES,
    *"+-*/<>=!()[]{},.:;%&|^~@#$\\\"'`?_ \t\n\r\f\x00\x1b",
    *("<=", ">=", "==", "!=", "**", "//", ":=", "->", "...", "<<", "and", "or", "not", "in", "is"),
    *("if", "else", "for", "lambda", "await", "yield", "import", "None", "True", "print", "del"),
    *("0", "1", "14", "1e9", "1e999", "0x1", "1_0", "1__0", "007", "1.", ".5", "5j", "9" * 50),
    *("+1" * 300, ".a" * 300, "[1]" * 200, "((" * 20, "))" * 20, "not " * 40, "-" * 300),
    *("≥", "é", "ｒｓｉ", "\u202e", "\ud800", "𝟙", "\u00a0", "\u2028", "'''", 'f"{x}"', "b'x'"),
]


def mutated(text: str, source: random.Random) -> str:
    """Return the text with a few characters or scraps put in, taken out, doubled or swapped."""
    pieces = list(text)
    for _ in range(source.randint(1, 3)):
        at = source.randint(0, len(pieces))
        match source.randint(0, 4):
            case 0:
                pieces.insert(at, source.choice(SCRAPS))
            case 1:
                del pieces[at : at + source.randint(1, 6)]
            case 2:
                pieces[at:at] = pieces[at : at + source.randint(1, 12)] * source.randint(1, 40)
            case 3:
                pieces[at : at + 1] = [chr(source.randint(0, 0x11_0000 - 1))]
            case 4:
                pieces = pieces[at:] + pieces[:at]
    return "".join(pieces)


@pytest.mark.parametrize("seed", range(4))
def test_parse_rule_any_text_raises_nothing_but_invalid_rule(seed: int) -> None:
    source = random.Random(seed)
    seeds = [text for text, _, _ in ACCEPTED] * 4 + [row[0] for row in REFUSED]
    good = 0
    for index in range(5_000):
        if index % 3:
            text = mutated(source.choice(seeds), source)
        else:
            text = source.choice(["", " "]).join(
                source.choice(SCRAPS) for _ in range(source.randint(1, 30))
            )
        try:
            rule = parse_rule(text)
        except InvalidRule as error:
            assert error.line >= 1 and error.column >= 1
            lines = text.split("\n")
            assert error.line <= len(lines)
            assert error.column <= len(lines[error.line - 1]) + 1
        else:
            good += 1
            assert parse_rule(rule.canonical, WIDE).tree == rule.tree
    assert good > 50
