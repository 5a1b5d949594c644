"""The words of faults: what can be asked for, and what it makes of a close. Pure values.

What each kind means is written in docs/simulated-market.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal[
    "silence",
    "disconnect",
    "duplicate",
    "late",
    "reordered",
    "missing",
    "malformed",
    "http",
    "wrong_clock",
    "no_trade",
    "server_shutdown",
    "storm",
]


VARIANTS = (
    "bad_json",
    "wrong_types",
    "unknown_event",
    "truncated",
    "missing_field",
    "not_utf8",
    "empty",
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault as `POST /control/fault` takes it; None means the kind's default."""

    kind: Kind
    symbols: list[str] | None = None
    count: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    duration_s: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=3_600_000)] | None = None
    delay_minutes: Annotated[int, Meta(ge=0, le=1_440)] = 0
    status: Annotated[int, Meta(ge=400, le=599)] = 429
    retry_after_s: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    path: str = ""
    offset_ms: Annotated[int, Meta(ge=-(10**12), le=10**12)] = 60_000
    variant: str | None = None
    replace: bool = False
    code: Annotated[int, Meta(ge=0, le=4_999)] = 0
    seed: int = 0
    share: Annotated[float, Meta(ge=0, le=1)] = 0.02


class Delivery(msgspec.Struct, frozen=True):
    """One close to send: real `delay_ms` after the minute, or `delay_minutes` later.

    `variant` names how its text is damaged; `after_next`: the next minute's first forming kline
    goes out before it.
    """

    index: int
    delay_ms: int
    delay_minutes: int = 0
    variant: str | None = None
    after_next: bool = False


def variant_of(fault: Fault, number: int) -> str:
    """Return how the message with this number is damaged: as told, or each way in turn."""
    return fault.variant or VARIANTS[(number + fault.seed) % len(VARIANTS)]
