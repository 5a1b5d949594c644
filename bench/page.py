"""docs/performance.md, made from the results file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.figures import RESULTS, Figure

PAGE = Path("docs/performance.md")

_HEAD = """# Performance

Made by `make bench` and `make bench-engine` from `bench/results.json`; do not edit. Every figure is
measured on one machine that also runs the load, the database and the browser. Promises are from
the design; a promise that is not kept is marked, never left out.
"""

_ENGINE = " ".join(
    (
        "The rule engine evaluates all traders at a close. Bars and traders are drawn from seeds",
        "(`bench/engine/market.py`, `bench/traders.py`); every side runs in a process of its own,",
        "on one thread, on the same files. What is compiled or laid out once a change of traders",
        "is not counted, on either side. A peer gets all 1,000 traders if that ends within ten",
        "minutes, else as many as do, and ours is timed on just those, before and after it. All",
        "verdicts are compared; one that differs by more than rounding stops the benchmark. The",
        "peers are in `bench/peers/`, each with its best way in its first lines.",
    )
)
_TRADERS = " ".join(
    (
        "What the traders of the benchmark name. A *node* is a call such as `sma(volume, 20)`,",
        "counted once however many traders name it.",
    )
)
_GROWTH = (
    "One evaluation, decoded columns to hits. Nodes grow by letting traders choose rarer periods."
)


def write() -> None:
    """Write the page from the results file."""
    figures = msgspec.json.decode(RESULTS.read_bytes(), type=list[Figure])
    PAGE.write_text(page(figures))


def page(figures: Sequence[Figure]) -> str:
    """Return docs/performance.md for these figures."""

    def named(prefix: str) -> list[Figure]:
        return [figure for figure in figures if figure.name.startswith(prefix)]

    engine = named("engine_")
    drawn, growth = named("engine_traders_"), named("engine_growth_")
    parts = [_HEAD, _table([figure for figure in figures if figure not in engine])]
    if engine:
        rest = [figure for figure in engine if figure not in drawn + growth]
        parts += ["## The rule engine", _ENGINE, _table(rest)]
    if growth:
        parts += ["### How it grows", _GROWTH]
        parts += [_growth(named(f"engine_growth_{axis}_"), axis) for axis in _axes(growth)]
    if drawn:
        parts += ["### The traders", _TRADERS, *_traders(drawn)]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _table(figures: Sequence[Figure]) -> str:
    lines = [
        "| figure | value | promise | kept | against | conditions |",
        "|---|---|---|---|---|---|",
    ]
    for figure in figures:
        against = ""
        if figure.ratio is not None:
            against = f"{digits(figure.ratio)}× {figure.baseline_name} ({figure.baseline:,.4g})"
        kept = {None: "", True: "yes", False: "**no**"}[figure.kept]
        lines.append(
            f"| {figure.name} | {figure.value:,.4g} {figure.unit} | {figure.promise or ''} "
            f"| {kept} | {against} | {figure.conditions} |"
        )
    return "\n".join(lines)


def digits(ratio: float) -> str:
    """Return three digits, without an exponent."""
    return f"{ratio:.3g}" if ratio < 1000 else f"{float(f'{ratio:.3g}'):,.0f}"


def _axes(growth: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(figure.name.split("_")[2] for figure in growth))


def _growth(figures: Sequence[Figure], axis: str) -> str:
    """Return one curve: time, and time for each of what grows."""
    also = figures[0].conditions.split(";")[0]
    lines = [f"| {axis} ({also}) | ms | µs each | |", "|---:|---:|---:|---|"]
    longest = max(figure.value for figure in figures)
    for figure in figures:
        at = int(figure.name.rsplit("_", 1)[1])
        bar = "█" * max(1, round(30 * figure.value / longest))
        lines.append(f"| {at:,} | {figure.value:.3g} | {1000 * figure.value / at:.3g} | {bar} |")
    return "\n".join(lines)


def _traders(figures: Sequence[Figure]) -> list[str]:
    def of(what: str) -> list[Figure]:
        prefix = f"engine_traders_{what} "
        found = [figure for figure in figures if figure.name.startswith(prefix)]
        return sorted(found, key=lambda figure: -figure.value)

    def words(what: str) -> str:
        return " · ".join(
            f"`{figure.name.split(' ', 1)[1]}` {figure.value:.3g} %" for figure in of(what)
        )

    counts = [figure for figure in figures if " " not in figure.name]
    lines = ["| traders | distinct nodes | |", "|---:|---:|---|"]
    for figure in counts:
        size, _, rest = figure.conditions.partition(" traders, ")
        lines.append(f"| {size} | {figure.value:,.0f} | {rest} |")
    return [
        "\n".join(lines),
        f"Share of traders that name a function: {words('function')}.",
        f"The most popular nodes: {words('node')}.",
    ]
