"""The request and reply of write_logs."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

BIGINT_MAX = 2**63 - 1
# A batch of the collector has 100 and one that counts what was dropped.
LINES_MAX = 200


class LogLine(BaseModel):
    """A line as shared/log_queue.py makes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    logged_at: AwareDatetime
    # Everybody else has a way of their own into Postgres.
    source: Literal["collector"]
    level: Literal["debug", "info", "warn", "error"]
    event: str = Field(min_length=1, max_length=200)
    run_id: int | None = Field(default=None, ge=1, le=BIGINT_MAX)
    trader_id: int | None = Field(default=None, ge=1, le=BIGINT_MAX)
    symbol: str | None = Field(default=None, min_length=1, max_length=80)
    line_key: UUID
    fields: dict[str, Any] = {}


class WriteLogsRequest(BaseModel):
    """A batch, oldest line first. Sent again, it is stored once."""

    model_config = ConfigDict(extra="forbid")

    lines: list[LogLine] = Field(max_length=LINES_MAX)


class WriteLogsReply(BaseModel):
    """How many lines were handed to Postgres, which may leave some out (docs/logs.md)."""

    lines: int
