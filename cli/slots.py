"""Which slot is meant: `latest`, `1m 17:00`, `binance 1m 2026-11-21T17:00:00Z`, a run. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from shared.errors import InvalidRequest

# As in ops.interval_s; shared.market.interval would import numpy with its package.
INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_VENUE = re.compile(r"[a-z][a-z_]{1,31}")
_HINT = 'such as latest, 1m, "1m 17:00", "binance 1m 2026-11-21T17:00:00Z", or the number of a run'


class SlotWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a slot; what is None was not. With all None: the newest there is."""

    run_id: int | None = None
    venue: str | None = None
    interval: str | None = None
    closed_at: datetime | None = None


def read_slot(words: Sequence[str], now: datetime) -> SlotWanted:
    """Return the slot that these words name, in any order; a time without a date lies behind us.

    Raises: InvalidRequest if they name none.
    """
    parts = [part for word in words for part in word.replace("#", " ").split()]
    if not parts:
        raise InvalidRequest(f"expected a slot, {_HINT}", field="slot")
    numbers = [part for part in parts if part.isascii() and part.isdecimal()]
    if numbers:
        if set(parts) - {"run"} != {numbers[0]} or len(numbers[0]) > 18:
            raise _not_a_slot(parts)
        return SlotWanted(run_id=int(numbers[0]))
    found: dict[str, str | datetime] = {}
    for part in parts:
        name, value = _read_part(part, now) or _raise(parts)
        if name in found:
            raise _not_a_slot(parts)
        if value is not None:
            found[name] = value
    return msgspec.convert(found, SlotWanted)


def _read_part(part: str, now: datetime) -> tuple[str, str | datetime | None] | None:
    if part == "latest":
        return "latest", None
    if part in INTERVALS:
        return "interval", part
    clock = _CLOCK.fullmatch(part.upper().removesuffix("Z"))
    if clock:
        at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return "closed_at", at if at <= now else at - timedelta(days=1)
    try:
        at = datetime.fromisoformat(part)
    except ValueError:
        return ("venue", part) if _VENUE.fullmatch(part) else None
    return "closed_at", at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _raise(parts: Sequence[str]) -> tuple[str, str | datetime | None]:
    raise _not_a_slot(parts)


def _not_a_slot(parts: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(f"expected a slot, {_HINT}, was {' '.join(parts)!r}", field="slot")
