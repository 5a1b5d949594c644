"""The request and reply of save_trader."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.market.cadence import EACH_CLOSE
from shared.market.interval import Interval
from shared.runs import Trigger

BIGINT_MAX = 2**63 - 1
RULE_CHARACTERS_MAX = 2_000
UNIVERSE_INSTRUMENTS_MAX = 1_000
COOLDOWN_S_MAX = 30 * 24 * 3600
PREVIEW_MATCHES_MAX = 20

Instrument = Annotated[str, StringConstraints(min_length=1, max_length=32)]


class SaveTraderRequest(BaseModel):
    """A trader as its owner writes it; `id` names one to change, `dry_run` stores nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: int | None = Field(default=None, ge=1, le=BIGINT_MAX)
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    description: str = Field(default="", max_length=2_000)
    rule: str = Field(min_length=1, max_length=RULE_CHARACTERS_MAX)
    venue: str = Field(default="binance", min_length=1, max_length=32)
    universe: list[Instrument] | None = Field(
        default=None, min_length=1, max_length=UNIVERSE_INSTRUMENTS_MAX
    )
    interval: Interval = Field(strict=False)
    trigger: Trigger = Field(strict=False)
    cooldown_s: int = Field(default=0, ge=0, le=COOLDOWN_S_MAX)
    cadence: str = Field(default=EACH_CLOSE, min_length=1, max_length=200)
    enabled: bool = True
    dry_run: bool = False


class PreviewMatch(BaseModel):
    """One instrument on which the rule is true, with the values that explain it."""

    instrument: str
    values: dict[str, float]


class Preview(BaseModel):
    """The rule on the newest closed bars.

    `matched_count`: instruments on which it is true now; `triggered_count`: on how many the
    trigger would have made a signal at this close. All counts are within the trader's universe.
    `closed_at_ms` None: no data of this interval yet, as `unknown_reason` says.
    """

    closed_at_ms: int | None
    matched_count: int
    triggered_count: int
    known_count: int
    unknown_count: int
    matches: list[PreviewMatch]
    unknown_reason: str | None


class SaveTraderReply(BaseModel):
    """The stored row (None after a dry run) and what the rule says now."""

    trader: dict[str, Any] | None
    preview: Preview
