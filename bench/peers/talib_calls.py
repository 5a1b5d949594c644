"""How each function of the rules is called in TA-Lib; shared by the three TA-Lib peers.

Imports nothing of ours: its environment has none of it. A formula is what
bench/engine/formula.py describes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Formula = list[Any]
Floats = NDArray[np.float64]

COLUMNS = (
    *("open", "high", "low", "close"),
    *("volume", "quote_volume", "trades", "taker_buy_volume"),
)
BARS = [["series", name] for name in ("open", "high", "low", "close")]
RANGE = BARS[1:]
CLOSE = [["series", "close"]]


class TalibCall(NamedTuple):
    """`name(*inputs, *arguments)[output]`; `look`: bars it looks at, None: all there are."""

    name: str
    inputs: list[Formula]
    arguments: tuple[float, ...]
    output: int | None
    look: int | None


def call_of(formula: Formula) -> TalibCall:
    """Return the TA-Lib call of a ["call", name, sources, numbers] formula.

    Raises: KeyError if TA-Lib has none.
    """
    _, name, sources, numbers = formula
    bars = [int(number) for number in numbers]
    n = bars[0] if bars else 0
    match name:
        case "sma":
            return TalibCall("SMA", sources, (n,), None, n)
        case "ema":
            return TalibCall("EMA", sources, (n,), None, None)
        case "rsi":
            return TalibCall("RSI", sources, (n,), None, None)
        case "highest":
            return TalibCall("MAX", sources, (n,), None, n)
        case "lowest":
            return TalibCall("MIN", sources, (n,), None, n)
        case "change":
            return TalibCall("MOM", sources, (n,), None, n + 1)
        case "roc":
            return TalibCall("ROC", sources, (n,), None, n + 1)
        case "macd" | "macd_signal" | "macd_hist":
            place = ("macd", "macd_signal", "macd_hist").index(name)
            return TalibCall("MACD", CLOSE, tuple(bars), place, None)
        case "bb_upper" | "bb_mid" | "bb_lower":
            place = ("bb_upper", "bb_mid", "bb_lower").index(name)
            return TalibCall("BBANDS", CLOSE, (n, numbers[1], numbers[1]), place, n)
        case "stoch_k":
            return TalibCall("STOCH", RANGE, (n, bars[1], 0, 1, 0), 0, n + bars[1] - 1)
        case "stoch_d":
            look = n + bars[1] + bars[2] - 2
            return TalibCall("STOCH", RANGE, (n, bars[1], 0, bars[2], 0), 1, look)
        case "atr" | "natr" | "adx" | "plus_di" | "minus_di":
            return TalibCall(name.upper(), RANGE, (n,), None, None)
        case "cci" | "willr":
            return TalibCall(name.upper(), RANGE, (n,), None, n)
        case "mfi":
            return TalibCall("MFI", [*RANGE, ["series", "volume"]], (n,), None, n + 1)
        case "supertrend":
            return TalibCall("SUPERTREND", RANGE, (n, numbers[1]), 0, None)
        case "psar":
            return TalibCall("SAR", BARS[1:3], tuple(numbers), None, None)
    candles = {
        "doji": "CDLDOJI",
        "hammer": "CDLHAMMER",
        "morning_star": "CDLMORNINGSTAR",
        "bullish_engulfing": "CDLENGULFING",
        "bearish_engulfing": "CDLENGULFING",
    }
    return TalibCall(candles[name], BARS, (), None, None)


def load(folder: Path, rules: int) -> tuple[list[Formula], Floats]:
    """Return the first rules' formulas, and the bars as float64[symbols, 8, bars], contiguous.

    That layout suits TA-Lib; making it is not counted.
    """
    formulas = json.loads((folder / "formulas.json").read_text())[:rules]
    columns = np.load(folder / "columns.npy")
    return formulas, np.ascontiguousarray(columns.transpose(2, 0, 1))


def answer(folder: Path, name: str, states: NDArray[np.int8], seconds: list[float]) -> None:
    """Write the verdicts, int8[rules, symbols], and print the seconds of each run."""
    np.save(folder / f"{name}.npy", states)
    print(json.dumps({"seconds": seconds}))
