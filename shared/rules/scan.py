"""Look at a rule's text before Python's grammar does.

Finds what is wrong with the spelling (a foreign operator, a missing operand, an open bracket), says
it in the user's words and at the right place, and hands on text that contains nothing but names,
numbers, the language's operators and harmless words in quotes: no keywords, no escapes, no line
joins, ASCII only. So whatever `ast.parse` accepts or warns about beyond that cannot reach it. Not
here: meaning (language).
"""

from __future__ import annotations

import keyword
import re
from typing import NoReturn

from shared.rules.source import named, position, refuse
from shared.rules.tree import RuleLimits

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n\f\v\u00a0]+)"
    r"|(?P<comment>\#[^\r\n]*)"
    r"|(?P<number>(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*)"
    r"|(?P<text>\"[^\"\r\n]*\"|'[^'\r\n]*')"
    r"|(?P<operator><=|>=|==|!=|[-+*/<>=,()\[\]])",
    re.ASCII,
)

# What people type from other languages and keyboards → what it is here.
_FOREIGN = {
    "&&": "and",
    "&": "and",
    "||": "or",
    "|": "or",
    "!": "not",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "−": "-",
    "–": "-",
    "×": "*",
    "÷": "/",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "===": "==",
}
# What a comment may not hold, since neither Postgres nor UTF-8 can.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# What may stand in quotes: durations, intervals and instruments, and what is mistaken for them.
_QUOTED = re.compile(r"[A-Za-z0-9_.:/+ -]*", re.ASCII)
_QUOTES = "“”‘’`´«»„"
_CURLY = re.compile(rf"[{_QUOTES}]({_QUOTED.pattern})[{_QUOTES}]")
_DURATION_UNITS = ("m", "h", "d", "w")
_FOREIGN_LENGTH_MAX = max(map(len, _FOREIGN))
_WORDS = ("and", "or", "not")
_CLOSING = {"(": ")", "[": "]"}


def scan(text: str, limits: RuleLimits) -> str:
    """Return the text with comments blanked out, ready for `ast.parse`; same length and places.

    Raises: InvalidRule at the first thing that cannot be part of a rule.
    """
    if len(text) > limits.text_characters_max:
        line, column = position(text, limits.text_characters_max)
        message = f"expected at most {limits.text_characters_max} characters, was {len(text)}"
        refuse(text[: limits.text_characters_max], line, column, message)
    scanner = _Scanner(text, limits.depth_max)
    return scanner.run()


class _Scanner:
    """One pass over the tokens: what may come next, and which brackets are open."""

    def __init__(self, text: str, depth_max: int) -> None:
        self.text = text
        self.depth_max = depth_max
        self.wants_value = True
        self.signs = 0  # unary operators in a row
        self.open: list[tuple[str, int, bool]] = []  # bracket, index, whether of a call
        self.last = ""  # the token before
        self.before_last = ""

    def run(self) -> str:
        """Return the cleaned text."""
        clean: list[str] = []
        index = 0
        while index < len(self.text):
            match = _TOKEN.match(self.text, index)
            if match is None:
                self._refuse_foreign(index)
            kind, token = str(match.lastgroup), match.group()
            if kind == "space":
                blank = token == " "
                clean.append(token if blank else "".join("\n" if c == "\n" else " " for c in token))
            elif kind == "comment":
                self._check_storable(token, index)
                clean.append(" " * len(token))
            else:
                self._token(kind, token, index)
                self.before_last, self.last = self.last, token
                clean.append(token)
            index = match.end()
        self._finish()
        return "".join(clean)

    def _check_storable(self, comment: str, index: int) -> None:
        unstorable = _UNSTORABLE.search(comment)
        if unstorable is not None:
            shown = ascii(unstorable[0])[1:-1]
            self._refuse(index + unstorable.start(), f"expected text in a comment, was '{shown}'")

    def _token(self, kind: str, token: str, index: int) -> None:
        if kind == "name" and token in _WORDS:
            self._word(token, index)
        elif kind in ("name", "number", "text"):
            self._value(kind, token, index)
        elif token in "([":
            self._opening(token, index)
        elif token in ")]":
            self._closing(token, index)
        else:
            self._refuse_foreign_pair(index)
            self._operator(token, index)

    def _word(self, token: str, index: int) -> None:
        if token == "not":
            if not self.wants_value:
                self._refuse(index, "expected and / or before 'not'", "and not")
            self._sign(index)
            return
        if self.wants_value:
            self._refuse(index, f"expected a condition before '{token}'")
        if self.text[index - 1].isdigit() or self.text[index - 1] == ".":
            self._refuse(index, f"expected a space before '{token}'")
        self._now_wants_value()

    def _value(self, kind: str, token: str, index: int) -> None:
        if kind == "text":
            self._quoted(token, index)
        if token.lower() in _WORDS:
            self._refuse(index, f"expected lower case, was '{token}'", token.lower())
        if token in ("True", "False"):
            self._refuse(index, f"expected a condition on the market, was the constant {token}")
        if keyword.iskeyword(token.split(".")[0]):
            self._refuse(index, f"expected a series or a function, was the word {named(token)}")
        if kind == "number" and token[0] == "0" and token[1:2].isdigit():
            self._refuse(index, f"expected a number without leading zeros, was {named(token)}")
        if not self.wants_value:
            suggestion = self._meant_by(token, index)
            message = f"expected an operator (+ - * / < <= > >= == != and or) before {named(token)}"
            self._refuse(index, message, suggestion)
        self.wants_value = False
        self.signs = 0

    def _quoted(self, token: str, index: int) -> None:
        fine = _QUOTED.match(token, 1)
        if fine is None or fine.end() < len(token) - 1:
            at = 1 if fine is None else fine.end()
            shown = token[at] if token[at].isprintable() else ascii(token[at])[1:-1]
            self._refuse(index + at, f"expected letters and digits in quotes, was '{shown}'")

    def _meant_by(self, token: str, index: int) -> str:
        """Return what a value after a value was probably meant to be."""
        if token in _DURATION_UNITS and self.last.isdigit() and self.text[index - 1].isdigit():
            return f'"{self.last}{token}"'
        if token.lower().startswith("cross"):
            way = "below" if "below" in self.text.lower() or "under" in token else "above"
            return f"crosses_{way}(a, b)"
        return ""

    def _opening(self, token: str, index: int) -> None:
        of_call = token == "(" and not self.wants_value
        if of_call and not (self.last[-1].isalnum() or self.last[-1] == "_"):
            self._refuse(index, "expected an operator before '('")
        if of_call and self.last[0].isdigit():
            self._refuse(index, "expected an operator before '('", f"{self.last} * (")
        if token == "[" and self.wants_value:
            self._refuse(index, "expected a series before '[', as in close[1]")
        if len(self.open) == self.depth_max:
            self._refuse(index, f"expected brackets at most {self.depth_max} deep")
        self.open.append((token, index, of_call))
        self._now_wants_value()

    def _closing(self, token: str, index: int) -> None:
        if not self.open:
            self._refuse(index, f"expected no '{token}' here: nothing is open")
        bracket, opened_at, of_call = self.open.pop()
        if _CLOSING[bracket] != token:
            line, column = position(self.text, opened_at)
            message = (
                f"expected '{_CLOSING[bracket]}' to close the '{bracket}' of line {line},"
                f" column {column}, was '{token}'"
            )
            self._refuse(index, message)
        if self.wants_value and not (of_call and self.last == "("):
            self._refuse(index, f"expected a value before '{token}'")
        self.wants_value = False
        self.signs = 0

    def _operator(self, token: str, index: int) -> None:
        if self.wants_value and token in "+-":
            self._sign(index)
            return
        in_call = bool(self.open) and self.open[-1][2]
        if token == "," and not in_call:
            self._refuse(index, "expected ',' only between the arguments of a function")
        if token == "=" and not (in_call and self.before_last in ("(", ",")):
            self._refuse(index, "expected a comparison, was '='", "==")
        if self.wants_value:
            self._refuse(index, f"expected a value before '{token}'")
        self._now_wants_value()

    def _sign(self, index: int) -> None:
        self.signs += 1
        if self.signs > self.depth_max:
            self._refuse(index, f"expected at most {self.depth_max} signs in a row")
        self.wants_value = True

    def _now_wants_value(self) -> None:
        self.wants_value = True
        self.signs = 0

    def _finish(self) -> None:
        if self.last == "":
            self._refuse(0, "expected a condition such as close > open, was nothing")
        if self.open:
            bracket, index, _ = self.open[-1]
            self._refuse(index, f"expected '{_CLOSING[bracket]}': this '{bracket}' stays open")
        if self.wants_value:
            end = len(self.text.rstrip())
            self._refuse(end, f"expected a value after {named(self.last)}")

    def _refuse_foreign_pair(self, index: int) -> None:
        """Refuse operators of other languages that are made of signs we know."""
        for length in (3, 2):
            sign = self.text[index : index + length]
            if sign in _FOREIGN:
                self._refuse_sign(index, sign)
        if self.text[index : index + 2] in ("**", "//"):
            sign = self.text[index : index + 2]
            self._refuse(index, f"expected one of + - * /, was '{sign}'")

    def _refuse_foreign(self, index: int) -> NoReturn:
        character = self.text[index]
        if character in "\"'":
            self._refuse(index, f"expected a closing {character} on this line: this one stays open")
        if character in _QUOTES:
            quoted = _CURLY.match(self.text, index)
            meant = f'"{quoted[1]}"' if quoted else '"'
            self._refuse(index, f"expected straight quotes, was {character}", meant)
        for length in range(_FOREIGN_LENGTH_MAX, 0, -1):
            sign = self.text[index : index + length]
            if sign in _FOREIGN:
                self._refuse_sign(index, sign)
        shown = character if character.isprintable() else ascii(character)[1:-1]
        self._refuse(index, f"expected a name, a number or an operator, was '{shown}'")

    def _refuse_sign(self, index: int, sign: str) -> NoReturn:
        self._refuse(index, f"expected {_FOREIGN[sign]}, was '{sign}'", _FOREIGN[sign])

    def _refuse(self, index: int, message: str, suggestion: str = "") -> NoReturn:
        line, column = position(self.text, index)
        refuse(self.text, line, column, message, suggestion)
