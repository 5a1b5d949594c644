"""How the answers of `closebell rules` look in a terminal, and the JSON that programs get.

Marks and words beside every colour. Not here: computing anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from rich import box
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from cli import format
from shared.rules import FALSE, TRUE, UNKNOWN

if TYPE_CHECKING:
    from rich.console import Console

    from cli.explained import Explained
    from cli.history import History
    from shared.rules import Explanation
    from shared.rules.backtest import Distribution, Report
    from shared.rules.near_misses import NearMisses
    from shared.rules.preview import Preview
    from shared.rules.replay import UnknownCount

_MARKS = {
    TRUE: ("✓", "true", "green"),
    FALSE: ("✗", "false", "red"),
    UNKNOWN: ("?", "unknown", "yellow"),
}
_LABEL_WIDTH = 14
_NOT_APPLIED = "Every close is judged: a trader's cadence, cooldown and caps are not applied."
# More columns of values do not fit beside a name and a price.
_VALUE_COLUMNS_MAX = 4
_INSTRUMENTS_SHOWN = 10


def document(found: Preview | Explained | Report, history: History) -> dict[str, Any]:
    """Return what --json prints: the answer's fields, the source and notes about the data."""
    fields: dict[str, Any] = msgspec.to_builtins(found)
    return fields | {"source": history.source, "notes": list(history.notes)}


def show_preview(console: Console, found: Preview, history: History) -> None:
    """Print what a rule says now."""
    _show_head(console, found, history, f"at the close of {format.instant(found.closed_at_ms)}")
    verdicts = Text()
    for state, count in (
        (TRUE, found.true_count),
        (FALSE, found.false_count),
        (UNKNOWN, found.unknown_count),
    ):
        mark, word, style = _MARKS[state]
        verdicts.append(f"{mark} {word} {count:,}", style=style if count else "dim")
        verdicts.append("   ")
    verdicts.append(f"of {found.instruments_count:,} instruments")
    _row(console, "now", verdicts)
    _show_unknown(console, found.unknown)
    signals = f"{len(found.would_signal):,} on {found.trigger}"
    if found.would_signal:
        signals += f": {_some(found.would_signal)}"
    _row(console, "signals now", signals)
    if found.lately is not None:
        lately = found.lately
        _row(
            console,
            "signals a day",
            f"about {format.rate(lately.signals_per_day)} before cooldown and caps"
            f" ({lately.signals_count:,} in the last {lately.closes_count:,} closes,"
            f" since {format.instant(lately.first_closed_at_ms)})",
        )
    _show_noise(console, found.noise)
    _show_cost(console, found)
    if found.matches:
        _show_matches(console, found)
    _show_near_misses(console, found.near_misses)


def show_explained(console: Console, found: Explained, history: History) -> None:
    """Print a tree for each instrument."""
    _show_head(console, found, history, f"at the close of {format.instant(found.closed_at_ms)}")
    for each in found.instruments:
        whole = each.explanation
        assert whole.state is not None
        mark, word, style = _MARKS[whole.state]
        title = Text.assemble(
            (each.instrument, "bold"),
            f"  price {format.price(each.price)}  ",
            (f"{mark} {word}", style),
            (f"  ({whole.reason})" if whole.reason else "", "yellow"),
        )
        tree = Tree(title, guide_style="dim")
        # The rule itself stands above; a single comparison is repeated for its distance.
        joins = bool(whole.parts) and all(part.state is not None for part in whole.parts)
        _grow(tree, whole.parts if joins else (whole,))
        console.print(tree)
        console.print()


def show_report(console: Console, found: Report, history: History) -> None:
    """Print what a backtest found."""
    first, last = found.first_closed_at_ms, found.last_closed_at_ms
    _show_head(console, found, history, f"{format.instant(first)} to {format.instant(last)}")
    judged = f"{found.closes_count:,} × {found.instruments_count:,} instruments"
    if found.short_history_closes_count:
        judged += (
            f"; {found.short_history_closes_count:,} with fewer than 500 bars behind them,"
            " where averages may differ from live"
        )
    _row(console, "closes judged", judged)
    _row(
        console,
        "signals",
        Text(
            f"{found.signals_count:,} on {found.trigger},"
            f" about {format.rate(found.signals_per_day)} a day",
            style="bold",
        ),
    )
    _show_days(console, found)
    if found.by_instrument:
        shown = [
            f"{each.instrument} {each.signals_count:,}"
            for each in found.by_instrument[:_INSTRUMENTS_SHOWN]
        ]
        rest = len(found.by_instrument) - len(shown)
        _row(console, "most signals", ", ".join(shown) + (f" and {rest:,} more" if rest else ""))
    _show_unknown(console, found.unknown)
    _show_noise(console, found.noise)
    _show_cost(console, found)
    console.print()
    console.print(_returns_table(found))
    console.print(Text(found.caution, style="italic"))
    console.print(Text(_NOT_APPLIED, style="italic"))


def _show_head(
    console: Console, found: Preview | Explained | Report, history: History, when: str
) -> None:
    console.print(Text(found.rule, style="bold"))
    feed = str(found.feed).upper()
    console.print(Text(f"{found.venue} {found.interval} {when} · {feed} · {history.source}"))
    for note in history.notes:
        console.print(Text(f"! {note}", style="yellow"))
    console.print()


def _row(console: Console, label: str, content: str | Text) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_LABEL_WIDTH, style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row(label, content)
    console.print(grid)


def _show_unknown(console: Console, unknown: Sequence[UnknownCount]) -> None:
    if unknown:
        counts = ", ".join(f"{each.count:,} {each.kind}" for each in unknown)
        _row(console, "unknown", counts)


def _show_noise(console: Console, noise: str | None) -> None:
    if noise is not None:
        _row(console, "hint", Text(f"! {noise}", style="yellow"))


def _show_cost(console: Console, found: Preview | Report) -> None:
    cost = found.cost
    _row(
        console,
        "needs",
        f"{found.bars_needed} bars · cost {cost.cost} of at most {cost.cost_max},"
        f" {cost.rows} rows of values",
    )


def _show_matches(console: Console, found: Preview) -> None:
    names = list(dict.fromkeys(name for match in found.matches for name in match.values))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("match", no_wrap=True)
    table.add_column("price", justify="right", no_wrap=True)
    in_columns = len(names) <= _VALUE_COLUMNS_MAX
    for name in names if in_columns else ["values"]:
        table.add_column(name, justify="right" if in_columns else "left", overflow="fold")
    for match in found.matches:
        cells = [format.number(match.values.get(name)) for name in names]
        if not in_columns:
            named = zip(names, cells, strict=True)
            cells = [" · ".join(f"{name} {cell}" for name, cell in named)]
        table.add_row(match.instrument, format.price(match.price), *cells)
    console.print(table)
    rest = found.true_count - len(found.matches)
    if rest:
        console.print(f"  and {rest:,} more (--matches)")


def _show_near_misses(console: Console, found: NearMisses) -> None:
    if found.unranked_count:
        count = f"{found.unranked_count:,} false ones, as something they need is unknown"
        _row(console, "not ranked", count)
    if not found.nearest:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("near miss", no_wrap=True)
    table.add_column("away", justify="right", no_wrap=True)
    table.add_column("needs", overflow="fold")
    for miss in found.nearest:
        needs = Text("\n").join(
            Text(need.text).append(
                ""
                if need.left is None
                else f"  ({format.number(need.left)} against {format.number(need.right)})",
                style="dim",
            )
            for need in miss.needs
        )
        # A candle pattern is there or not: nothing between.
        has_sides = any(need.left is not None for need in miss.needs)
        away = format.percent(miss.distance) if has_sides else "–"
        table.add_row(miss.instrument, away, needs)
    console.print(table)


def _grow(tree: Tree, parts: Sequence[Explanation]) -> None:
    """Add the parts of a condition, without steps that say nothing new."""
    for part in parts:
        if part.state is None and _is_constant(part.text):
            continue
        inner = part.parts
        # A cross and what it is made of are one step.
        while len(inner) == 1 and inner[0].state == part.state and inner[0].parts:
            inner = inner[0].parts
        _grow(tree.add(_line(part)), inner)


def _is_constant(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _line(part: Explanation) -> Text:
    line = Text()
    if part.state is not None:
        mark, word, style = _MARKS[part.state]
        line.append(f"{mark} {part.text}", style=style)
        line.append(f"  {word}")
        if part.distance is not None and part.state == FALSE:
            line.append(f", {format.number(abs(part.distance))} away", style="dim")
    else:
        line.append(part.text)
        if part.value is not None:
            line.append(f" = {format.number(part.value, format.DIGITS_EXACT)}", style="bold")
    if part.reason is not None:
        line.append(f"  ({part.reason})", style="yellow")
    return line


def _show_days(console: Console, found: Report) -> None:
    counts = [day.signals_count for day in found.by_day]
    if len(counts) < 2:
        return
    middle = sorted(counts)[len(counts) // 2]
    text = f"{min(counts):,} to {max(counts):,}, usually {middle:,}"
    days = -(-len(counts) // max(console.width - _LABEL_WIDTH - 2, 10))
    if days > 1:
        text += f"; below, each mark is {days} days"
    marks = [sum(counts[start : start + days]) for start in range(0, len(counts), days)]
    _row(console, "by day", Text(f"{text}\n").append(format.sparkline(marks), "cyan"))


def _returns_table(found: Report) -> Table:
    # No padding: it has to fit into 80 columns.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("return in %", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    for name in ("mean", "p5", "p25", "median", "p75", "p95", "> 0"):
        table.add_column(name, justify="right", no_wrap=True)
    for horizon in found.horizons:
        bars = "1 bar" if horizon.bars == 1 else f"{horizon.bars} bars"
        table.add_row(f"{bars}: signals", *_cells(horizon.signals), style="bold")
        table.add_row("all closes", *_cells(horizon.universe), style="dim", end_section=True)
    return table


def _cells(found: Distribution) -> list[str]:
    values = (found.mean, found.p5, found.p25, found.median, found.p75, found.p95)
    share = "–" if found.share_above_0 is None else f"{found.share_above_0:.0%}"
    return [
        f"{found.count:,}",
        *("–" if value is None else f"{value * 100:+.2f}" for value in values),
        share,
    ]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_INSTRUMENTS_SHOWN])
    rest = len(names) - _INSTRUMENTS_SHOWN
    return f"{shown} and {rest:,} more" if rest > 0 else shown
