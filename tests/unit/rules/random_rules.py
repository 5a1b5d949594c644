"""Random rules as text: seeded, of every function, nested, with thresholds that divide.

A rule is written around one function that it must contain; what surrounds it is chosen by what
kind of number it gives, so that neither true nor false is rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.unit.rules.reference_calls import CALLS, KINDS, SERIES, THRESHOLDS

_OPERATORS = ("<", "<=", ">", ">=", ">", "<")
# Some bars of each interval.
_DURATIONS = {"1m": "5m", "5m": "30m", "15m": "1h", "1h": "6h", "4h": "1d", "1d": "3d"}


class RuleWriter:
    """Writes rules for traders on `interval` who may name these instruments and intervals.

    `longer`: intervals above `interval`, ascending. `functions`: those that may be used.
    """

    def __init__(
        self,
        seed: int,
        interval: str,
        longer: Sequence[str],
        instruments: Sequence[str],
        functions: Sequence[str],
    ) -> None:
        self.random = Random(seed)
        self.intervals = [interval, *longer]
        self.instruments = instruments
        self.level = 0  # which of the intervals the present expression stands on
        known = set(functions)
        self.calls = {
            kind: {name: calls for name, calls in group.items() if name in known}
            for kind, group in CALLS.items()
        }

    def rule(self, function: str) -> str:
        """Return a rule in which `function` occurs."""
        kind = self.random.choice(KINDS[function])
        call = self.call(kind, function, 3)
        text = call if kind == "condition" else self.compare(kind, call, 2)
        while self.random.random() < 0.35:
            text = self.wrapped(text)
        return text

    def wrapped(self, text: str) -> str:
        """Return a larger condition around one."""
        other = self.condition(2)
        match self.random.randrange(6):
            case 0:
                return f"({text}) and ({other})"
            case 1:
                return f"{other} or {text}"
            case 2:
                return f"not ({text})"
            case 3:
                return f"({text})[{self.lag()}]"
            case 4:
                return f"({other} or {self.condition(1)}) and ({text})"
        return f"({text}) or ({other} and {self.condition(1)})"

    def condition(self, depth: int) -> str:
        """Return a condition of any kind."""
        if self.random.random() < 0.25 and self.calls["condition"] and depth > 0:
            return self.call("condition", self.pick("condition"), depth)
        if self.random.random() < 0.08:
            return self.random.choice(
                ("hour >= 6", "weekday < 5", "hour == 3", "between(hour, 2, 20)")
            )
        kind = self.random.choice(("price", "price", *(k for k in CALLS if k != "condition")))
        return self.compare(kind, self.number(kind, depth), depth)

    def compare(self, kind: str, left: str, depth: int) -> str:
        """Return a comparison of a number of this kind."""
        operator = self.random.choice(_OPERATORS)
        if kind in THRESHOLDS and self.random.random() < 0.75:
            right = self.random.choice(THRESHOLDS[kind])
            if kind in ("osc", "wide", "z", "percent") and self.random.random() < 0.1:
                return f"{right} {operator} {left} {operator} {self.number(kind, depth - 2)}"
        elif self.random.random() < 0.03:
            return f"{left} {self.random.choice(('==', '!='))} {self.number(kind, depth - 1)}"
        else:
            right = self.number(kind, depth - 1)
        if kind in ("price", "volume", "range") and self.random.random() < 0.3:
            right = f"{self.random.choice(('1.002', '0.995', '1.01', '0.5', '2'))} * {right}"
        return f"{left} {operator} {right}"

    def number(self, kind: str, depth: int) -> str:
        """Return a numeric expression of a kind."""
        if kind in SERIES and (depth <= 0 or self.random.random() < 0.3):
            return self.series(kind)
        if not self.calls.get(kind):
            return self.series("price")
        text = self.call(kind, self.pick(kind), depth)
        chance = self.random.random()
        if chance < 0.06:
            return f"{self.bracketed(text)}[{self.lag()}]"
        if chance < 0.1:
            return f"(-{text})" if kind in ("signed", "wide", "z") else f"abs({text})"
        if chance < 0.16 and depth > 1:
            return f"({text} {self.random.choice('+-*/')} {self.number(kind, depth - 1)})"
        if chance < 0.24 and depth > 1:
            name = self.random.choice(("sma", "ema", "highest", "lowest"))
            return f"{name}({text}, {self.bars(2)})"
        return text

    def series(self, kind: str) -> str:
        text = self.random.choice(SERIES[kind])
        chance = self.random.random()
        if chance < 0.1:
            return f"{text}[{self.lag()}]"
        if chance < 0.15 and self.level < len(self.intervals) - 1:
            return f'{text}(tf="{self.random.choice(self.intervals[self.level + 1 :])}")'
        return text

    def pick(self, kind: str) -> str:
        return self.random.choice(list(self.calls[kind]))

    def call(self, kind: str, function: str, depth: int) -> str:
        """Return a call, sometimes on a longer interval or of another instrument."""
        chance = self.random.random()
        level = self.level
        if chance < 0.12:
            self.level = self.random.randint(level, len(self.intervals) - 1)
        text = self.filled(self.random.choice(CALLS[kind][function]), depth - 1)
        if self.level > level:
            text = text if text.endswith(")") else f"{text}()"
            comma = "" if text.endswith("()") else ", "
            text = f'{text[:-1]}{comma}tf="{self.intervals[self.level]}")'
        self.level = level
        if 0.12 <= chance < 0.17:
            return f'of("{self.random.choice(self.instruments)}", {text})'
        return text

    def filled(self, template: str, depth: int) -> str:
        """Return a template with its places filled, left to right."""
        text = ""
        while template:
            before, brace, rest = template.partition("{")
            place, _, template = rest.partition("}")
            text += before + (self.place(place, depth) if brace else "")
        return text

    def place(self, place: str, depth: int) -> str:
        random = self.random
        match place:
            case "p":
                return self.number("price", depth)
            case "v":
                return self.number("volume", depth)
            case "s":
                return self.number("signed", depth)
            case "r":
                return self.number("range", depth)
            case "c":
                return self.condition(depth)
            case "O":
                return f"{self.number('osc', depth)}, {random.choice(THRESHOLDS['osc'])}"
            case "a":
                kinds = ("price", "volume", "osc", "signed", "z")
                return self.number(random.choice(kinds[: 2 if depth <= 0 else 5]), depth)
            case "n":
                return str(self.bars(1))
            case "m":
                return str(self.bars(2))
            case "small":
                return str(random.choice((1, 1, 2, 2, 3)))
            case "k":
                return random.choice(("0.5", "1", "1.5", "2", "3"))
            case "f":
                return random.choice(("0.01", "0.02", "0.05"))
            case "d":
                return self.duration() or str(self.bars(2))
        assert place == "i", place
        return f'"{random.choice(self.instruments)}"'

    def bars(self, least: int) -> int:
        bars = self.random.choice((1, 2, 2, 3, 3, 4, 5, 5, 7, 9, 10, 14, 14, 20, 26))
        return max(bars, least)

    def duration(self) -> str:
        """Return a few bars of the present interval as a duration."""
        own = self.intervals[self.level]
        return f'"{_DURATIONS[own]}"' if own in _DURATIONS else ""

    def lag(self) -> str:
        few = str(self.random.choice((0, 1, 1, 1, 2, 2, 3, 4, 5, 6)))
        return self.duration() or few if self.random.random() < 0.1 else few

    def bracketed(self, text: str) -> str:
        return text if text.endswith(")") and text[0].isalpha() else f"({text})"
