"""At which closes a trader is evaluated: each, every N, or as a cron expression says, in UTC.

Pure. A function of the cadence and the close alone (docs/decisions/0014). Postgres decides with
the same definition (ops.due_closes, ops.before_bars; a test compares the two); this one refuses
what is no cadence, with the reason, before anything is stored.
"""

from __future__ import annotations

import re

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.market.interval import DAY_MS, MINUTE_MS, Interval

EACH_CLOSE = "close"
COUNT_MAX = 1_000
# A function keeps so many bars before the last one (600 are in Redis).
BEFORE_BARS_MAX = 500
EXPRESSION_CHARACTERS_MAX = 100

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Each with the names of its numbers, from the lowest on.
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("weekday", 0, 7, WEEKDAYS),
)
_WORD = "([0-9]{1,2}|[A-Za-z]{3})"
_ITEM = re.compile(rf"(?:\*|{_WORD}(?:-{_WORD})?)(?:/([0-9]{{1,2}}))?", re.ASCII)
_COUNT = re.compile(r"every (0|[1-9][0-9]*) closes", re.ASCII)
# Days from 1970 on: a 29 February that must be a Sunday comes once in 28 years.
_CALENDAR = np.arange(60 * 366)


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """A cron expression: minutes of the day, ascending, on the days that fit.

    `is_either_day`: a day that fits `days` or `weekdays` will do; else it must fit both.
    """

    minutes_of_day: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either_day: bool

    def fits(self, days: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return bool[n]: which of these days (since 1970) it names."""
        dates = days.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        by_day = np.isin((dates - months).astype(np.int64) + 1, list(self.days))
        # 1970-01-01 was a Thursday.
        by_weekday = np.isin((days + 4) % 7, list(self.weekdays))
        by_month = np.isin(months.astype(np.int64) % 12 + 1, list(self.months))
        result: NDArray[np.bool_] = by_month & (
            by_day | by_weekday if self.is_either_day else by_day & by_weekday
        )
        return result

    def newest_ms(self, after_ms: int, until_ms: int) -> int | None:
        """Return its newest instant after one instant up to and with another, or None."""
        days = np.arange(until_ms // DAY_MS, after_ms // DAY_MS - 1, -1)
        # The newest day may be over too early for any, so two can be needed.
        for day in days[self.fits(days)][:2].tolist():
            for minute in reversed(self.minutes_of_day):
                at_ms: int = day * DAY_MS + minute * MINUTE_MS
                if at_ms <= until_ms:
                    return at_ms if at_ms > after_ms else None
        return None

    @property
    def pause_ms_max(self) -> int:
        """Return the longest time between two of its instants; 0 if it has none."""
        days = _CALENDAR[self.fits(_CALENDAR)]
        if len(days) < 2:
            return 0
        first, last = self.minutes_of_day[0], self.minutes_of_day[-1]
        over_night = int(np.diff(days).max()) * DAY_MS - (last - first) * MINUTE_MS
        by_day = np.diff(self.minutes_of_day)
        return max(over_night, int(by_day.max()) * MINUTE_MS if len(by_day) else 0)


class Cadence(msgspec.Struct, frozen=True, kw_only=True):
    """A cadence as it is stored (`text`): every `count` closes, or as `cron` says."""

    text: str
    count: int = 1
    cron: Cron | None = None

    def is_due(self, interval: Interval, closed_at_ms: int) -> bool:
        """Return whether a trader of this cadence is evaluated at a close."""
        length_ms = interval.duration_ms
        if self.cron is None:
            return closed_at_ms // length_ms % self.count == 0
        return self.cron.newest_ms(closed_at_ms - length_ms, closed_at_ms) is not None

    def before_bars(self, interval: Interval, closed_at_ms: int) -> int:
        """Return how many bars before a close the previous due close is, 1 to BEFORE_BARS_MAX.

        The maximum also if it is further away.
        """
        length_ms = interval.duration_ms
        if self.cron is None:
            bars = closed_at_ms // length_ms % self.count or self.count
        else:
            oldest_ms = closed_at_ms - (BEFORE_BARS_MAX + 1) * length_ms
            newest_ms = self.cron.newest_ms(oldest_ms, closed_at_ms - length_ms)
            bars = BEFORE_BARS_MAX if newest_ms is None else (closed_at_ms - newest_ms) // length_ms
        return min(bars, BEFORE_BARS_MAX)

    def before_bars_max(self, interval: Interval) -> int:
        """Return the most bars that two due closes can be apart, without a bound."""
        if self.cron is None:
            return self.count
        return max(1, -(-self.cron.pause_ms_max // interval.duration_ms))


def parse_cadence(text: str) -> Cadence:
    """Return the cadence that a text says; blanks around and between its words do not matter.

    Raises: ValueError, worded for the person who wrote it.
    """
    text = " ".join(text.split())
    if text == EACH_CLOSE:
        return Cadence(text=text)
    counted = _COUNT.fullmatch(text)
    if counted is not None:
        count = int(counted[1]) if len(counted[1]) <= 4 else COUNT_MAX + 1
        if not 2 <= count <= COUNT_MAX:
            raise ValueError(f"expected 2 to {COUNT_MAX:,} closes, was {counted[1][:20]}")
        return Cadence(text=text, count=count)
    parts = text.split(" ")
    if len(parts) != len(FIELDS) or len(text) > EXPRESSION_CHARACTERS_MAX:
        raise ValueError(
            'expected "close", "every N closes" or the five fields of a cron expression, '
            f'was "{text[:40]}"'
        )
    return Cadence(text=text, cron=_parse_cron(parts))


def _parse_cron(parts: list[str]) -> Cron:
    minutes, hours, days, months, weekdays = (
        _parse_field(part, *field) for part, field in zip(parts, FIELDS, strict=True)
    )
    cron = Cron(
        minutes_of_day=tuple(60 * hour + minute for hour in hours for minute in minutes),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(weekday % 7 for weekday in weekdays),
        is_either_day=not (parts[2].startswith("*") or parts[4].startswith("*")),
    )
    if not cron.fits(_CALENDAR).any():
        raise ValueError(f"expected a date that comes, was day {parts[2]} of month {parts[3]}")
    return cron


def _parse_field(text: str, name: str, low: int, high: int, words: tuple[str, ...]) -> list[int]:
    """Return the numbers that a field lists, ascending."""
    range_text = f"from {low} to {high}" + (f" or {words[0]} to {words[-1]}" if words else "")

    def number(word: str) -> int:
        known = word.lower() in words
        if not known and not word.isdigit():
            raise ValueError(f'expected a {name} {range_text}, was "{word}"')
        return words.index(word.lower()) + low if known else int(word)

    listed: set[int] = set()
    for item in text.split(","):
        found = _ITEM.fullmatch(item)
        first, last, step = found.groups() if found else (None, None, None)
        if found is None or (step is not None and first is not None and last is None):
            raise ValueError(
                f"expected a {name} as *, n, n-m, */step, n-m/step or a list of these, "
                f'was "{item[:20]}"'
            )
        start = number(first) if first else low
        stop = number(last) if last else start if first else high
        stride = int(step) if step is not None else 1
        if start < low or stop > high or start > stop or not 1 <= stride <= high:
            raise ValueError(f'expected a {name} {range_text}, was "{item[:20]}"')
        listed.update(range(start, stop + 1, stride))
    return sorted(listed)
