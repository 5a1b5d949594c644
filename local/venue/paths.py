"""Prices and volumes of the simulated market, an hour of all symbols at a time. Pure.

Log price, from slow to fast, each a function of (seed, time) alone, so that any hour can be asked
for directly: days revert to the symbol's price over months; hours are a bridge between two days;
minutes are a bridge between two hours plus a bounce that is gone a minute later (it keeps an RSI
near 50 in quiet times); *runs* (one symbol) and *shocks* (the whole market) push for some minutes
and mostly come back within the hour, with volume: what rules wait for. Noise at each level is
market, sector and own noise, weighed by the symbol's betas.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from local.venue.instruments import SECTOR_COUNT, Character
from local.venue.market_protocol import (
    CLOSE,
    COLUMN_COUNT,
    HIGH,
    LOW,
    OPEN,
    QUOTE_VOLUME,
    TAKER_QUOTE_VOLUME,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    Columns,
)

FloatArray = NDArray[np.float64]

MINUTES_PER_HOUR = 60
HOURS_PER_DAY = 24
# A day's level is the sum of the last 400 days' noise, each day counting 1.5% less than the next:
# it wanders about six daily sigmas and never away, and needs no state.
_DAY_MEMORY = 400
_DAY_DECAY = 0.985
# Shares of the symbol's daily sigma. Tuned by tests/unit/venue/test_venue_rates.py: common rules
# fire some dozens of times an hour over 500 symbols.
_HOUR_SCALE = 0.75 / np.sqrt(HOURS_PER_DAY)
_MINUTE_SCALE = 0.12 / np.sqrt(HOURS_PER_DAY * MINUTES_PER_HOUR)
_BOUNCE_SCALE = 0.65 / np.sqrt(HOURS_PER_DAY * MINUTES_PER_HOUR)
_BOUNCE_MAX = 1.1
_WICK_SCALE = 1.25 / np.sqrt(HOURS_PER_DAY * MINUTES_PER_HOUR)
_RUN_CHANCE = 0.03
_SHOCK_CHANCE = 0.06
_STREAM_DAY, _STREAM_HOUR, _STREAM_MINUTE, _STREAM_EVENT, _STREAM_WICK, _STREAM_VOLUME = range(6)
_DAYS_KEPT = _DAY_MEMORY + 8


class PathModel:
    """The simulated prices. It remembers day noise only to save time, never to change an answer."""

    def __init__(
        self, seed: int, character: Character, price_units: FloatArray, lot_units: FloatArray
    ) -> None:
        """`price_units`, `lot_units`: float64[symbols], what one unit of price and volume is."""
        self._seed = seed
        self._character = character
        self._lot_units = lot_units
        self._units = character.price / price_units
        # Quote volume in 10^-8 of one lot at one price unit: a whole number by choice of decimals.
        self._quote_e8 = np.rint(price_units * lot_units * 1e8).astype(np.int64)
        self._day_noise: OrderedDict[int, FloatArray] = OrderedDict()
        self._hour_levels: OrderedDict[int, FloatArray] = OrderedDict()
        self._day_weights = _DAY_DECAY ** np.arange(_DAY_MEMORY, dtype=np.float64)

    def hour_block(self, hour: int) -> Columns:
        """Return int64[9, symbols, 60]: the klines of the hour `hour` (hours since the epoch)."""
        prices, push = self._prices(hour)
        symbols = len(self._units)
        block = np.empty((COLUMN_COUNT, symbols, MINUTES_PER_HOUR), dtype=np.int64)
        opens, closes = prices[:, :-1], prices[:, 1:]
        top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
        wicks = self._rng(_STREAM_WICK, hour).standard_exponential(
            (symbols, 2, MINUTES_PER_HOUR), dtype=np.float32
        )
        reach = (self._units * self._character.day_sigma * _WICK_SCALE).astype(np.float32)
        wicks *= reach[:, None, None]
        block[OPEN], block[CLOSE] = opens, closes
        block[HIGH] = top + wicks[:, 0]
        block[LOW] = np.maximum(bottom - wicks[:, 1].astype(np.int64), 1)
        self._fill_volumes(block, hour, push)
        return block

    def _fill_volumes(self, block: Columns, hour: int, push: NDArray[np.float32]) -> None:
        """Write volumes: log-normal about the symbol's mean, more when it runs or moves."""
        symbols = len(self._units)
        draws = self._rng(_STREAM_VOLUME, hour).standard_normal(
            (symbols, 2, MINUTES_PER_HOUR), dtype=np.float32
        )
        # The venue is livelier while Europe and America are awake (peak about 15 UTC).
        daylight = 1.0 + 0.35 * np.cos((hour % HOURS_PER_DAY - 15) * np.pi / 12)
        quote = self._character.day_quote_volume * (daylight / 1_440)
        vwap = (block[OPEN] + block[HIGH] + block[LOW] + block[CLOSE] + 2) >> 2
        lots = quote / (self._units * self._lot_price())
        activity = np.exp(0.45 * draws[:, 0] - 0.1) * (1 + push)
        block[VOLUME] = np.maximum(lots[:, None] * activity, 1)
        trades = quote / self._character.trade_quote
        block[TRADES] = np.clip(trades[:, None] * np.sqrt(activity), 1, 9_000)
        taker_share = np.clip(0.5 + 0.13 * draws[:, 1], 0.02, 0.98)
        block[TAKER_VOLUME] = block[VOLUME] * taker_share
        block[QUOTE_VOLUME] = block[VOLUME] * vwap * self._quote_e8[:, None]
        block[TAKER_QUOTE_VOLUME] = block[TAKER_VOLUME] * vwap * self._quote_e8[:, None]

    def _lot_price(self) -> FloatArray:
        """Return the value in quote of one lot at one price unit."""
        return self._quote_e8 / 1e8

    def _prices(self, hour: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return int64[symbols, 61] prices at the minute boundaries, float32[symbols, 60] push."""
        levels = self._levels(hour // HOURS_PER_DAY)
        start = levels[:, hour % HOURS_PER_DAY]
        change = levels[:, hour % HOURS_PER_DAY + 1] - start
        sigma = self._character.day_sigma.astype(np.float32)[:, None]
        noise = self._mixed(_STREAM_MINUTE, hour, MINUTES_PER_HOUR)
        bounce = np.clip(noise, -_BOUNCE_MAX, _BOUNCE_MAX) * (sigma * np.float32(_BOUNCE_SCALE))
        noise *= sigma
        walk = np.cumsum(noise, axis=1) * np.float32(_MINUTE_SCALE)
        share = np.arange(1, MINUTES_PER_HOUR + 1, dtype=np.float32) / np.float32(60)
        walk -= walk[:, -1:] * share
        walk += change.astype(np.float32)[:, None] * share
        walk[:, :-1] += bounce[:, :-1]
        events, push = self._events(hour)
        walk += events * sigma
        prices = np.empty((len(start), MINUTES_PER_HOUR + 1), dtype=np.int64)
        first = self._units * np.exp(start)
        prices[:, 0] = np.rint(first)
        prices[:, 1:] = np.rint(first[:, None] * np.exp(walk))
        # The last boundary is the next hour's first, computed as that hour computes it.
        prices[:, -1] = np.rint(self._units * np.exp(start_of_next(levels, hour)))
        return np.maximum(prices, 1), push

    def _events(self, hour: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what runs and shocks add: float32[symbols, 60] daily sigmas, and their push.

        Zero at the end of the hour, so that hours stay independent of each other.
        """
        symbols = len(self._units)
        rng = self._rng(_STREAM_EVENT, hour)
        shock = rng.uniform(size=5)
        draws = rng.uniform(size=(symbols, 5))
        moves = np.zeros((symbols, MINUTES_PER_HOUR), dtype=np.float32)
        push = np.zeros((symbols, MINUTES_PER_HOUR), dtype=np.float32)
        runners = np.flatnonzero(draws[:, 0] < _RUN_CHANCE)
        if len(runners):
            shape, effort = _run_shape(draws[runners])
            moves[runners], push[runners] = shape, effort
        if shock[0] < _SHOCK_CHANCE:
            shape, effort = _run_shape(shock[None])
            beta = self._character.market_beta.astype(np.float32)[:, None]
            moves += np.float32(0.8) * beta * shape
            push += np.float32(0.5) * effort
        return moves, push

    def _levels(self, day: int) -> FloatArray:
        """Return float64[symbols, 25]: log of price over the symbol's own, at each full hour."""
        known = self._hour_levels.get(day)
        if known is None:
            start, end = self._day_level(day), self._day_level(day + 1)
            noise = self._mixed(_STREAM_HOUR, day, HOURS_PER_DAY).astype(np.float64)
            walk = np.cumsum(noise * self._character.day_sigma[:, None] * _HOUR_SCALE, axis=1)
            share = np.arange(1, HOURS_PER_DAY + 1) / HOURS_PER_DAY
            walk += ((end - start) - walk[:, -1])[:, None] * share
            known = np.empty((len(start), HOURS_PER_DAY + 1))
            known[:, 0] = start
            known[:, 1:-1] = start[:, None] + walk[:, :-1]
            known[:, -1] = end
            _keep(self._hour_levels, day, known, 4)
        return known

    def _day_level(self, day: int) -> FloatArray:
        rows = [self._noise_of_day(day - back) for back in range(_DAY_MEMORY)]
        sums: FloatArray = (np.stack(rows) * self._day_weights[:, None]).sum(axis=0)
        return sums * self._character.day_sigma

    def _noise_of_day(self, day: int) -> FloatArray:
        known = self._day_noise.get(day)
        if known is None:
            known = self._mixed(_STREAM_DAY, day, 1)[:, 0].astype(np.float64)
            _keep(self._day_noise, day, known, _DAYS_KEPT)
        return known

    def _mixed(self, stream: int, index: int, steps: int) -> NDArray[np.float32]:
        """Return float32[symbols, steps]: market, sector and own noise, weighed.

        Element by element: a matrix product may round differently for another symbol count.
        """
        draws = self._rng(stream, index).standard_normal(
            (1 + SECTOR_COUNT + len(self._units), steps), dtype=np.float32
        )
        character = self._character
        mixed = draws[1 + SECTOR_COUNT :] * character.own.astype(np.float32)[:, None]
        mixed += draws[0] * character.market_beta.astype(np.float32)[:, None]
        sectors = draws[1 : 1 + SECTOR_COUNT][character.sector]
        mixed += sectors * character.sector_beta.astype(np.float32)[:, None]
        return mixed

    def _rng(self, stream: int, index: int) -> np.random.Generator:
        return np.random.Generator(
            np.random.SFC64(np.random.SeedSequence((self._seed, stream, index)))
        )


def start_of_next(levels: FloatArray, hour: int) -> FloatArray:
    """Return the level at which the hour after `hour` starts (same day's table)."""
    return levels[:, hour % HOURS_PER_DAY + 1]


def _run_shape(draws: FloatArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return float32[k, 60] moves in daily sigmas and float32[k, 60] extra activity.

    `draws` is float64[k, 5] in [0, 1): (used), start, length, size, side. It rises for 6 to 14
    minutes, then comes back until the hour's end.
    """
    minutes = np.arange(1, MINUTES_PER_HOUR + 1, dtype=np.float64)
    start = np.floor(2 + 30 * draws[:, 1:2])
    length = np.floor(6 + 9 * draws[:, 2:3])
    size = (0.12 + 0.35 * draws[:, 3:4] ** 2) * np.where(draws[:, 4:5] < 0.5, -1.0, 1.0)
    up = np.clip((minutes - start) / length, 0, 1)
    back = np.clip((minutes - start - length) / (MINUTES_PER_HOUR - start - length), 0, 1)
    moves = size * up * (1 - back) ** 1.5
    running = (minutes > start) & (minutes <= start + length)
    effort = np.where(running, 2.0 + 12 * np.abs(size), 0.6 * (up > 0) * (1 - back))
    return moves.astype(np.float32), effort.astype(np.float32)


def _keep(kept: OrderedDict[int, FloatArray], key: int, value: FloatArray, count_max: int) -> None:
    kept[key] = value
    while len(kept) > count_max:
        kept.popitem(last=False)
