"""How many Redis commands a month a configuration needs, and the refusal if they are too many.

Pure. Called by collector/run.py before anything else, shown by /health, and part of every plan
(plan.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.errors import ConfigError
from shared.market.interval import DAY_MS, HOUR_MS, Interval

MONTH_MS = 30 * DAY_MS
# Part of the slots whose frame is written, and read, a second time: a repair, a late symbol.
REVISED_SHARE = 0.2
# Looks of a waiting tick at the frame of a slot: one a second (functions/trigger_executions), and
# the closes of a live venue take about two.
LOOKS_PER_SLOT = 2
# Frames beyond the ones that stay, before the oldest are trimmed in one command.
TRIM_SLACK = 100
# HKEYS of every interval each hour, to notice a Redis that lost frames.
VERIFY_MS = HOUR_MS
# A fresh function process reads 501 frames of an interval, 100 a command, and its symbol list.
COMMANDS_PER_START = 7
# A question of a user whose newest frame is still on its way looks at two.
COMMANDS_PER_QUESTION = 2


class CommandBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Commands a month by purpose; `limit` is COMMANDS_PER_MONTH_MAX.

    `starts` and `questions` are 0 where nobody has said how many there will be.
    """

    writes: int
    reads: int
    looks: int
    revisions: int
    trims: int
    checks: int
    starts: int = 0
    questions: int = 0
    limit: int

    @property
    def total(self) -> int:
        """Return the sum."""
        frames = self.writes + self.reads + self.looks + self.revisions
        known = frames + self.trims + self.checks
        return known + self.starts + self.questions

    @property
    def arithmetic(self) -> str:
        """Return the sum as a person would write it."""
        text = (
            f"{self.writes} frame writes + {self.reads} reads by the functions "
            f"+ {self.looks} looks of waiting ticks + {self.revisions} for revisions "
            f"+ {self.trims} trims + {self.checks} checks"
        )
        if self.starts:
            text += f" + {self.starts} of starting functions"
        if self.questions:
            text += f" + {self.questions} for questions of users"
        return f"{text} = {self.total} a month"


def slots_per_month(intervals: Sequence[Interval]) -> float:
    """Return how many closes of these intervals a month of 30 days has."""
    return sum(MONTH_MS / interval.duration_ms for interval in intervals)


def plan_commands(
    intervals: Sequence[Interval],
    limit: int,
    speed: float = 1.0,
    *,
    starts: float = 0,
    questions: float = 0,
) -> CommandBudget:
    """Return the commands a month.

    `speed` is seconds of venue time a second (1 but for tests); `starts` of function processes
    and `questions` of users (preview, explain, backtest, save) are counts a month.
    """
    slots = int(speed * slots_per_month(intervals))
    return CommandBudget(
        writes=slots,
        reads=slots,
        looks=LOOKS_PER_SLOT * slots,
        revisions=int(2 * REVISED_SHARE * slots),
        trims=slots // TRIM_SLACK + 1,
        checks=len(intervals) * MONTH_MS // VERIFY_MS,
        starts=int(COMMANDS_PER_START * len(intervals) * starts),
        questions=int(COMMANDS_PER_QUESTION * questions),
        limit=limit,
    )


def check_budget(budget: CommandBudget) -> None:
    """Raise ConfigError with the arithmetic if the budget would be broken."""
    if budget.total > budget.limit:
        raise ConfigError(
            f"expected at most {budget.limit} Redis commands a month, was {budget.arithmetic}",
            hint="take intervals out of INTERVALS, or raise COMMANDS_PER_MONTH_MAX and pay for it",
        )
