"""Oscillators: how far and how fast a price has moved."""

from __future__ import annotations

import numpy as np

from shared.rules.entries.words import TA_LIB, bars, numbers, one_more, part, source, two
from shared.rules.entry import Function, Kind
from shared.rules.kernels import Elementwise, Expansion, Floats, Sequential
from shared.rules.tree import Call, Node


def gains(source: Floats) -> Floats:
    """Return how much each bar rose over the one before, 0 where it fell."""
    result = np.full_like(source, np.nan)
    np.maximum(source[1:] - source[:-1], 0.0, out=result[1:])
    return result


def losses(source: Floats) -> Floats:
    """Return how much each bar fell from the one before, 0 where it rose."""
    result = np.full_like(source, np.nan)
    np.maximum(source[:-1] - source[1:], 0.0, out=result[1:])
    return result


def rsi_of_averages(up: Floats, down: Floats) -> Floats:
    """Return 100 · up / (up + down); 0 where nothing moved, as TA-Lib has it."""
    moved = up + down
    return np.where(moved == 0.0, 0.0, 100.0 * (up / moved))


def _expand_rsi(source: Node, n: int) -> Node:
    up = Call("rma", (Call("_gains", (source,)), n))
    down = Call("rma", (Call("_losses", (source,)), n))
    return Call("_rsi_of_averages", (up, down))


ENTRIES = (
    Function(
        name="rsi",
        parameters=(source(), bars(least=2)),
        gives=Kind.NUMBER,
        unit="none",
        range="0 to 100",
        definition="100 · rma(rises, n) / (rma(rises, n) + rma(falls, n)); 0 if nothing moved",
        source=f"Wilder, as {TA_LIB} RSI",
        example="rsi(14) < 30",
        kernel=Expansion(_expand_rsi, one_more),
        aliases=("ta.rsi",),
    ),
)
PARTS = (
    part("_gains", Sequential(gains, two), numbers("x"), "rise of each bar, or 0"),
    part("_losses", Sequential(losses, two), numbers("x"), "fall of each bar, or 0"),
    part(
        "_rsi_of_averages",
        Elementwise(rsi_of_averages),
        numbers("up", "down"),
        "100 · up / (up + down)",
    ),
)
