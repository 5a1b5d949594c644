"""Published test vectors: equal within their printed digits, or the difference is on the list.

DIFFERENCES is what docs/rules/conventions.md explains; a line of it that no longer holds fails too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pytest

from shared.rules import build_plan, evaluate, parse_rule
from tests.unit.rules.vector_files import (
    FOLDER,
    Series,
    Vector,
    sheet,
    skender,
    skender_quotes,
    tulip,
)
from tests.unit.rules.windows import one_symbol

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="no published vectors (../shared/data/indicators) on this machine"
)
TULIP_FILES = ("untest.txt", "atoz.txt")
COLUMNS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
# The window is 500 bars; Skender's history is 502.
BARS_MOST = 500
# Of a long history, so many bars from the first are compared, then one of so many.
ALL_BARS, ONE_BAR_OF = 50, 23

# Tulip's function → its inputs as columns, and our words for its outputs.
TULIP: dict[str, tuple[str, tuple[str, ...]]] = {
    "abs": ("c", ("abs(close)",)),
    "ad": ("hlcv", ("ad()",)),
    "add": ("ch", ("close + high",)),
    "adosc": ("hlcv", ("adosc({0}, {1})",)),
    "adx": ("hl", ("adx({0})",)),
    "aroon": ("hl", ("aroon_down({0})", "aroon_up({0})")),
    "aroonosc": ("hl", ("aroon_up({0}) - aroon_down({0})",)),
    "atr": ("hlc", ("atr({0})",)),
    "avgprice": ("ohlc", ("ohlc4",)),
    "bbands": ("c", ("bb_lower({0}, {1})", "bb_mid({0})", "bb_upper({0}, {1})")),
    "bop": ("ohlc", ("(close - open) / (high - low)",)),
    "cci": ("hlc", ("cci({0})",)),
    "cmo": ("c", ("cmo({0})",)),
    "dema": ("c", ("dema({0})",)),
    "di": ("hlc", ("plus_di({0})", "minus_di({0})")),
    "div": ("ch", ("close / high",)),
    "ema": ("c", ("ema({0})",)),
    "hma": ("c", ("hma({0})",)),
    "kama": ("c", ("kama({0})",)),
    "lag": ("c", ("close[{0}]",)),
    "linregslope": ("c", ("linreg_slope({0})",)),
    "ln": ("c", ("log(close)",)),
    "macd": (
        "c",
        ("macd({0}, {1}, {2})", "macd_signal({0}, {1}, {2})", "macd_hist({0}, {1}, {2})"),
    ),
    "max": ("c", ("highest(close, {0})",)),
    "medprice": ("hl", ("hl2",)),
    "mfi": ("hlcv", ("mfi({0})",)),
    "min": ("c", ("lowest(close, {0})",)),
    "mom": ("c", ("mom({0})",)),
    "mul": ("ch", ("close * high",)),
    "natr": ("hlc", ("natr({0})",)),
    "obv": ("cv", ("obv()",)),
    "psar": ("hl", ("psar({0}, {1})",)),
    "qstick": ("oc", ("sma(close - open, {0})",)),
    "roc": ("c", ("roc({0})",)),
    "rocr": ("c", ("close / close[{0}]",)),
    "rsi": ("c", ("rsi({0})",)),
    "sma": ("c", ("sma({0})",)),
    "sqrt": ("c", ("sqrt(close)",)),
    "stddev": ("c", ("stdev({0})",)),
    "stoch": ("hlc", ("stoch_k({0}, {1})", "stoch_d({0}, {1}, {2})")),
    "stochrsi": ("c", ("stochrsi({0}, {0})",)),
    "sub": ("ch", ("close - high",)),
    "sum": ("c", ("{0} * sma({0})",)),
    "tema": ("c", ("tema({0})",)),
    "tr": ("hlc", ("tr()",)),
    "typprice": ("hlc", ("hlc3",)),
    "ultosc": ("hlc", ("ultosc({0}, {1}, {2})",)),
    "var": ("c", ("stdev({0}) * stdev({0})",)),
    "vwma": ("cv", ("vwma({0})",)),
    "wcprice": ("hlc", ("(high + low + 2 * close) / 4",)),
    "wilders": ("c", ("rma({0})",)),
    "willr": ("hlc", ("willr({0})",)),
    "wma": ("c", ("wma({0})",)),
}
# What Tulip has and a rule cannot name.
TULIP_ONLY = {
    *("acos", "adxr", "ao", "apo", "asin", "atan", "ceil", "cos", "cosh", "crossany"),
    *("crossover", "cvi", "decay", "dm", "dpo", "dx", "edecay", "emv", "exp", "fisher"),
    *("floor", "fosc", "kvo", "linreg", "linregintercept", "log10", "marketfi", "mass", "md"),
    *("msw", "nvi", "ppo", "pvi", "round", "sin", "sinh", "stderr", "tan", "tanh", "todeg"),
    *("torad", "trima", "trix", "trunc", "tsf", "vhf", "vidya", "volatility", "vosc", "wad"),
    "zlema",
}
SKENDER = {
    "adx": {"pdi": "plus_di(14)", "mdi": "minus_di(14)", "adx": "adx(14)"},
    "atr": {"tr": "tr()", "atr": "atr(14)", "atrp": "natr(14)"},
    "bb": {
        "sma": "bb_mid(20)",
        "upperBand": "bb_upper(20, 2)",
        "lowerBand": "bb_lower(20, 2)",
        "percentB": "bb_pct(20, 2)",
        "zScore": "zscore(20)",
        "width": "bb_width(20, 2)",
    },
    "ema": {"ema": "ema(20)"},
    "macd": {"macd": "macd()", "signal": "macd_signal()", "histogram": "macd_hist()"},
    "rsi": {"rsi": "rsi(14)"},
    "sma": {"sma": "sma(20)"},
    "stoch": {"k": "stoch_k()", "d": "stoch_d()"},
}
# Sheet → heading → our words, and the last digit the sheet's own input allows.
SHEETS: dict[str, dict[str, tuple[str, float]]] = {
    "cs-accum": {"ADLine": ("ad()", 1e-3)},
    "cs-adx": {
        "TR": ("tr()", 1e-7),
        "TR14": ("14 * atr(14)", 1e-6),
        "+DI14": ("plus_di(14)", 1e-6),
        "-DI14": ("minus_di(14)", 1e-6),
        "ADX": ("adx(14)", 1e-6),
    },
    "cs-atr": {"TR": ("tr()", 1e-9), "ATR": ("atr(14)", 1e-9)},
    "cs-atr2": {"TR": ("tr()", 1e-9), "ATR": ("atr(10)", 1e-9)},
    "cs-bbands": {
        "MiddleBand": ("bb_mid(20)", 1e-6),
        "20-day Standard Deviation": ("stdev(20)", 1e-6),
        "HighBand": ("bb_upper(20, 2)", 1e-6),
        "LowBand": ("bb_lower(20, 2)", 1e-6),
        "WidthBand": ("100 * bb_width(20, 2)", 1e-6),
        "PercentageBand": ("bb_pct(20, 2)", 1e-6),
    },
    "cs-cci": {"CCI": ("cci(20)", 1e-4)},
    "cs-dc": {
        "upper_band": ("donchian_high(20)", 1e-9),
        "lower_band": ("donchian_low(20)", 1e-9),
    },
    "cs-dc2": {
        "upper_band": ("donchian_high(20)[1]", 1e-9),
        "lower_band": ("donchian_low(20)[1]", 1e-9),
    },
    "cs-kama": {"KAMA": ("kama(10)", 1e-6)},
    "cs-kc": {
        "middle_band": ("ema(20)", 1e-9),
        "upper_band": ("keltner_upper(20, 2)", 1e-9),
        "lower_band": ("keltner_lower(20, 2)", 1e-9),
    },
    "cs-macd": {
        "MACD_line": ("macd()", 1e-8),
        "MACD_signal": ("macd_signal()", 1e-8),
        "MACD_diff": ("macd_hist()", 1e-8),
    },
    "cs-mfi": {"MFI": ("mfi(14)", 1e-4)},
    "cs-obv": {"OBV": ("obv()", 1e-9)},
    "cs-percentr": {"Williams_%R": ("willr(14)", 1e-4)},
    "cs-psar": {"psar_up": ("psar()", 1e-4), "psar_down": ("psar()", 1e-4)},
    "cs-roc": {"ROC": ("roc(12)", 1e-7)},
    "cs-rsi": {"RSI": ("rsi(14)", 1e-4)},
    "cs-soo": {"SO": ("stoch_k(14, 1)", 1e-6), "SO_SIG": ("stoch_d(14, 1, 3)", 1e-6)},
    "cs-stochrsi": {"StochRSI(14)": ("stochrsi(14, 14)", 1e-4)},
    "cs-tsi": {"TSI": ("tsi(25, 13)", 1e-9)},
    "cs-ultosc": {"Ult_Osc": ("ultosc()", 1e-6)},
    "cs-vwap": {"vwap": ("vwap(14)", 1e-9)},
    "cs-wma": {"WMA": ("wma(9)", 1e-4)},
}
# Sheets of what a rule cannot name.
SHEETS_ONLY = {
    *("cs-easeofmovement", "cs-fi", "cs-ppo", "cs-pvo", "cs-stc", "cs-ui", "cs-vortex", "cs-vpt")
}


class Difference(NamedTuple):
    """Where a source's convention is another: what it does, and what is the same nevertheless.

    `factor`: ours is so many times theirs, otherwise equal. `later`: ours is known so many bars
    later, then equal. `level`: the two differ by a constant. `tolerance`: so many times the usual
    one. `fades_to`: the two come together, their last values are so close, relative; None if they
    need not.
    """

    theirs: str
    factor: float = 1.0
    later: int = 0
    level: bool = False
    tolerance: float = 1.0
    fades_to: float | None = None

    @property
    def only_in_form(self) -> bool:
        """Return whether the values are the same where both are known."""
        return self != Difference(self.theirs, fades_to=self.fades_to)


FIRST_VALUE = "averages begin with the first value instead of the average of the first n"
OWN_FAST_LINE = "the fast average begins on its own n-th bar, not together with the slow one"
FIRST_MOVES = "averages begin with n moves; TA-Lib's with n - 1, the next already averaged in"
FIRST_STOP = "the first bar counts, so that the first trend runs one step ahead"
FIRST_RANGE = "the first bar has a range, high - low, and counts"
# (source, function) → what is different there.
DIFFERENCES: dict[tuple[str, str], Difference] = {
    ("tulip", "ema"): Difference(FIRST_VALUE),
    ("tulip", "dema"): Difference(FIRST_VALUE),
    ("tulip", "tema"): Difference(FIRST_VALUE),
    ("tulip", "macd"): Difference(FIRST_VALUE),
    ("atoz.txt", "ad"): Difference("digits are cut off, not rounded", tolerance=2.0),
    ("tulip", "di"): Difference("begins one bar earlier", later=1),
    ("tulip", "adx"): Difference("begins one bar earlier"),
    ("untest.txt", "psar"): Difference("the bar it begins with is printed", later=1),
    ("tulip", "obv"): Difference("begins with 0, not with the first volume", level=True),
    ("atoz.txt", "psar"): Difference(FIRST_STOP, fades_to=1e-5),
    ("tulip", "atr"): Difference(FIRST_RANGE),
    ("tulip", "natr"): Difference(FIRST_RANGE),
    ("tulip", "tr"): Difference(FIRST_RANGE, later=1),
    ("tulip", "kama"): Difference("the bar it begins with is printed", later=1),
    ("tulip", "cmo"): Difference("sums of the last n, where TA-Lib has Wilder's averages"),
    ("tulip", "roc"): Difference("a fraction, not percent", factor=100.0),
    ("tulip", "stochrsi"): Difference("0 to 1, not 0 to 100", factor=100.0),
    ("skender", "adx"): Difference(FIRST_MOVES, fades_to=1e-6),
    ("skender", "macd"): Difference(OWN_FAST_LINE, fades_to=1e-9),
    ("sheet", "cs-adx"): Difference(FIRST_MOVES, fades_to=1e-6),
    ("sheet", "cs-macd"): Difference(FIRST_VALUE, fades_to=1e-2),
    ("sheet", "cs-kc"): Difference(FIRST_VALUE, fades_to=1e-3),
    ("sheet", "cs-atr"): Difference(FIRST_RANGE, fades_to=1e-2),
    ("sheet", "cs-atr2"): Difference(FIRST_RANGE, fades_to=1e-2),
    ("sheet", "cs-kama"): Difference("the bar it begins with is printed", later=1),
    ("sheet", "cs-rsi"): Difference("averages begin with 0", fades_to=0.1),
    ("sheet", "cs-stochrsi"): Difference("of an RSI whose averages begin with 0"),
    ("sheet", "cs-psar"): Difference(FIRST_STOP),
    ("sheet", "cs-tsi"): Difference(FIRST_VALUE, fades_to=1e-3),
    ("sheet", "cs-vwap"): Difference("the first bars are averages of fewer than n", later=13),
    ("sheet", "cs-wma"): Difference("the first bars use days before the sheet's first", later=8),
}


def series_of(expressions: Iterable[str], columns: dict[str, Series]) -> list[Series]:
    """Return each expression's value at every bar, NaN where unknown.

    Of a long history at its first bars, at its last, and at some between; -inf at the others.
    """
    window = one_symbol(**columns)
    plan = build_plan([parse_rule(f"{expression} > 0") for expression in expressions])
    result = np.full((len(plan.rules), window.bars), -np.inf)
    for bar in range(window.bars):
        if bar < ALL_BARS or bar % ONE_BAR_OF == 0 or bar == window.bars - 1:
            verdicts = evaluate(plan, window, window.bars - 1 - bar)
            for place in range(len(plan.rules)):
                result[place, bar] = next(iter(verdicts.values(place, 0).values()), np.nan)
    return list(result)


def is_as_printed(
    actual: Series, printed: Series, tolerance: float, difference: Difference | None
) -> bool:
    """Return whether every printed value is ours, as far as the difference allows."""
    difference = difference or Difference("")
    expected = printed * difference.factor
    first = int(np.isfinite(printed).argmax())
    expected[first : first + difference.later] = np.nan
    if difference.level:
        actual, expected = actual - actual[first], expected - expected[first]
    shown = np.isfinite(expected) & ~np.isneginf(actual)
    # Half a digit, and what 12 shown digits leave of a number.
    allowed = tolerance * difference.tolerance * difference.factor + 1e-11 * np.abs(expected)
    return bool(shown.any() and (np.abs(actual - expected) <= allowed)[shown].all())


def check(
    actual: dict[str, Series],
    printed: dict[str, Series],
    tolerances: dict[str, float],
    difference: Difference | None,
) -> None:
    """Compare the outputs of one function."""
    same = {
        name: is_as_printed(actual[name], printed[name], tolerances[name], difference)
        for name in actual
    }
    if difference is None or difference.only_in_form:
        assert all(same.values()), same
    else:
        assert not all(same.values()), "no longer different: take it off the list"
    if difference and difference.fades_to:
        for name, values in actual.items():
            assert values[-1] == pytest.approx(printed[name][-1], rel=difference.fades_to), name


def _difference(file: str, name: str) -> Difference | None:
    return DIFFERENCES.get((file, name)) or DIFFERENCES.get(("tulip", name))


def tulip_vectors() -> list[tuple[str, Vector]]:
    """Return file and vector."""
    files = TULIP_FILES if FOLDER.is_dir() else ()
    return [(file, vector) for file in files for vector in tulip(file)]


@pytest.mark.parametrize(
    ("file", "vector"),
    [pytest.param(*case, id=case[1].name) for case in tulip_vectors() if case[1].name in TULIP],
)
def test_tulip_vector_is_met(file: str, vector: Vector) -> None:
    letters, expressions = TULIP[vector.name]
    inputs, outputs = vector.series[: len(letters)], vector.series[len(letters) :]
    columns = {COLUMNS[c]: values for c, values in zip(letters, inputs, strict=True)}
    periods = [int(p) if p == int(p) else p for p in vector.periods]
    texts = [expression.format(*periods) for expression in expressions]
    actual = dict(zip(texts, series_of(texts, columns), strict=True))
    printed = {
        text: np.concatenate([np.full(len(inputs[0]) - len(values), np.nan), values])
        for text, values in zip(texts, outputs, strict=True)
    }
    digits = dict(zip(texts, vector.tolerances[len(letters) :], strict=True))
    check(actual, printed, digits, _difference(file, vector.name))


@pytest.mark.parametrize("name", list(SKENDER))
def test_skender_series_is_met(name: str) -> None:
    quotes = {column: values[:BARS_MOST] for column, values in skender_quotes().items()}
    published = skender(name)
    words = SKENDER[name]
    actual = dict(zip(words, series_of(words.values(), quotes), strict=True))
    printed = {field: published[field][:BARS_MOST] for field in actual}
    check(actual, printed, dict.fromkeys(actual, 1e-9), DIFFERENCES.get(("skender", name)))


@pytest.mark.parametrize("name", list(SHEETS))
def test_sheet_is_met(name: str) -> None:
    cells = {heading: values[:BARS_MOST] for heading, values in sheet(name).items()}
    columns = {
        heading.lower(): values
        for heading, values in cells.items()
        if heading.lower() in COLUMNS.values()
    }
    words = {heading: text for heading, (text, _) in SHEETS[name].items()}
    actual = dict(zip(words, series_of(words.values(), columns), strict=True))
    printed = {heading: cells[heading] for heading in actual}
    digits = {heading: digit for heading, (_, digit) in SHEETS[name].items()}
    check(actual, printed, digits, DIFFERENCES.get(("sheet", name)))


def test_every_vector_is_used_or_of_something_a_rule_cannot_name() -> None:
    assert {vector.name for _, vector in tulip_vectors()} == set(TULIP) | TULIP_ONLY
    files = {file.name.removesuffix(".csv") for file in (FOLDER / "bukosabino").glob("*.csv")}
    assert files == set(SHEETS) | SHEETS_ONLY
    series = {file.name.partition(".")[0] for file in (FOLDER / "skender").glob("*.gz")}
    assert series == set(SKENDER)
