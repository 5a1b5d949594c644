"""Random rules as text, for the property tests."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_SERIES = ("open", "high", "low", "close", "volume", "trades", "hl2", "hlc3", "ohlc4")
_PERIODS = st.sampled_from((1, 2, 3, 5, 9, 14, 20, 30))
_AVERAGES = st.sampled_from(("sma", "ema", "rma"))
_LAGS = st.integers(1, 4)


def _numbers(below: SearchStrategy[str]) -> SearchStrategy[str]:
    longer = st.sampled_from((2, 3, 5, 9, 14))
    return st.one_of(
        st.builds("{}({}, {})".format, _AVERAGES, below, _PERIODS),
        st.builds("rsi({}, {})".format, below, longer),
        st.builds("{}({}, {})".format, st.sampled_from(("highest", "lowest")), below, longer),
        st.builds("{}({}, {})".format, st.sampled_from(("change", "roc")), below, _PERIODS),
        st.builds("({} {} {})".format, below, st.sampled_from("+-*/"), below),
        st.builds("({})[{}]".format, below, _LAGS),
        st.builds("abs({})".format, below),
        st.builds("{}({}, {})".format, st.sampled_from(("max", "min")), below, below),
        st.builds("(-{})".format, below),
    )


numbers: SearchStrategy[str] = st.recursive(st.sampled_from(_SERIES), _numbers, max_leaves=3)
_constants = st.sampled_from(("0", "1", "30", "70", "1.5", "100", "0.001"))


def _conditions(below: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.one_of(
        st.builds("({} and {})".format, below, below),
        st.builds("({} or {})".format, below, below),
        st.builds("(not {})".format, below),
        st.builds("({})[{}]".format, below, _LAGS),
    )


_comparisons = st.builds(
    "({} {} {})".format,
    numbers,
    st.sampled_from(("<", "<=", ">", ">=", "==", "!=")),
    st.one_of(numbers, _constants),
)
_crosses = st.builds(
    "{}({}, {})".format,
    st.sampled_from(("crosses_above", "crosses_below")),
    numbers,
    st.one_of(numbers, _constants),
)
_chains = st.builds("({} < {} <= {})".format, _constants, numbers, numbers)

rule_texts: SearchStrategy[str] = st.recursive(
    st.one_of(_comparisons, _crosses, _chains), _conditions, max_leaves=4
)
