"""What a rule writes out rather than computes: bars, durations, factors, intervals, instruments.

Each reader takes Python's node of one argument and returns its value, or refuses it at its place.
Not here: which argument wants which (language).
"""

from __future__ import annotations

import ast
import difflib
import math
import re

from shared.market.interval import DAY_MS, HOUR_MS, MINUTE_MS, Interval
from shared.rules.source import Source, shortened

_DURATION = re.compile(r"([0-9]{1,9})([mhdw])", re.ASCII)
_UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
# Venues' own names: Binance has up to 20 of these; futures add a date behind an underscore.
_INSTRUMENT = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,29}", re.ASCII)
_NOT_IN_INSTRUMENT = re.compile(r"[^A-Z0-9]")


def read_bars(
    source: Source, node: ast.expr, what: str, least: int, most: int, interval: Interval | None
) -> int:
    """Return a number of bars of `interval`, written as a whole number or as a duration."""
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool) and (
            least <= value <= most
        ):
            return value
        case ast.Constant(value=str(text)):
            return _bars_of_duration(source, node, text, what, least, most, interval)
    message = f"{what}: expected a whole number from {least} to {most}, was {source.shown(node)}"
    source.refuse(node, message)


def _bars_of_duration(
    source: Source,
    node: ast.expr,
    text: str,
    what: str,
    least: int,
    most: int,
    interval: Interval | None,
) -> int:
    duration_ms = _duration_ms(text)
    if duration_ms is None:
        meant = text.replace(" ", "").lower()
        message = f'{what}: expected a duration such as "90m", "24h", "7d" or "1w"'
        message += f', was "{shortened(text)}"'
        source.refuse(node, message, f'"{meant}"' if _duration_ms(meant) is not None else "")
    if interval is None:
        message = f'{what}: expected a rule with an interval, to count the bars in "{text}"'
        source.refuse(node, message)
    bars, rest_ms = divmod(duration_ms, interval.duration_ms)
    if rest_ms:
        minutes, each = duration_ms // MINUTE_MS, interval.duration_ms // MINUTE_MS
        message = (
            f'{what}: expected a whole number of {interval} bars, was "{text}":'
            f" {minutes} min / {each} min = {duration_ms / interval.duration_ms:.6g}"
        )
        source.refuse(node, message, f'"{_duration_text((bars + 1) * interval.duration_ms)}"')
    if not least <= bars <= most:
        was = f'"{text}" = {bars} bars of {interval}'
        message = f"{what}: expected from {least} to {most} bars, was {was}"
        source.refuse(node, message)
    return bars


def is_duration(text: str) -> bool:
    """Return whether the text is a duration, such as 24h."""
    return _DURATION.fullmatch(text) is not None


def is_instrument(text: str) -> bool:
    """Return whether the text could be the name of an instrument."""
    return _INSTRUMENT.fullmatch(text) is not None


def _duration_ms(text: str) -> int | None:
    found = _DURATION.fullmatch(text)
    return int(found[1]) * _UNITS_MS[found[2]] if found else None


def _duration_text(duration_ms: int) -> str:
    unit = max((u for u, ms in _UNITS_MS.items() if duration_ms % ms == 0), key=_UNITS_MS.get)  # type: ignore[arg-type]
    return f"{duration_ms // _UNITS_MS[unit]}{unit}"


def read_factor(source: Source, node: ast.expr, what: str) -> float:
    """Return a number above 0."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            try:
                factor = float(value)
            except OverflowError:
                factor = math.inf
            if 0.0 < factor < math.inf:
                return factor
    source.refuse(node, f"{what}: expected a number above 0, written out, was {source.shown(node)}")


def read_interval(source: Source, node: ast.expr, around: Interval | None) -> Interval:
    """Return the interval of a `tf=`; it is as long as the one around it, or longer."""
    match node:
        case ast.Constant(value=str(text)):
            pass
        case _:
            meant = _nearest_interval(source.shown(node), around)
            message = f"tf: expected an interval in quotes, was {source.shown(node)}"
            source.refuse(node, message, meant)
    if around is None:
        source.refuse(node, "tf: expected a rule with an interval of its own")
    if text not in _INTERVALS:
        message = f'tf: expected one of {", ".join(_INTERVALS)}, was "{shortened(text)}"'
        source.refuse(node, message, _nearest_interval(text, around))
    interval = Interval(text)
    if interval.duration_ms < around.duration_ms:
        message = f'tf: expected {around} or longer, as the bars around it are, was "{text}"'
        source.refuse(node, message, f'"{around}"')
    return interval


_INTERVALS = tuple(str(interval) for interval in Interval)


def _nearest_interval(text: str, around: Interval | None) -> str:
    """Return the interval that was probably meant, in quotes: "60m", Pine's "240" and "D"."""
    meant = text.strip("\"' ").lower()
    if meant.isdigit():
        meant = f"{meant}m"
    elif meant in _UNITS_MS:
        meant = f"1{meant}"
    duration_ms = _duration_ms(meant)
    if duration_ms is None:
        near = difflib.get_close_matches(meant, _INTERVALS, n=1, cutoff=0.6)
        return f'"{near[0]}"' if near else ""
    possible = [i for i in Interval if around is None or i.duration_ms >= around.duration_ms]
    nearest = min(possible, key=lambda interval: abs(interval.duration_ms - duration_ms))
    return f'"{nearest}"'


def read_instrument(source: Source, node: ast.expr, what: str) -> str:
    """Return the name of an instrument."""
    match node:
        case ast.Constant(value=str(text)):
            if _INSTRUMENT.fullmatch(text):
                return text
            was = f'"{shortened(text)}"'
        case _:
            was = text = source.shown(node)
    meant = _NOT_IN_INSTRUMENT.sub("", text.rpartition(":")[2].upper())
    message = f'{what}: expected an instrument in quotes, as in "BTCUSDT", was {was}'
    source.refuse(node, message, f'"{meant}"' if _INSTRUMENT.fullmatch(meant) else "")
