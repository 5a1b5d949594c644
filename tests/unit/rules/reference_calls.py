"""What random rules are made of: calls of every function, by the kind of number they give."""

from __future__ import annotations

from collections.abc import Sequence

# Kind of a number → what it may be compared with; a price is compared with prices, and so on.
THRESHOLDS: dict[str, Sequence[str]] = {
    "osc": ("20", "30", "45", "50", "55", "70", "80", "66.5"),
    "low_osc": ("-80", "-50", "-20", "-45.5"),
    "wide": ("0", "-50", "50", "-100", "100", "12.5"),
    "signed": ("0", "0", "0.001", "-0.001"),
    "percent": ("0", "0.5", "-0.5", "1", "-1", "2.5"),
    "ratio": ("0.01", "0.02", "0.1", "0.3", "0.5", "0.7", "0.9"),
    "z": ("0", "0.5", "-0.5", "1", "-1"),
    "count": ("0", "1", "2", "3", "5", "8"),
    "log": ("0", "1", "-1", "2", "5"),
    "hour": ("3", "6", "12", "18"),
    "day": ("1", "3", "5"),
}
SERIES = {
    "price": ("close", "close", "open", "high", "low", "hl2", "hlc3", "ohlc4"),
    "volume": ("volume", "volume", "trades", "taker_buy_volume", "quote_volume"),
}
# Kind → calls that give it. {p} {v} {o} a price, a volume, any number; {c} a condition;
# {n} bars from 1, {m} from 2, {k} a factor, {d} a duration, {i} an instrument.
CALLS: dict[str, dict[str, Sequence[str]]] = {
    "price": {
        **{
            name: (f"{name}({{m}})", f"{name}({{p}}, {{m}})", f"{name}(n={{m}}, source={{p}})")
            for name in ("sma", "ema", "wma", "rma", "hma", "dema", "tema", "kama", "vwma")
        },
        "highest": ("highest({m})", "highest({p}, {m})", "highest({d})"),
        "lowest": ("lowest({m})", "lowest({p}, {m})"),
        "vwap": ("vwap({n})", "vwap({p}, {n})", "vwap()", "vwap"),
        "bb_upper": ("bb_upper({m}, {k})", "bb_upper({p}, {m}, {k})"),
        "bb_mid": (
            "bb_mid({m})",
            "bb_mid({p}, {m})",
        ),
        "bb_lower": ("bb_lower({m}, {k})",),
        "keltner_upper": ("keltner_upper({m}, {k})", "keltner_upper"),
        "keltner_lower": ("keltner_lower({m}, {k})",),
        "donchian_high": ("donchian_high({m})", "donchian_high"),
        "donchian_low": ("donchian_low({m})",),
        "psar": ("psar({f}, 0.2)", "psar"),
        "supertrend": ("supertrend({m}, {k})",),
        "ichimoku_conversion": ("ichimoku_conversion({m})", "ichimoku_conversion"),
        "ichimoku_base": ("ichimoku_base({m})", "ichimoku_base()"),
        "ichimoku_span_a": ("ichimoku_span_a()",),
        "ichimoku_span_b": ("ichimoku_span_b",),
        **{
            name: (name, f"{name}()")
            for name in ("pivot", *(f"pivot_{line}{i}" for line in "rs" for i in (1, 2, 3)))
        },
        "max": ("max({p}, {p})",),
        "min": ("min({p}, {p})",),
    },
    "volume": {
        **{name: (f"{name}({{v}}, {{m}})",) for name in ("sma", "ema", "wma", "highest", "lowest")},
        "max": ("max({v}, {v})",),
        "min": ("min({v}, {v})",),
    },
    "range": {
        "atr": ("atr({m})",),
        "tr": ("tr()", "tr"),
        "stdev": ("stdev({m})", "stdev({p}, {m})"),
        "abs": ("abs({s})",),
    },
    "osc": {
        "rsi": ("rsi({m})", "rsi({a}, {m})", "rsi({d})"),
        "stoch_k": ("stoch_k({m}, {n})", "stoch_k({m})"),
        "stoch_d": ("stoch_d({m}, {n}, {n})",),
        "stochrsi": (
            "stochrsi({m}, {m})",
            "stochrsi({p}, {m}, {m})",
        ),
        "mfi": (
            "mfi({m})",
            "mfi({p}, {m})",
        ),
        "ultosc": ("ultosc({m}, {m}, {m})",),
        "adx": ("adx({m})",),
        "plus_di": ("plus_di({m})",),
        "minus_di": ("minus_di({m})",),
        "aroon_up": ("aroon_up({m})",),
        "aroon_down": ("aroon_down({m})",),
        "percentile": ("percentile({a})",),
    },
    "low_osc": {"willr": ("willr({m})",)},
    "wide": {
        "cci": (
            "cci({m})",
            "cci({p}, {m})",
        ),
        "cmo": ("cmo({m})", "cmo({a}, {m})"),
        "tsi": ("tsi({m}, {m})",),
    },
    "signed": {
        "macd": (
            "macd({m}, {m}, {m})",
            "macd({p}, {m}, {m}, {m})",
        ),
        "macd_signal": ("macd_signal({m}, {m}, {m})",),
        "macd_hist": ("macd_hist({m}, {m}, {m})",),
        "mom": ("mom({n})", "mom({p}, {n})"),
        "change": ("change()", "change({n})", "change({p}, {n})", "change({d})"),
        "linreg_slope": ("linreg_slope({m})", "linreg_slope({p}, {m})"),
        "obv": ("change(obv(), {n})", "obv"),
        "ad": ("change(ad(), {n})", "ad()"),
        "adosc": ("adosc({m}, {m})",),
    },
    "percent": {"roc": ("roc({n})", "roc({a}, {n})", "roc({d})")},
    "ratio": {
        "natr": ("natr({m})",),
        "bb_width": ("bb_width({m}, {k})",),
        "bb_pct": ("bb_pct({m}, {k})",),
        "share": ("share({c})",),
        "sqrt": ("sqrt({r})",),
    },
    "z": {
        "zscore": ("zscore({m})", "zscore({a}, {m})"),
        "correlation": ("correlation({i}, {m})",),
        "cmf": ("cmf({n})",),
        "zscore_across": ("zscore_across({a})",),
    },
    "count": {
        "bars_since": ("bars_since({c})",),
        "count": ("count({c}, {n})",),
        "rank": ("rank({a})",),
    },
    "log": {"log": ("log({a})", "log({p})")},
    "condition": {
        "crosses_above": ("crosses_above({p}, {p})", "crosses_above({O})"),
        "crosses_below": ("crosses_below({p}, {p})", "crosses_below({O})"),
        "rising": ("rising({a}, {small})",),
        "falling": ("falling({a}, {small})",),
        "between": ("between({p}, {p}, {p})", "between({a}, -1, 20)"),
        "any": ("any({c}, {n})",),
        "all": ("all({c}, {small})",),
        **{
            name: (name, f"{name}()", f"any({name}, {{m}})")
            for name in (
                *("doji", "hammer", "shooting_star", "bullish_engulfing", "bearish_engulfing"),
                *("bullish_harami", "morning_star", "evening_star"),
                *("three_white_soldiers", "three_black_crows"),
            )
        },
    },
}
# Function → the kinds in which it can be asked for.
KINDS: dict[str, list[str]] = {}
for _kind, _functions in CALLS.items():
    for _name in _functions:
        KINDS.setdefault(_name, []).append(_kind)
