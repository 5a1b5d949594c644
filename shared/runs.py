"""Words of a run: what Postgres hands to the functions, and what they hand back.

Pure: no store, no clock. Written and read as JSON by shared/store/database.py; decided on by
functions/execute_traders/core.py. The routines that speak them are in sql/routines/public.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from shared.errors import InvalidRequest
from shared.market.cadence import BEFORE_BARS_MAX, EACH_CLOSE, Cadence, parse_cadence
from shared.market.frame import Feed
from shared.market.interval import Interval

# What the collector keeps of an interval in Redis (HISTORY_BARS); beyond it a window has no bars.
KEPT_BARS = 600


class Trigger(StrEnum):
    """When a rule that is true becomes a signal."""

    ENTER = "enter"  # true now, false at the (due) close before
    EXIT = "exit"  # false now, true at the (due) close before
    WHILE = "while"  # true now


class RunStatus(StrEnum):
    """What became of a run in one request."""

    FINISHED = "finished"
    ALREADY_DONE = "already_done"  # somebody else finished it, or is working on it
    WAITING = "waiting"  # its frame is not there, or the time was over: a later tick
    FAILED = "failed"  # released with an error: a later tick


class OpenedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of a slot, as `open_slot` reports it; `status` is the row's own word."""

    run_id: int
    shard: int
    status: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A claimed run: the slot and shard to evaluate.

    `trader_id`: only this trader (by hand, or after a save). `frame_revision` is that of the
    frame an earlier execution finished with; None if this is the first. `missing_instruments`
    are those the earlier execution had no kline of.
    """

    run_id: int
    venue: str
    interval: Interval
    closed_at_ms: int
    shard: int
    shard_count: int
    origin: str
    attempt: int
    trader_id: int | None = None
    frame_revision: int | None = None
    missing_instruments: tuple[str, ...] | None = None

    @property
    def open_time_ms(self) -> int:
        """Return the name of its last bar."""
        return self.closed_at_ms - self.interval.duration_ms

    @property
    def is_rerun(self) -> bool:
        """Return whether it was finished before, with instruments missing."""
        return self.frame_revision is not None


class Trader(msgspec.Struct, frozen=True, kw_only=True):
    """An enabled trader as a run needs it; `universe` None is every instrument."""

    id: int
    user_id: str
    rule: str
    trigger: Trigger
    version: int
    signals_per_close_max: int
    universe: tuple[str, ...] | None = None
    cooldown_s: int = 0
    cadence: str = EACH_CLOSE
    enabled_at_ms: int | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is ours until its lease ends; `traders` None: those of `traders_revision`.

    `due`: cadences, besides each close, that are due at its close → bars back to the due close
    before.
    """

    claim_token: str
    run: Run
    traders_revision: int
    traders: tuple[Trader, ...] | None = None
    due: dict[str, int] = {}


def bars_before(cadence: str, due: Mapping[str, int]) -> int:
    """Return how many bars before a close the previous due close of a cadence is; 0: not due.

    `due`: that of the close's claim.
    """
    return 1 if cadence == EACH_CLOSE else due.get(cadence, 0)


def check_cadence(text: str, interval: Interval, trigger: Trigger, bars_needed: int) -> Cadence:
    """Return the parsed cadence of a trader whose rule needs so many bars.

    Raises: InvalidRequest on `cadence` if it is none, or if the trigger compares two due closes
    and the bars that are kept do not hold both verdicts.
    """
    try:
        cadence = parse_cadence(text)
    except ValueError as error:
        hint = 'for example "close", "every 3 closes", or "30 8 * * 1-5" (08:30 UTC on weekdays)'
        raise InvalidRequest(str(error), hint=hint, field="cadence") from error
    apart = cadence.before_bars_max(interval)
    most = min(BEFORE_BARS_MAX, KEPT_BARS - bars_needed)
    if trigger is not Trigger.WHILE and apart > max(most, 1):
        needs = "" if most == BEFORE_BARS_MAX else f" (the rule needs {bars_needed} bars)"
        raise InvalidRequest(
            f"expected due closes at most {most} bars apart with trigger {trigger}{needs}, "
            f"was {apart}",
            hint="take a longer interval, or trigger while",
            field="cadence",
        )
    return cadence


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A match to be stored: `price` is the close in quote per base, as text."""

    trader_id: int
    rule_version: int
    instrument: str
    trigger: Trigger
    price: str
    values: dict[str, float]


class TraderError(msgspec.Struct, frozen=True, kw_only=True):
    """A trader whose rule could not be evaluated in this run."""

    trader_id: int
    code: str
    message: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run found; stored in one transaction with the end of the run.

    `overflow`: trader id → matches over the cap of its tier, which are not in `signals`.
    `missing_instruments`: those to be evaluated later; empty when the frame is complete.
    `matched_count` counts matches before the cap. `stats`: milliseconds of each stage, and
    counts of the verdicts of its distinct rules on all instruments.
    """

    feed: Feed
    frame_revision: int
    complete: bool
    missing_instruments: tuple[str, ...]
    traders_count: int
    evaluated_at_ms: int
    late: bool
    matched_count: int
    signals: tuple[Signal, ...]
    overflow: dict[str, int]
    errors: tuple[TraderError, ...]
    stats: dict[str, float] = {}


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """What `emit_signals` did with the signals of an outcome, by count."""

    inserted: int = 0
    duplicates: int = 0
    cooldown: int = 0
    disabled: int = 0
    overflow: int = 0
