"""The requests and reply of trigger_executions."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.market.interval import Interval
from shared.runs import RunStatus
from shared.usage import REPORTER_PATTERN, Meter

BIGINT_MAX = 2**63 - 1
# ops.tick sends at most 200; the rest is room for calls by hand.
RUNS_MAX = 1_000


class TickRun(BaseModel):
    """An unfinished run, as ops.tick names it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    run_id: int = Field(ge=1, le=BIGINT_MAX)
    venue: str = Field(min_length=1, max_length=32)
    interval: Interval = Field(strict=False)
    closed_at_ms: int = Field(ge=0, le=BIGINT_MAX)
    shard: int = Field(default=0, ge=0, le=100_000)


class SentUsage(BaseModel):
    """What the caller has used since its start: shared.usage.UsageReport."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    reporter: str = Field(pattern=REPORTER_PATTERN)
    totals: dict[Annotated[Meter, Field(strict=False)], Annotated[float, Field(ge=0, le=1e15)]]


class TriggerRequest(BaseModel):
    """Either the runs of a tick, or one slot (the collector's poke, or by hand).

    `trader_id` with a slot: that trader only. `usage`: the collector has no other way to report.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    runs: list[TickRun] | None = Field(default=None, max_length=RUNS_MAX)
    venue: str = Field(default="", max_length=32)
    interval: Interval | None = Field(default=None, strict=False)
    closed_at_ms: int | None = Field(default=None, ge=0, le=BIGINT_MAX)
    trader_id: int | None = Field(default=None, ge=1, le=BIGINT_MAX)
    usage: SentUsage | None = None

    @model_validator(mode="after")
    def check_kind(self) -> Self:
        """Refuse a request that is both, or neither."""
        slot = (self.venue or None, self.interval, self.closed_at_ms)
        if self.runs is not None:
            if any(part is not None for part in (*slot, self.trader_id)):
                raise ValueError("expected runs or a slot, was both")
        elif any(part is None for part in slot):
            raise ValueError("expected runs, or venue, interval and closed_at_ms")
        return self


class RunReport(BaseModel):
    """What became of one run."""

    run_id: int
    status: RunStatus
    signals_count: int = 0


class TriggerReply(BaseModel):
    """What became of all runs, in the order of the request; `ms` is the time it took."""

    runs: list[RunReport]
    ms: float
