"""Reads published test vectors: Tulip Indicators, Skender.Stock.Indicators, StockCharts' sheets."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "indicators"

Series = NDArray[np.float64]


class Vector(NamedTuple):
    """One published example: its inputs, then its outputs, which end on the inputs' last bar.

    `tolerances`: half of the last printed digit, of each series.
    """

    name: str
    periods: tuple[float, ...]
    series: tuple[Series, ...]
    tolerances: tuple[float, ...]


def tulip(file: str) -> Iterator[Vector]:
    """Return the vectors of a Tulip file: a line `name periods…`, then one line a series.

    The file does not say how many of the series are inputs; that is known of a function.
    """
    name, rows = "", list[list[str]]()
    periods: tuple[float, ...] = ()
    for line in [*(FOLDER / "tulip" / file).read_text().splitlines(), ""]:
        text = line.strip()
        if text.startswith("{"):
            rows.append(text.strip("{}").split(","))
        elif text.startswith("#"):
            continue
        elif name and rows:
            shown = [[cell for cell in row if cell] for row in rows]
            yield Vector(
                name,
                periods,
                tuple(np.array([float(cell) for cell in row]) for row in shown),
                tuple(_half_digit(row) for row in shown),
            )
            name, rows = "", []
        if text and not text.startswith(("{", "#")):
            name, *words = text.split()
            periods = tuple(float(word) for word in words)


def _half_digit(cells: list[str]) -> float:
    digits = max((len(cell.partition(".")[2]) for cell in cells), default=0)
    return 0.5 * 10.0**-digits


def skender_quotes(file: str = "default.csv") -> dict[str, Series]:
    """Return open, high, low, close and volume of the 502 days all of Skender's series are of."""
    with (FOLDER / "skender" / file).open(encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    return {
        name: np.array([float(row[name]) for row in rows])
        for name in ("open", "high", "low", "close", "volume")
    }


def skender(name: str) -> dict[str, Series]:
    """Return a published result by the name of its field, NaN where it is null."""
    with gzip.open(FOLDER / "skender" / f"{name}.standard.json.gz", "rt") as file:
        rows = json.load(file)
    return {
        field: np.array([np.nan if row[field] is None else float(row[field]) for row in rows])
        for field in rows[0]
        if field != "timestamp"
    }


def sheet(name: str) -> dict[str, Series]:
    """Return the numeric columns of a sheet by their headings, NaN where a cell holds no number."""
    with (FOLDER / "bukosabino" / f"{name}.csv").open(encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    return {
        heading: np.array([_number(row[heading]) for row in rows]) for heading in rows[0] if heading
    }


def _number(cell: str | None) -> float:
    try:
        return float((cell or "").replace(",", ""))
    except ValueError:
        return float("nan")
