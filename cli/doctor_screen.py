"""How the doctor's answers look: a line a check, the mending command under it. Text only."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.markup import escape

from cli.checks.check import MARKS, Outcome, Verdict
from cli.output import make_console

STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAULT: "red",
    Verdict.SKIPPED: "dim",
}


class Screen:
    """Prints to standard output; `is_silent` prints nothing (--json)."""

    def __init__(self, *, width_of: Sequence[str], is_silent: bool) -> None:
        self._console = make_console()
        self._width = max((len(name) for name in width_of), default=0)
        self._is_silent = is_silent

    def tell(self, outcome: Outcome) -> None:
        """Print one outcome."""
        if self._is_silent:
            return
        style = STYLES[outcome.verdict]
        found = outcome.found
        if outcome.verdict is Verdict.FAULT and not outcome.found:
            found = f"expected {outcome.expected}"
        name = f"{outcome.name:<{self._width}}"
        self._hang(f"[{style}]{MARKS[outcome.verdict]}[/] {name}  ", self._width + 4, found, style)
        if outcome.mend and outcome.verdict in (Verdict.FAULT, Verdict.WARNING):
            self._hang(" " * (self._width + 4) + "→ ", self._width + 6, outcome.mend, "bold")

    def fixed(self, name: str, did: str, is_done: bool) -> None:
        """Print what a repair did."""
        if not self._is_silent:
            mark = "[green]mended[/]" if is_done else "[red]not mended[/]"
            self._console.print(f"\n{mark} {name}: {escape(did)}\n")

    def summary(self, outcomes: Sequence[Outcome], took_s: float, *, may_fix: bool) -> None:
        """Print the counts, and how to mend what can be mended."""
        counts = [
            f"{MARKS[verdict]} {count}"
            for verdict in Verdict
            if (count := sum(outcome.verdict is verdict for outcome in outcomes))
        ]
        self._console.print(f"\nchecked in {took_s:.1f} s: {'  '.join(counts)}")
        mendable = [outcome.name for outcome in outcomes if outcome.fix]
        if mendable and may_fix:
            self._console.print(f"closebell doctor --fix mends: {', '.join(mendable)}")

    def _hang(self, head: str, indent: int, text: str, style: str) -> None:
        """Print text beside its head; what is longer than the line goes on under its beginning."""
        width = max(self._console.width - indent, 20)
        lines = textwrap.wrap(text, width, break_on_hyphens=False) or [""]
        for number, line in enumerate(lines):
            before = head if number == 0 else " " * indent
            shown = escape(line) if style == "green" else f"[{style}]{escape(line)}[/]"
            self._console.print(f"{before}{shown}", soft_wrap=True)
