"""How many Redis commands a month a configuration needs, and the refusal if they are too many.

Pure. Called by collector/run.py before anything else, and shown by /health.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.errors import ConfigError
from shared.market.interval import DAY_MS, HOUR_MS, Interval

MONTH_MS = 30 * DAY_MS
# Part of the slots whose frame is written, and read, a second time: a repair, a late symbol.
REVISED_SHARE = 0.2
# Frames beyond the ones that stay, before the oldest are trimmed in one command.
TRIM_SLACK = 100
# HKEYS of every interval each hour, to notice a Redis that lost frames.
VERIFY_MS = HOUR_MS


class CommandBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Commands a month by purpose; `limit` is COMMANDS_PER_MONTH_MAX."""

    writes: int
    reads: int
    revisions: int
    trims: int
    checks: int
    limit: int

    @property
    def total(self) -> int:
        """Return the sum."""
        return self.writes + self.reads + self.revisions + self.trims + self.checks

    @property
    def arithmetic(self) -> str:
        """Return the sum as a person would write it."""
        return (
            f"{self.writes} frame writes + {self.reads} reads by the functions "
            f"+ {self.revisions} for revisions + {self.trims} trims + {self.checks} checks "
            f"= {self.total} a month"
        )


def plan_commands(intervals: Sequence[Interval], limit: int, speed: float = 1.0) -> CommandBudget:
    """Return the commands a month; `speed` is seconds of venue time a second (1 but for tests)."""
    slots = int(speed * sum(MONTH_MS / interval.duration_ms for interval in intervals))
    return CommandBudget(
        writes=slots,
        reads=slots,
        revisions=int(2 * REVISED_SHARE * slots),
        trims=slots // TRIM_SLACK + 1,
        checks=len(intervals) * MONTH_MS // VERIFY_MS,
        limit=limit,
    )


def check_budget(budget: CommandBudget) -> None:
    """Raise ConfigError with the arithmetic if the budget would be broken."""
    if budget.total > budget.limit:
        raise ConfigError(
            f"expected at most {budget.limit} Redis commands a month, was {budget.arithmetic}",
            hint="take intervals out of INTERVALS, or raise COMMANDS_PER_MONTH_MAX and pay for it",
        )
