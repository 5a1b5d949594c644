"""What a registry entry is: the shape of a series, of a function, of its parameters.

Not here: the entries themselves (registry).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.rules.kernels import (
    CrossSection,
    Elementwise,
    Expansion,
    Floats,
    Kernel,
    Linear,
    Recursion,
    Rolling,
    Sequential,
    Smoothed,
    Weighted,
)
from shared.rules.tree import Node, Series


class Kind(StrEnum):
    """What an argument, or a result, is."""

    NUMBER = "number"  # any expression with a numeric value
    SERIES = "series"  # the same, but it must change from bar to bar
    BARS = "bars"  # a whole number, written out
    FACTOR = "factor"  # a number above 0, written out
    CONDITION = "condition"
    INSTRUMENT = "instrument"  # a name in quotes


class Parameter(msgspec.Struct, frozen=True):
    """One parameter. A leading SERIES parameter with a default may be left out: `rsi(14)`."""

    name: str
    kind: Kind
    default: Node | int | float | None = None
    least: int = 1
    aliases: tuple[str, ...] = ()


class NamedSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series: a column of the kline, an expression of others, or a reading of the bar's time.

    `clock(open_times_ms: int64[w]) -> float64[w]`.
    """

    name: str
    unit: str
    definition: str
    column: int | None = None
    expression: Node | None = None
    clock: Callable[[NDArray[np.int64]], Floats] | None = None


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function. `range` is of its values; `source` says where the definition comes from."""

    name: str
    parameters: tuple[Parameter, ...]
    gives: Kind
    unit: str
    range: str
    definition: str
    source: str
    example: str
    kernel: Kernel
    aliases: tuple[str, ...] = ()

    @property
    def signature(self) -> str:
        """Return `name(parameter=default, …)`."""
        shown = []
        for parameter in self.parameters:
            default = parameter.default
            if isinstance(default, Series):
                shown.append(f"{parameter.name}={default.name}")
            elif isinstance(default, int | float):
                shown.append(f"{parameter.name}={default:g}")
            else:
                shown.append(parameter.name)
        return f"{self.name}({', '.join(shown)})"

    def warm_up_bars(self, periods: tuple[int | float, ...]) -> int:
        """Return how many bars of its sources the first value needs."""
        match self.kernel:
            case Elementwise() | CrossSection():
                return 1
            case Smoothed():
                return int(periods[0])
            case Weighted(weights=weights):
                return len(weights(*periods))
            case (
                Expansion(bars=bars)
                | Linear(bars=bars)
                | Rolling(bars=bars)
                | Sequential(bars=bars)
                | Recursion(bars=bars)
            ):
                return bars(*periods)
