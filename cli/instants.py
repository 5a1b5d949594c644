"""Times and durations: how people type them on a command line, how they are shown. Pure; UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from shared.errors import InvalidRequest

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d{1,6}[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")
# A year of a log that keeps days; more is a slip of the finger.
_AGO_S_MAX = 366 * 86_400
# What is read as "2 h" changes with the second number: 119 s, 119 min, 47 h.
_STEPS = (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48), ("d", 86_400, None))


def read_duration_s(text: str, option: str) -> int:
    """Return the seconds of 90s, 10m, 2h, 3d, 1w or 1h30m.

    Raises: InvalidRequest naming the option.
    """
    length_s = _length_s(text)
    if not length_s:
        raise _refused("a duration such as 90s, 10m, 2h or 1h30m", option, text)
    return length_s


def read_date(text: str, option: str) -> datetime:
    """Return the instant of a date or a date and time (RFC 3339), in UTC unless it says otherwise.

    Raises: InvalidRequest naming the option.
    """
    instant = _date(text)
    if instant is None:
        raise _refused("a date such as 2026-11-21 or 2026-11-21T14:00", option, text)
    return instant


def read_instant(text: str, option: str, now: datetime) -> datetime:
    """Return the instant that `10m` (ago), `1h30m` or a date and time (RFC 3339) names.

    Raises: InvalidRequest naming the option.
    """
    length_s = _length_s(text)
    if length_s is not None and length_s <= _AGO_S_MAX:
        return now - timedelta(seconds=length_s)
    instant = _date(text)
    if instant is None:
        raise _refused("10m, 2h, 1d or a time such as 2026-11-21T17:00:00Z", option, text)
    return instant


def show_instant(instant: datetime) -> str:
    """Return 2026-11-21T17:00:00.123Z: it can be typed after --since again."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def duration(length_s: float) -> str:
    """Return a length in its one fitting unit: 12 s, 5 min, 3 h, 2 d; nothing is below 0 s."""
    for unit, unit_s, end in _STEPS:
        count = int(max(length_s, 0) / unit_s)
        if end is None or count < end:
            return f"{count} {unit}"
    raise AssertionError("the last step has no end")


def ago(age_s: float) -> str:
    """Return an age as people say it: 12 s ago, 5 min ago; of a future instant in 28 s."""
    return f"{duration(age_s)} ago" if age_s >= 0 else f"in {duration(-age_s)}"


def _length_s(text: str) -> int | None:
    if not _DURATION.fullmatch(text):
        return None
    return sum(int(count) * _UNITS_S[unit] for count, unit in _PART.findall(text))


def _date(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _refused(expected: str, option: str, text: str) -> InvalidRequest:
    return InvalidRequest(
        f"expected {expected} after {option}, was {text!r}", field=option.lstrip("-")
    )
