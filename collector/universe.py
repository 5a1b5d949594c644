"""Which instruments the collector follows, in which order. Pure.

Called by collector/session.py at its start and daily. Not here: REST, storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from collector.venues.binance.messages import ExchangeInfo, Ticker
from shared.errors import ConfigError

# The stored list stays in force while at most this share of it differs from today's ranking:
# rank 480 and rank 510 change places every hour, and every change would rewrite all history.
CHURN_MAX = 0.1


class UniverseRule(msgspec.Struct, frozen=True, kw_only=True):
    """How instruments are chosen; `volume_min` in quote units over 24 h."""

    size: int
    quote: str
    volume_min: float
    symbols: tuple[str, ...] = ()


class Universe(msgspec.Struct, frozen=True, kw_only=True):
    """The instruments, by 24 h quote volume, descending; `trading`: those not halted now."""

    symbols: tuple[str, ...]
    trading: frozenset[str]


def choose_universe(
    rule: UniverseRule, info: ExchangeInfo, tickers: Sequence[Ticker], stored: Sequence[str] | None
) -> Universe:
    """Return the universe; the `stored` list is kept while it is still a fair answer.

    Raises: ConfigError if an explicit symbol is unknown, or nothing passes the rule.
    """
    trading = frozenset(s.symbol for s in info.symbols if s.status == "TRADING")
    volumes = {t.symbol: _volume(t.quote_volume) for t in tickers}
    if rule.symbols:
        chosen = _explicit(rule.symbols, info, volumes)
    else:
        chosen = _ranked(rule, info, volumes)
    if stored is not None and _still_fair(rule, stored, chosen, trading):
        chosen = tuple(stored)
    return Universe(symbols=chosen, trading=trading.intersection(chosen))


def _explicit(
    symbols: tuple[str, ...], info: ExchangeInfo, volumes: dict[str, Decimal]
) -> tuple[str, ...]:
    known = {s.symbol for s in info.symbols}
    unknown = [symbol for symbol in symbols if symbol not in known]
    if unknown:
        raise ConfigError(
            f"expected instruments of the venue, was {', '.join(unknown[:10])}",
            hint="correct UNIVERSE_SYMBOLS",
        )
    unique = dict.fromkeys(symbols)
    return tuple(sorted(unique, key=lambda symbol: (-volumes.get(symbol, Decimal(0)), symbol)))


def _ranked(rule: UniverseRule, info: ExchangeInfo, volumes: dict[str, Decimal]) -> tuple[str, ...]:
    fit = [
        s.symbol
        for s in info.symbols
        if s.status == "TRADING"
        and s.quote_asset == rule.quote
        and volumes.get(s.symbol, Decimal(0)) >= Decimal(rule.volume_min)
    ]
    if not fit:
        raise ConfigError(
            f"expected instruments quoted in {rule.quote} with a 24 h volume of "
            f"{rule.volume_min:g} or more, was none",
            hint="correct UNIVERSE_QUOTE or UNIVERSE_VOLUME_MIN",
        )
    # Equal volumes stand in alphabetical order, so that a restart gives the same list.
    fit.sort(key=lambda symbol: (-volumes[symbol], symbol))
    return tuple(fit[: rule.size])


def _still_fair(
    rule: UniverseRule, stored: Sequence[str], chosen: tuple[str, ...], trading: frozenset[str]
) -> bool:
    if rule.symbols:
        return set(stored) == set(chosen)
    if len(stored) > rule.size or not all(symbol.endswith(rule.quote) for symbol in stored):
        return False
    stayed = len(set(stored) & set(chosen))
    newcomers = len(chosen) - stayed
    leavers = len(stored) - len(trading.intersection(stored))
    return max(newcomers, leavers) <= CHURN_MAX * max(len(chosen), 1)


def _volume(text: str) -> Decimal:
    try:
        volume = Decimal(text)
    except InvalidOperation:
        return Decimal(0)
    return volume if volume.is_finite() else Decimal(0)
