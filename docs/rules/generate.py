"""Writes functions.md and its pictures from the registry: `make docs`.

Every picture shows the example of one entry on the same made-up market: the price, what the rule
compares, and where it is true. `pictures.json` keeps the numbers that were drawn, so that a test
can tell, without drawing, whether a picture is still true.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.market.frame import Feed
from shared.market.interval import Interval
from shared.market.window import Window
from shared.rules import FUNCTIONS, TRUE, build_plan, evaluate, parse_rule
from shared.rules.describe import bars_needed
from shared.rules.entries import candles
from shared.rules.entry import Function, Kind
from shared.rules.registry import FAMILIES

FOLDER = Path(__file__).parent
IMAGES = FOLDER / "images"
NUMBERS_FILE = FOLDER / "pictures.json"
SEED = 42
SYMBOLS = ("BTCUSDT", "ETHUSDT", *(f"COIN{n}USDT" for n in range(1, 19)))
BARS, SHOWN_BARS = 1_200, 120
# 2026-01-01 00:00 UTC.
START_MS = 1_767_225_600_000
FIRST_CLOSE = 100.0


class Drawn:
    """What one picture shows: numbers of a symbol over the last SHOWN_BARS bars."""

    def __init__(self, rule: str, symbol: int) -> None:
        self.rule = rule
        self.symbol = symbol
        self.lines: dict[str, list[float]] = {}
        self.states: list[int] = []


def market() -> dict[Interval, Window]:
    """Return a seeded market of 20 symbols: 1,200 bars of 1h, and the 4h and 1d made of them."""
    random = np.random.default_rng(SEED)
    common = random.normal(0, 0.004, (BARS, 1))
    moods = np.repeat(random.normal(0, 0.0012, (BARS // 24, len(SYMBOLS))), 24, axis=0)
    steps = common + moods + random.normal(0, 0.005, (BARS, len(SYMBOLS)))
    close = FIRST_CLOSE * np.exp(np.cumsum(steps, axis=0))
    open_ = np.vstack([np.full((1, len(SYMBOLS)), FIRST_CLOSE), close[:-1]])
    high = np.maximum(open_, close) * (1 + random.exponential(0.003, close.shape))
    low = np.minimum(open_, close) * (1 - random.exponential(0.003, close.shape))
    volume = random.lognormal(4, 0.5, close.shape) * (1 + 60 * np.abs(steps))
    taken = volume * np.clip(0.5 + 8 * steps + random.normal(0, 0.05, close.shape), 0, 1)
    trades = np.floor(volume * 9) + 1
    hours = np.stack([open_, high, low, close, volume, volume * close, trades, taken])
    return {
        Interval.H1: _window(hours, Interval.H1),
        Interval.H4: _window(_rolled_up(hours, 4), Interval.H4),
        Interval.D1: _window(_rolled_up(hours, 24), Interval.D1),
    }


def _window(columns: NDArray[np.float64], interval: Interval) -> Window:
    bars = columns.shape[1]
    return Window(
        venue="binance",
        interval=interval,
        symbols=SYMBOLS,
        open_times_ms=START_MS + interval.duration_ms * np.arange(bars, dtype=np.int64),
        columns=columns,
        frame_revision=1,
        feed=Feed.SIMULATED,
        complete=True,
    )


def _rolled_up(hours: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    parts = hours.reshape(len(hours), -1, factor, hours.shape[2])
    open_, high, low, close = parts[0, :, 0], parts[1].max(1), parts[2].min(1), parts[3, :, -1]
    return np.stack([open_, high, low, close, *parts[4:].sum(2)])


def compute() -> dict[str, Drawn]:
    """Return, for every function, what its example's picture shows."""
    windows = market()
    hourly = windows.pop(Interval.H1)
    names = list(FUNCTIONS)
    rules = [parse_rule(FUNCTIONS[name].example, interval=Interval.H1) for name in names]
    plan = build_plan(rules)
    closes = [
        evaluate(plan, hourly, bars_back, longer=windows)
        for bars_back in range(SHOWN_BARS - 1, -1, -1)
    ]
    states = np.stack([verdicts.states() for verdicts in closes])
    drawn = {}
    for index, name in enumerate(names):
        symbol = _shown_symbol(states[:, index] == TRUE)
        drawn[name] = picture = Drawn(FUNCTIONS[name].example, symbol)
        picture.states = states[:, index, symbol].tolist()
        for place, verdicts in enumerate(closes):
            for text, value in verdicts.values(index, symbol).items():
                picture.lines.setdefault(text, [math.nan] * SHOWN_BARS)[place] = value
    return drawn


def _shown_symbol(matches: NDArray[np.bool_]) -> int:
    """Return the first symbol on which a rule is true now and then, of bool[bars, symbols]."""
    counts = matches.sum(axis=0)
    now_and_then = np.flatnonzero((counts > 0) & (counts <= SHOWN_BARS // 2))
    return int(now_and_then[0]) if len(now_and_then) else 0


def numbers_of(drawn: dict[str, Drawn]) -> dict[str, Any]:
    """Return what pictures.json holds: six significant digits of a line's last value, and hits."""
    return {
        name: {
            "rule": picture.rule,
            "true": picture.states.count(1),
            "last": {
                text: None if math.isnan(line[-1]) else float(f"{line[-1]:.6g}")
                for text, line in sorted(picture.lines.items())
            },
        }
        for name, picture in drawn.items()
    }


def functions_page() -> str:
    """Return functions.md."""
    parts = [
        "# Functions",
        "",
        "Generated from the registry by `make docs`; the language itself is in"
        " [README.md](README.md). Grey: the price of a made-up hourly market; coloured: what"
        " the example compares; green bands: where it is true.",
        "",
    ]
    for family in FAMILIES:
        title = (family.__doc__ or "").split("\n")[0].rstrip(".")
        names = " · ".join(f"[{e.name}](#{e.name})" for e in family.ENTRIES)
        parts.append(f"**{title}**: {names}\n")
    for family in FAMILIES:
        parts += [f"## {(family.__doc__ or '').split(chr(10))[0].rstrip('.')}", ""]
        for entry in family.ENTRIES:
            parts += _section(entry)
    return "\n".join(parts).rstrip() + "\n"


def _section(entry: Function) -> list[str]:
    call = parse_rule(entry.example, interval=Interval.H1)
    facts = [
        f"| gives | {'a condition' if entry.gives is Kind.CONDITION else 'a number'} |",
        f"| unit | {entry.unit} |",
        f"| range | {entry.range} |",
        f"| example needs | {bars_needed(call.tree)} bars |",
        f"| source | {entry.source} |",
    ]
    if entry.aliases:
        facts.append(f"| also | {' '.join(f'`{alias}`' for alias in entry.aliases)} |")
    return [
        f"### {entry.name}",
        "",
        f"`{entry.signature}` — {entry.definition}",
        "",
        f"![{entry.name}: {entry.example}](images/{entry.name}.svg)",
        "",
        "| | |",
        "|---|---|",
        *facts,
        "",
        "```rule",
        entry.example,
        "```",
        "",
    ]


def main() -> None:
    """Write the page, the numbers and the pictures."""
    from docs.rules.pictures import draw

    drawn = compute()
    bars = market()[Interval.H1].columns[:4, -SHOWN_BARS:]
    patterns = {entry.name for entry in candles.ENTRIES}
    IMAGES.mkdir(exist_ok=True)
    for old in IMAGES.glob("*.svg"):
        if old.stem not in drawn:
            old.unlink()
    for name, picture in drawn.items():
        draw(
            IMAGES / f"{name}.svg", picture, bars[:, :, picture.symbol], as_candles=name in patterns
        )
    (FOLDER / "functions.md").write_text(functions_page(), encoding="utf-8")
    text = json.dumps(numbers_of(drawn), indent=1, ensure_ascii=False)
    NUMBERS_FILE.write_text(text + "\n", encoding="utf-8")
    print(f"{len(drawn)} functions: functions.md, pictures.json, images/*.svg")


if __name__ == "__main__":
    main()
