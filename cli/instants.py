"""Times as people type them on a command line, and as they are shown. Pure; UTC throughout."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from shared.errors import InvalidRequest

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+[smhdw])+", re.I)
_PART = re.compile(r"(\d+)([smhdw])", re.I)
# A year of a log that keeps days; more is a slip of the finger.
_DURATION_S_MAX = 366 * 86_400


def read_instant(text: str, option: str, now: datetime) -> datetime:
    """Return the instant that `10m` (ago), `1h30m` or a date and time (RFC 3339) names.

    Raises: InvalidRequest naming the option.
    """
    if _DURATION.fullmatch(text):
        seconds = sum(int(count) * _SECONDS[unit.lower()] for count, unit in _PART.findall(text))
        if seconds <= _DURATION_S_MAX:
            return now - timedelta(seconds=seconds)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(
            f"expected 10m, 2h, 1d or a time such as 2026-11-21T17:00:00Z after {option},"
            f" was {text!r}",
            field=option.lstrip("-"),
        ) from error
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def show_instant(instant: datetime) -> str:
    """Return 2026-11-21T17:00:00.123Z: it can be typed after --since again."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def show_age(seconds: float) -> str:
    """Return how long ago something was: `3 s ago`, `12 min ago`, `5 h ago`, `2 days ago`."""
    if seconds < 0:
        return "in " + show_age(-seconds).removesuffix(" ago")
    for limit, divisor, unit in ((90, 1, "s"), (5_400, 60, "min"), (129_600, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit} ago"
    return f"{seconds / 86_400:.0f} days ago"
