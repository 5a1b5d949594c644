"""Random texts for the parser: rules, nearly rules, and rubbish made of the language's own words.

Everything comes from one seed. Called by fuzz.py and test_fuzz.py.
"""

from __future__ import annotations

import random
import re

from shared.market.interval import Interval
from shared.rules import ALIASES, FUNCTIONS, SERIES
from shared.rules.entry import Function, Kind, Parameter

OWN_INTERVALS = (None, Interval.M1, Interval.M5, Interval.H1, Interval.H4)
INSTRUMENTS = ("S0USDT", "S1USDT", "S4USDT", "GONEUSDT")
_DURATIONS = ("5m", "20m", "60m", "2h", "4h", "1d", "2d", "0h")
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_CONSTANTS = ("0", "1", "30", "70", "1.5", "100", "0.001", "1e6", ".5", "-2")
# Rules for mutating; some are replaced all the time.
_KEPT_RULES = 400

_WORDS = (
    *(*SERIES, *FUNCTIONS, *ALIASES, "of", "tf", "n", "length", "source", "_gains", "_day"),
    *("and", "or", "not", "and not", "in", "is", "if", "else", "for", "lambda", "await", "yield"),
    *("import", "None", "True", "print", "del", "AND", "crosses above", "RSI", "Close", "rsy"),
    *("(", ")", "[", "]", ",", "=", "+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!="),
    *("((", "))", "()", "[1]", "[-1]", "(14)", "(close, 9)", '(tf="4h")', ', tf="1d")'),
    *("**", "//", ":=", "->", "...", "<<", "&&", "||", "!", "=>", "<>", "===", "%", "^", "~", "@"),
    *("0", "1", "14", "500", "501", "2.5", "1e9", "1e999", "0x1", "1_0", "1__0", "007", "1.", ".5"),
    *("5j", "9" * 50, "1e-400", "0.0", "24h", "4h"),
    *('"24h"', "'4h'", '"90s"', '"BTCUSDT"', "'btcusdt'", '""', '"', "'", '"""', 'f"', "b'x'"),
    *("“24h”", '"\\n"', '"\\x41"', '"{close}"', '"é"'),
    *("≥", "≤", "−", "×", "é", "ｒｓｉ", "𝟙", "\u202e", "\ud800", "\u2028", "\ufeff", "\u0301"),
    *(" ", "  ", "\t", "\n", "\r\n", "\f", "\v", "\u00a0", "\x00", "\x1b[31m", "# so\n", "#", "\\"),
    *(";", ":", "{", "}", "?", "$", "`", "\\\n", "."),
)
_LONG = (
    "+1",
    ".a",
    "[1]",
    "((",
    "))",
    "not ",
    "-",
    " and close > 1",
    "close+",
    "rsi(",
    ', tf="4h"',
)
_PIECES = re.compile(r"\w+|\s+|.", re.DOTALL)


class RuleTexts:
    """A source of texts; each comes with the interval it is to be read on."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.interval: Interval | None = None
        self._kept: list[tuple[str, Interval | None]] = [self._rule() for _ in range(_KEPT_RULES)]

    def next(self) -> tuple[str, Interval | None]:
        """Return the next text and its interval."""
        draw = self.random.random()
        if draw < 0.2:
            self._kept[self.random.randrange(_KEPT_RULES)] = rule = self._rule()
            return rule
        text, interval = self.random.choice(self._kept)
        if draw < 0.4:
            return self._with_words_exchanged(text), interval
        if draw < 0.6:
            return self._with_pieces_changed(text), interval
        if draw < 0.74:
            return self._with_characters_changed(text), interval
        if draw < 0.88:
            return self._words(), interval
        if draw < 0.93:
            return self._characters(), interval
        if draw < 0.965:
            return self._nested(), interval
        return self._long(text), interval

    # == Rules that are right, but for limits and durations that do not come out even.

    def _rule(self) -> tuple[str, Interval | None]:
        self.interval = self.random.choice(OWN_INTERVALS)
        return self._condition(self.random.randint(1, 4)), self.interval

    def _condition(self, depth: int) -> str:
        draw = self.random.random()
        if depth > 1 and draw < 0.25:
            word = self.random.choice((" and ", " or ", "\nand ", " or  "))
            return word.join(self._condition(depth - 1) for _ in range(self.random.randint(2, 3)))
        if depth > 1 and draw < 0.35:
            return f"not {self._condition(depth - 1)}"
        if depth > 1 and draw < 0.45:
            return f"({self._condition(depth - 1)}){self._lag()}"
        if draw < 0.65:
            return self._call(self.random.choice(_CONDITIONS), depth - 1)
        if draw < 0.72:
            return self._other(self._condition(depth - 1)) if depth > 1 else "close > open"
        left, right = self._number(depth - 1), self._number(depth - 1)
        if self.random.random() < 0.4:
            right = self.random.choice(_CONSTANTS)
        if self.random.random() < 0.1:
            return f"{self.random.choice(_CONSTANTS)} < {left} <= {right}"
        return f"{left} {self.random.choice(_COMPARISONS)} {right}"

    def _number(self, depth: int) -> str:
        draw = self.random.random()
        if depth < 1 or draw < 0.25:
            name, around = self.random.choice(_SERIES_NAMES), self.interval
            if self._has_tf(0.03):
                name = f"{name}({self._tf()})"
                self.interval = around
            return name
        if draw < 0.4:
            left, right = self._number(depth - 1), self._number(depth - 1)
            return f"({left} {self.random.choice('+-*/')} {right})"
        if draw < 0.47:
            return f"{self._number(depth - 1)}{self._lag()}"
        if draw < 0.5:
            return f"(-{self._number(depth - 1)})"
        if draw < 0.54:
            return self._other(self._number(depth - 1))
        return self._call(self.random.choice(_NUMBERS), depth - 1)

    def _call(self, function: Function, depth: int) -> str:
        spellings = (function.name, function.name, *function.aliases)
        name = self.random.choice(spellings)
        around = self.interval
        tf = [self._tf()] if self._has_tf(0.08) else []
        shown: list[str] = []
        named = False
        for place, parameter in enumerate(function.parameters):
            if parameter.default is not None and self.random.random() < 0.4:
                named = named or place > 0 or parameter.kind is not Kind.SERIES
                continue
            argument = self._argument(parameter, depth)
            shown.append(f"{parameter.name}={argument}" if named else argument)
        self.interval = around
        if not shown and not tf:
            return name if self.random.random() < 0.5 else f"{name}()"
        return f"{name}({', '.join(shown + tf)})"

    def _argument(self, parameter: Parameter, depth: int) -> str:
        match parameter.kind:
            case Kind.BARS:
                if self.interval is not None and self.random.random() < 0.06:
                    return f'"{self.random.choice(_DURATIONS)}"'
                least = max(parameter.least, 1)
                return str(least + int(self.random.random() ** 3 * 40))
            case Kind.FACTOR:
                return self.random.choice(("2", "1.5", "0.02", "3.0", "1e-3"))
            case Kind.INSTRUMENT:
                return f'"{self.random.choice(INSTRUMENTS)}"'
            case Kind.CONDITION:
                return self._condition(max(depth, 1))
        return self._number(depth)

    def _other(self, text: str) -> str:
        return f'of("{self.random.choice(INSTRUMENTS)}", {text})'

    def _has_tf(self, share: float) -> bool:
        return self.interval is not None and self.random.random() < share

    def _tf(self) -> str:
        """Return a `tf=` and take its interval as the present one."""
        assert self.interval is not None
        longer = [i for i in Interval if i.duration_ms >= self.interval.duration_ms]
        self.interval = self.random.choice(longer)
        return f'tf="{self.interval}"'

    def _lag(self) -> str:
        return f"[{self.random.choice(('1', '2', '0', '7', '40'))}]"

    # == Changed rules.

    def _with_words_exchanged(self, text: str) -> str:
        """Return the text with names and numbers replaced by others: spelled well, still wrong."""
        pieces = _PIECES.findall(text)
        places = [place for place, piece in enumerate(pieces) if piece[0].isalnum()]
        for place in self.random.choices(places, k=self.random.randint(1, 3)):
            kind = _NAMES if pieces[place][0].isalpha() else _NUMERALS
            pieces[place] = self.random.choice(kind)
        return "".join(pieces)

    def _with_pieces_changed(self, text: str) -> str:
        pieces = _PIECES.findall(text)
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randrange(len(pieces)) if pieces else 0
            match self.random.randrange(5):
                case 0:
                    del pieces[at : at + self.random.randint(1, 3)]
                case 1:
                    pieces[at:at] = pieces[at : at + self.random.randint(1, 12)]
                case 2 if pieces:
                    other = self.random.randrange(len(pieces))
                    pieces[at], pieces[other] = pieces[other], pieces[at]
                case 3:
                    pieces[at : at + 1] = [self.random.choice(_WORDS)]
                case _:
                    pieces.insert(at, self.random.choice(_WORDS))
        return "".join(pieces)

    def _with_characters_changed(self, text: str) -> str:
        characters = list(text)
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randint(0, len(characters))
            match self.random.randrange(5):
                case 0:
                    del characters[at : at + self.random.randint(1, 6)]
                case 1:
                    again = characters[at : at + self.random.randint(1, 12)]
                    characters[at:at] = again * self.random.choice((1, 1, 2, 3, 30))
                case 2:
                    characters[at : at + 1] = [self._character()]
                case 3:
                    characters = characters[at:] + characters[:at]
                case 4:
                    characters.insert(at, self._character())
        return "".join(characters)

    # == Rubbish.

    def _character(self) -> str:
        if self.random.random() < 0.7:
            return chr(self.random.randint(0, 127))
        return chr(self.random.randint(0, 0x10_FFFF))

    def _characters(self) -> str:
        return "".join(self._character() for _ in range(self.random.randint(0, 40)))

    def _words(self) -> str:
        words = self.random.choices(_WORDS, k=self.random.randint(1, 14))
        return self.random.choice(("", " ")).join(words)

    def _nested(self) -> str:
        levels = self.random.choice((3, 10, 16, 30, 32, 33, 40, 200, 900))
        inner = self._condition(1)
        match self.random.randrange(6):
            case 0:
                return "(" * levels + inner + ")" * levels
            case 1:
                return "not " * levels + inner
            case 2:
                return "(close > 1 or " * levels + inner + ")" * levels
            case 3:
                name = self.random.choice(("ema", "rsi", "highest", "roc", "wma"))
                return f"{name}(" * levels + "close" + ", 2)" * levels + " > 1"
            case 4:
                return "-(" * levels + "close" + ")" * levels + " > 1"
        return "abs(" * levels + inner + ")" * (levels - self.random.randint(0, 1)) + " > 1"

    def _long(self, text: str) -> str:
        at = self.random.randint(0, len(text))
        scrap = self.random.choice((*_LONG, self.random.choice(_WORDS)))
        return text[:at] + scrap * self.random.choice((20, 100, 400, 3_000)) + text[at:]


_SERIES_NAMES = tuple(name for name in SERIES if not name.startswith("_"))
_CONDITIONS = tuple(f for f in FUNCTIONS.values() if f.gives is Kind.CONDITION)
_NAMES = (*SERIES, *FUNCTIONS, *ALIASES, "of", "tf", "n", "k", "source", "and", "or", "not")
_NUMERALS = ("0", "1", "2", "3", "14", "250", "500", "501", "2.5", "1e-3", "1e300", "-1", '"1h"')
_NUMBERS = tuple(f for f in FUNCTIONS.values() if f.gives is Kind.NUMBER)
