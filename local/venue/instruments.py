"""The instruments of the simulated market and their character. Pure.

Names of the first hundred are those of real coins, so that rules written for Binance find their
symbols; prices, volumes and everything else are made up. The rest is made up altogether.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from local.venue.market_protocol import Instrument
from shared.market.interval import DAY_MS, HOUR_MS

# name: price in dollars at which it starts and to which it returns over months.
KNOWN_PRICES = {
    "BTC": 94_200.0, "ETH": 3_310.0, "SOL": 182.0, "XRP": 2.31, "BNB": 905.0, "DOGE": 0.2135,
    "ADA": 0.742, "TRX": 0.2871, "SUI": 3.42, "LINK": 17.9, "AVAX": 22.6, "PEPE": 0.00001174,
    "LTC": 104.0, "SHIB": 0.00001285, "DOT": 4.31, "BCH": 512.0, "UNI": 8.95, "NEAR": 2.87,
    "APT": 4.92, "ICP": 5.37, "ETC": 20.4, "AAVE": 271.0, "HBAR": 0.1932, "FIL": 2.55,
    "ATOM": 4.42, "ARB": 0.387, "OP": 0.722, "INJ": 12.8, "STX": 0.741, "WLD": 1.12, "SEI": 0.271,
    "TIA": 1.92, "RENDER": 3.71, "FET": 0.688, "GRT": 0.0931, "ALGO": 0.2214, "VET": 0.02347,
    "XLM": 0.3042, "QNT": 101.0, "PAXG": 3_395.0, "MKR": 1_790.0, "IMX": 0.531, "SAND": 0.272,
    "MANA": 0.288, "AXS": 2.31, "GALA": 0.01621, "CHZ": 0.0388, "EGLD": 14.7, "FLOW": 0.352,
    "THETA": 0.772, "XTZ": 0.684, "EOS": 0.512, "KAVA": 0.361, "ZEC": 54.0, "DASH": 22.1,
    "NEO": 6.05, "IOTA": 0.1874, "CRV": 0.742, "SNX": 0.651, "COMP": 44.5, "LDO": 0.958,
    "ENS": 21.3, "DYDX": 0.593, "RUNE": 1.31, "CAKE": 2.46, "1INCH": 0.2037, "ZIL": 0.01082,
    "ENJ": 0.0727, "BAT": 0.1342, "KSM": 15.6, "WAVES": 1.07, "ONT": 0.1271, "QTUM": 2.02,
    "ICX": 0.1163, "ZRX": 0.2391, "YFI": 5_240.0, "SUSHI": 0.641, "BLUR": 0.0801, "JTO": 1.83,
    "JUP": 0.471, "PYTH": 0.1142, "BONK": 0.00002113, "WIF": 0.871, "FLOKI": 0.0000831,
    "ORDI": 8.62, "NOT": 0.001871, "TON": 3.02, "ENA": 0.581, "ETHFI": 1.04, "PENDLE": 4.21,
    "STRK": 0.1174, "ZK": 0.0521, "W": 0.0771, "MANTA": 0.2031, "ALT": 0.0312, "DYM": 0.231,
    "PORTAL": 0.0397, "AEVO": 0.0892, "SAGA": 0.232, "TNSR": 0.1231,
}  # fmt: skip

# Position in the universe → hours before the market's anchor at which it was listed: a list that
# is warming up on every interval, as a real venue's always is.
LISTED_HOURS_AGO = {12: 5, 40: 36, 97: 96, 180: 264, 260: 720, 333: 1_700, 421: 3}

# Not of the universe: other quote assets and symbols that do not trade. base, quote, price in
# quote, price decimals, lot decimals, status.
_EXTRAS = (
    ("ETH", "BTC", 0.03514, 5, 3, "TRADING"),
    ("BNB", "BTC", 0.009607, 6, 2, "TRADING"),
    ("SOL", "BTC", 0.001932, 7, 1, "TRADING"),
    ("SOL", "ETH", 0.05498, 5, 3, "TRADING"),
    ("BTC", "EUR", 81_300.0, 2, 5, "TRADING"),
    ("ETH", "USDC", 3_309.0, 2, 4, "TRADING"),
    ("BTC", "FDUSD", 94_180.0, 2, 5, "TRADING"),
    ("LUNC", "USDT", 0.0000581, 8, 0, "BREAK"),
    ("BTG", "USDT", 6.31, 4, 1, "BREAK"),
    ("OMG", "USDT", 0.2318, 4, 1, "HALT"),
    ("XMR", "USDT", 152.3, 2, 3, "BREAK"),
    ("AION", "USDT", 0.0712, 4, 1, "CANCEL_ONLY"),
)
_DAY_QUOTE_VOLUMES = {"BTC": 120, "ETH": 900, "EUR": 2e7, "USDC": 5e7, "FDUSD": 3e8, "USDT": 1e6}
EXTRA_COUNT = len(_EXTRAS)
SECTOR_COUNT = 12

# Two letters each.
_SYLLABLES = (
    "ABALANARAXBEBIBOCOCYDADEDOELENERFIFUGAGOHIHYINIOJAKAKIKOLALILOLUMAMIMONANENONUOR"
    "OXPAPIPOQURARERIROSASESOSUTATETOTYULVAVEVIVOWAXAXIYAYOZAZEZO"
)


class Character(msgspec.Struct, frozen=True, eq=False):
    """How each symbol moves: float64[symbols] each, in the order of the instruments.

    `market_beta`, `sector_beta`, `own` weigh the three noises (their squares need not sum to 1);
    `day_sigma` is the log return of a day; `price` in quote; `day_quote_volume` in quote;
    `trade_quote` the mean size of a trade in quote.
    """

    price: NDArray[np.float64]
    sector: NDArray[np.int64]
    market_beta: NDArray[np.float64]
    sector_beta: NDArray[np.float64]
    own: NDArray[np.float64]
    day_sigma: NDArray[np.float64]
    day_quote_volume: NDArray[np.float64]
    trade_quote: NDArray[np.float64]


def build_instruments(
    seed: int, symbol_count: int, anchor_ms: int
) -> tuple[tuple[Instrument, ...], Character]:
    """Return the universe (largest first), then the extras, and their character.

    A symbol's character depends on the seed and its own position only, never on `symbol_count`.
    """
    bases = _base_assets(symbol_count)
    rng = np.random.default_rng((seed, 101))
    # One row a symbol, so that a longer list continues a shorter one.
    extras = rng.uniform(size=(EXTRA_COUNT, 6))
    universe = rng.uniform(size=(symbol_count, 6))
    instruments: list[Instrument] = []
    prices: list[float] = []
    for index, base in enumerate(bases):
        price = KNOWN_PRICES.get(base) or round(10 ** (-3.3 + 4.8 * universe[index, 0]), 6)
        hours_ago = LISTED_HOURS_AGO.get(index)
        listed_at_ms = 0
        if hours_ago is not None:
            listed_at_ms = anchor_ms - anchor_ms % HOUR_MS - hours_ago * HOUR_MS
        magnitude = math.floor(math.log10(price))
        prices.append(price)
        instruments.append(
            Instrument(
                symbol=f"{base}USDT",
                base_asset=base,
                quote_asset="USDT",
                price_decimals=min(max(4 - magnitude, 2), 8),
                lot_decimals=min(max(magnitude + 1, 0), 5),
                listed_at_ms=listed_at_ms,
            )
        )
    for base, quote, price, price_decimals, lot_decimals, status in _EXTRAS:
        prices.append(price)
        instruments.append(
            Instrument(
                symbol=base + quote,
                base_asset=base,
                quote_asset=quote,
                status=status,
                price_decimals=price_decimals,
                lot_decimals=lot_decimals,
            )
        )
    character = _character(np.array(prices), np.concatenate((universe, extras)), symbol_count)
    return tuple(instruments), character


def first_kline_ms(instrument: Instrument, anchor_ms: int, history_days: int) -> int:
    """Return the open time of the instrument's first kline: its listing, or the history's start."""
    history_from_ms = anchor_ms - anchor_ms % DAY_MS - history_days * DAY_MS
    return max(instrument.listed_at_ms, history_from_ms)


def _character(
    prices: NDArray[np.float64], draws: NDArray[np.float64], symbol_count: int
) -> Character:
    rank = np.arange(1, len(prices) + 1, dtype=np.float64)
    large = np.exp(-(rank - 1) / 12)
    # A power law: about 2e9 dollars a day for the first, 2e6 for the five hundredth.
    volume = 2.0e9 / rank**1.1 * (0.7 + 0.6 * draws[:, 1])
    volume[symbol_count:] = [_DAY_QUOTE_VOLUMES[extra[1]] for extra in _EXTRAS]
    trade_quote = np.maximum(60.0, 900.0 / rank**0.35)
    trade_quote[symbol_count:] = volume[symbol_count:] / 20_000
    return Character(
        price=prices,
        sector=(draws[:, 2] * SECTOR_COUNT).astype(np.int64),
        market_beta=0.55 + 0.35 * draws[:, 3],
        sector_beta=0.25 + 0.3 * draws[:, 4],
        own=0.9 - 0.6 * large,
        day_sigma=0.018 + (0.012 + 0.022 * draws[:, 5]) * (1 - large),
        day_quote_volume=volume,
        trade_quote=trade_quote,
    )


def _base_assets(count: int) -> Sequence[str]:
    known = list(KNOWN_PRICES)
    taken = set(known) | {extra[0] for extra in _EXTRAS}
    # The names are the same for every seed: a rule names symbols, not seeds.
    rng = np.random.default_rng(20_261_121)
    made_up: list[str] = []
    while len(made_up) < max(count, len(LISTED_HOURS_AGO)):
        parts = rng.integers(len(_SYLLABLES) // 2, size=int(rng.integers(2, 4))).tolist()
        name = "".join(_SYLLABLES[2 * part : 2 * part + 2] for part in parts)
        name = name[: int(rng.integers(3, 7))]
        if len(name) >= 3 and name not in taken:
            taken.add(name)
            made_up.append(name)
    # What was listed yesterday is none of the known coins.
    bases: list[str] = []
    known.reverse()
    made_up.reverse()
    for index in range(count):
        bases.append(made_up.pop() if index in LISTED_HOURS_AGO or not known else known.pop())
    return bases
