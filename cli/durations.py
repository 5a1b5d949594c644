"""How long and how long ago, as people type and read it: 90s, 2h; "12 s ago", "in 5 min". Pure."""

from __future__ import annotations

import re

from shared.errors import InvalidRequest

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# What is read as "2 h" changes with the second number: 119 s, 119 min, 47 h.
_STEPS = (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48), ("d", 86_400, None))


def read_duration_s(argument: str, option: str) -> int:
    """Return the seconds of 90s, 10m, 2h, 3d or 1h30m.

    Raises: InvalidRequest naming the option.
    """
    parts = re.findall(r"(\d{1,6})([smhd])", argument)
    total_s = sum(int(number) * _UNITS_S[unit] for number, unit in parts)
    if total_s == 0 or "".join(number + unit for number, unit in parts) != argument:
        raise InvalidRequest(
            f"expected a duration such as 90s, 10m, 2h or 1h30m after {option}, was {argument!r}",
            field=option.lstrip("-"),
        )
    return total_s


def duration(length_s: float) -> str:
    """Return a length in its one fitting unit: 12 s, 5 min, 3 h, 2 d."""
    for unit, unit_s, end in _STEPS:
        count = int(length_s / unit_s)
        if end is None or count < end:
            return f"{count} {unit}"
    raise AssertionError("the last step has no end")
