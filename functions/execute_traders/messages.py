"""The request and reply of execute_traders."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from shared.market.interval import Interval
from shared.runs import RunStatus

BIGINT_MAX = 2**63 - 1


class SlotHint(BaseModel):
    """Which slot and shard a run is for, as the caller knows it.

    Lets the function read the frame and name its cached traders while it claims the run; what
    the claim says is what counts.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    venue: str = Field(min_length=1, max_length=32)
    interval: Interval = Field(strict=False)
    closed_at_ms: int = Field(ge=0, le=BIGINT_MAX)
    shard: int = Field(ge=0, le=100_000)


class ExecuteTradersRequest(BaseModel):
    """Execute one run."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run_id: int = Field(ge=1, le=BIGINT_MAX)
    slot: SlotHint | None = None


class ExecuteTradersReply(BaseModel):
    """What became of it; counts of this execution, milliseconds of each stage."""

    run_id: int
    status: RunStatus
    signals_count: int = 0
    matched_count: int = 0
    errors_count: int = 0
    stats: dict[str, float] = {}
