"""A rule as plain lists, for peers that share no code with us.

Read with Python's own parser, not with ours: a rule that ours misreads would otherwise be misread
by every peer too. Covers what bench.traders writes, not the whole language.

    ["and", f, …] ["or", f, …] ["not", f] ["<", x, y] (also <= > >=)
    ["number", 30.0] ["series", "close"] ["lag", x, 1] ["+", x, y] (also - * /)
    ["call", "rsi", [x], [14]]
"""

from __future__ import annotations

import ast
from typing import Any

Formula = list[Any]

OPERATORS: dict[type[ast.AST], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.And: "and",
    ast.Or: "or",
}
# Functions whose first argument is a series, and which one if it is left out.
SOURCES = {"rsi": "close", "ema": "close", "sma": "close", "roc": "close", "change": "close"} | {
    "highest": "high",
    "lowest": "low",
}
# A candle is a sign: +1, -1 or 0.
CANDLES = {
    "doji": ">",
    "hammer": ">",
    "morning_star": ">",
    "bullish_engulfing": ">",
    "bearish_engulfing": "<",
}
CROSSES = {"crosses_above": ("<=", ">"), "crosses_below": (">=", "<")}


def formula_of(text: str) -> Formula:
    """Return the formula of a rule text.

    Raises: ValueError if the text uses what this reader does not cover.
    """
    return _formula(ast.parse(text, mode="eval").body)


def functions_of(formula: Formula) -> set[str]:
    """Return the names of the functions a formula calls."""
    found = {formula[1]} if formula[0] == "call" else set()
    for part in formula[1:]:
        if isinstance(part, list) and part and isinstance(part[0], list):
            found = found.union(*(functions_of(source) for source in part))
        elif isinstance(part, list) and part and isinstance(part[0], str):
            found |= functions_of(part)
    return found


def _formula(node: ast.expr) -> Formula:
    match node:
        case ast.BoolOp(op=op, values=values):
            return [OPERATORS[type(op)], *(_formula(value) for value in values)]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ["not", _formula(operand)]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            assert isinstance(value, int | float)
            return ["number", -float(value)]
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return [OPERATORS[type(op)], _formula(left), _formula(right)]
        case ast.BinOp(left=left, op=op, right=right):
            return [OPERATORS[type(op)], _formula(left), _formula(right)]
        case ast.Constant(value=int() | float() as value):
            return ["number", float(value)]
        case ast.Subscript(value=value, slice=ast.Constant(value=int() as bars)):
            return ["lag", _formula(value), bars]
        case ast.Name(id=name) if name in CANDLES:
            return [CANDLES[name], ["call", name, [], []], ["number", 0.0]]
        case ast.Name(id=name):
            return ["series", name]
        case ast.Call(func=ast.Name(id=name), args=args) if name in CROSSES:
            a, b = (_formula(arg) for arg in args)
            before, now = CROSSES[name]
            return ["and", [before, _earlier(a), _earlier(b)], [now, a, b]]
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(name, [_formula(arg) for arg in args])
    raise ValueError(f"expected a rule of bench.traders, was {ast.unparse(node)}")


def _earlier(formula: Formula) -> Formula:
    return formula if formula[0] == "number" else ["lag", formula, 1]


def _call(name: str, arguments: list[Formula]) -> Formula:
    sources = [a for a in arguments if a[0] != "number"]
    numbers = [a[1] for a in arguments if a[0] == "number"]
    if name in SOURCES and not sources:
        sources = [["series", SOURCES[name]]]
    if name == "bb_pct":
        upper, lower = (["call", side, sources, numbers] for side in ("bb_upper", "bb_lower"))
        return ["/", ["-", ["series", "close"], lower], ["-", upper, lower]]
    return ["call", name, sources, numbers]
