"""One measured figure, and the file of all figures (bench/page.py makes the page from it)."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

RESULTS = Path("bench/results.json")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A figure; `ratio` is value / baseline where there is a peer, `promise` is the design's.

    `kept` says whether the promise holds in this run (None: nothing was promised).
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    baseline_name: str | None = None
    ratio: float | None = None
    promise: str | None = None
    kept: bool | None = None
    conditions: str
    measured_at: str = ""


def percentile(values: Iterable[float], share: float) -> float:
    """Return the nearest-rank percentile, `share` in 0 … 1.

    Raises: ValueError if there is no value.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("expected at least one measurement, was none")
    rank = max(0, -(-int(share * 1000 * len(ordered)) // 1000) - 1)
    return ordered[min(rank, len(ordered) - 1)]


def machine() -> str:
    """Return the words that say where a figure comes from."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def store(figures: Sequence[Figure], instead_of: Sequence[str] = ()) -> None:
    """Put the figures into the results file, replacing those of the same name.

    `instead_of`: prefixes; what begins with one goes, whether or not there is a new one.
    """
    known: dict[str, Figure] = {}
    if RESULTS.exists():
        for figure in msgspec.json.decode(RESULTS.read_bytes(), type=list[Figure]):
            if not figure.name.startswith(tuple(instead_of)):
                known[figure.name] = figure
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for figure in figures:
        known[figure.name] = msgspec.structs.replace(figure, measured_at=now)
    kept = sorted(known.values(), key=lambda figure: figure.name)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=2) + b"\n")
