"""What a warm process keeps of a shard: its traders and their plan, by revision.

Postgres sends the traders of a shard only when they have changed, and the plan is built only
then. Correctness does not depend on it: what is not here is asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from functions.execute_traders.core import Prepared, prepare, select_traders
from functions.execute_traders.last_close import LastClose
from shared.market.interval import Interval
from shared.rules import RuleLimits
from shared.runs import KEPT_BARS, Claim, Run, Trader, Trigger, bars_before
from shared.store.windows import WINDOW_BARS

SHARDS_MAX = 64


class Shard(msgspec.Struct):
    """The traders of a shard at a revision; `prepared` once a window has named the symbols.

    `last_close`: what the last run of all of them found.
    `bars`: the longest window that one of its runs needed.
    """

    shard_count: int
    revision: int
    traders: tuple[Trader, ...]
    compared: frozenset[str]
    bars: int = WINDOW_BARS
    prepared: Prepared | None = None
    last_close: LastClose = msgspec.field(default_factory=LastClose)

    def need_bars(self, due: Mapping[str, int]) -> int:
        """Return how many bars a run with these due cadences needs, and remember it.

        500 for the verdict at the close and as many for the one at the due close before, as far as
        they are kept: `compared` are the cadences of those whose trigger asks for it.
        """
        before_bars = max((bars_before(cadence, due) for cadence in self.compared), default=1)
        bars = min(WINDOW_BARS - 1 + max(before_bars, 1), KEPT_BARS)
        self.bars = max(self.bars, bars)
        return bars


class ShardCache:
    """Keeps the newest revision of at most SHARDS_MAX shards, least recently used first out."""

    def __init__(self) -> None:
        self._shards: OrderedDict[tuple[str, Interval, int], Shard] = OrderedDict()

    def known_revision(self, venue: str, interval: Interval, shard: int) -> int | None:
        """Return the revision whose traders are kept, or None."""
        kept = self._shards.get((venue, interval, shard))
        return None if kept is None else kept.revision

    def known_bars(self, venue: str, interval: Interval, shard: int) -> int:
        """Return how many bars the runs of a shard have needed so far."""
        kept = self._shards.get((venue, interval, shard))
        return WINDOW_BARS if kept is None else kept.bars

    def update(self, claim: Claim) -> Shard | None:
        """Return the shard of a claim, keeping its traders if they came with it.

        None: Postgres did not send them and they are not here either (another number of shards).
        """
        run = claim.run
        key = (run.venue, run.interval, run.shard)
        if claim.traders is None:
            kept = self._shards.get(key)
            current = (run.shard_count, claim.traders_revision)
            if kept is None or (kept.shard_count, kept.revision) != current:
                self._shards.pop(key, None)
                return None
            self._shards.move_to_end(key)
            return kept
        compared = frozenset(t.cadence for t in claim.traders if t.trigger is not Trigger.WHILE)
        shard = Shard(run.shard_count, claim.traders_revision, claim.traders, compared)
        # A run for one trader may come with that trader only.
        if run.trader_id is None:
            self._shards[key] = shard
            self._shards.move_to_end(key)
            while len(self._shards) > SHARDS_MAX:
                self._shards.popitem(last=False)
        return shard


def prepare_shard(shard: Shard, run: Run, symbols: tuple[str, ...], limits: RuleLimits) -> Prepared:
    """Return the prepared traders of a run, built anew only if traders or symbols changed."""
    if run.trader_id is not None:
        return prepare(select_traders(shard.traders, run), symbols, run.interval, limits)
    if shard.prepared is None or shard.prepared.symbols != symbols:
        shard.prepared = prepare(shard.traders, symbols, run.interval, limits)
    return shard.prepared
