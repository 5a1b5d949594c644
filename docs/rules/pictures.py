"""Draws one picture. Matplotlib is in the `docs` group only; nothing that runs needs it."""

from __future__ import annotations

import math
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from docs.rules.generate import Drawn

matplotlib.use("Agg")
from matplotlib import pyplot

# Readable on GitHub's light and dark pages alike.
GREY, GREEN, RED = "#808890", "#2da44e", "#d1493f"
COLOURS = ("#1f77d0", "#e0762d", "#a55fd0", "#c2a21a", "#1aa3a3")
WIDTH_IN, PANE_IN = 7.2, 1.5
# A line within these bounds of the price is drawn over it.
NEAR_PRICE = (0.7, 1.4)
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "closebell",
    "font.family": "sans-serif",
    "font.size": 8,
    "text.color": GREY,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def draw(
    file: Path, picture: Drawn, bars: NDArray[np.float64], *, as_candles: bool = False
) -> None:
    """Write the SVG of one example: a pane with the price, a second one for other scales.

    `bars`: open, high, low, close: float64[4, n].
    """
    open_, high, low, close = bars
    over, under = _panes(picture.lines, float(np.median(close)))
    with pyplot.rc_context(SETTINGS):
        figure, axes = pyplot.subplots(
            2 if under else 1,
            1,
            sharex=True,
            squeeze=False,
            figsize=(WIDTH_IN, PANE_IN * (2 if under else 1.4)),
            layout="constrained",
        )
        if as_candles:
            x = np.arange(len(close))
            rises = close >= open_
            axes[0, 0].vlines(x, low, high, color=GREY, linewidth=0.6)
            axes[0, 0].vlines(x[rises], open_[rises], close[rises], color=GREEN, linewidth=2.4)
            axes[0, 0].vlines(x[~rises], open_[~rises], close[~rises], color=RED, linewidth=2.4)
        else:
            axes[0, 0].plot(close, color=GREY, linewidth=1)
        colours = cycle(COLOURS)
        for pane, lines in zip(axes[:, 0], (over, under), strict=False):
            for text, line in lines.items():
                pane.plot(line, color=next(colours), linewidth=1, label=text)
            if lines:
                pane.legend(loc="upper left", frameon=False, labelcolor=GREY, fontsize=7)
            pane.spines[["top", "right"]].set_visible(False)
            pane.tick_params(length=2)
            pane.set_xticks([])
        for start, stop in _runs(picture.states):
            for pane in axes[:, 0]:
                pane.axvspan(start - 0.5, stop - 0.5, color=GREEN, alpha=0.25, linewidth=0)
        axes[0, 0].set_title(picture.rule.replace("\n", " "), fontsize=8, color=GREY, loc="left")
        figure.savefig(file, transparent=True, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


def _panes(
    lines: dict[str, list[float]], price: float
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the lines on the scale of the price, and the others; the price itself is drawn."""
    over: dict[str, list[float]] = {}
    under: dict[str, list[float]] = {}
    for text, line in lines.items():
        known = [value for value in line if not math.isnan(value)]
        # The price is drawn anyway, and a line some bars later is the same line.
        if text == "close" or not known or (text[-1] == "]" and text.rpartition("[")[0] in lines):
            continue
        middle = sorted(known)[len(known) // 2]
        near = NEAR_PRICE[0] * price <= middle <= NEAR_PRICE[1] * price
        (over if near else under)[text] = line
    return over, under


def _runs(states: list[int]) -> list[tuple[int, int]]:
    """Return where runs of true begin and end (half-open)."""
    marks = [0, *(int(state == 1) for state in states), 0]
    edges = [index for index in range(1, len(marks)) if marks[index] != marks[index - 1]]
    return [(start - 1, stop - 1) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
