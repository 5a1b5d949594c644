"""What `rules explain` answers: the tree of a rule for some instruments at one close."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import msgspec

from cli.history import CLOSE, History
from shared.errors import InvalidRequest
from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.rules import CROSS_SECTIONAL, Explanation, Rule, build_plan, evaluate
from shared.rules.replay import columns_of_universe


class ExplainedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """The rule on one instrument; `price` is None if it has no bar at this close."""

    instrument: str
    price: float | None
    explanation: Explanation


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A rule at one close."""

    rule: str
    venue: str
    interval: Interval
    feed: Feed
    closed_at_ms: int
    instruments: tuple[ExplainedInstrument, ...]


def is_cross_sectional(rule: Rule) -> bool:
    """Return whether other instruments of the universe make a difference."""
    return bool(rule.names & CROSS_SECTIONAL)


def explain_rule(
    rule: Rule,
    history: History,
    symbols: Sequence[str],
    universe: tuple[str, ...] | None,
    at_ms: int | None,
) -> Explained:
    """Return the rule's parts for each instrument, in the order asked for.

    Raises: InvalidRequest if there is no such instrument, or no close at `at_ms`.
    """
    window = history.window
    if at_ms is not None and window.closed_at_ms != at_ms:
        raise InvalidRequest(
            f"expected a close of {window.interval} at the time of --at, found none",
            hint="give the instant at which a bar closed, in UTC, such as 2026-11-21T14:00",
            field="at",
        )
    for symbol in symbols:
        columns_of_universe([symbol], window)
    places = window.instrument_index()
    verdicts = evaluate(build_plan([rule], [universe]), window, longer=history.longer)
    prices = {symbol: float(window.columns[CLOSE, -1, places[symbol]]) for symbol in symbols}
    return Explained(
        rule=rule.canonical,
        venue=window.venue,
        interval=window.interval,
        feed=window.feed,
        closed_at_ms=window.closed_at_ms,
        instruments=tuple(
            ExplainedInstrument(
                instrument=symbol,
                price=None if isnan(prices[symbol]) else prices[symbol],
                explanation=verdicts.tree(0, places[symbol]),
            )
            for symbol in symbols
        ),
    )
