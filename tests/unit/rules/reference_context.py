"""The bars that the reference reads: plain lists, by interval and instrument."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.unit.rules.reference_reader import Node

Bar = tuple[float, ...]
# A number, true, false, or None for unknown.
Value = Any


@dataclass
class Bars:
    """All bars of an interval: open times, ascending, and per symbol a bar or None for each."""

    open_times_ms: list[int]
    of_symbol: dict[str, list[Bar | None]]


@dataclass
class Context:
    """One instrument on one interval, up to the close that is evaluated.

    Bars are counted from the end: 0 is the last. `known` of them in a row have been there since
    the last missing one. Their times are known for as many bars as a window may have.
    """

    interval: str
    symbol: str
    closed_at_ms: int
    bars: list[Bar | None]
    absent: str | None
    known: int
    length: int  # of the window
    flat: bool  # its price has not moved
    memo: dict[Node, dict[int, object]] = field(default_factory=dict)
    causes: dict[tuple[Node, int], str] = field(default_factory=dict)
