"""The words of a check: verdict, finding, check. Values only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cli.checks.ground import Ground


class Verdict(StrEnum):
    """What a check says; SKIPPED where its question cannot be asked."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    SKIPPED = "skipped"


FIX = "closebell doctor --fix"
MARKS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAULT: "✗", Verdict.SKIPPED: "–"}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: one line for a person, and the command that mends it.

    `fix`: the name of the repair (fixes.py) that may be made without asking; empty: none.
    """

    verdict: Verdict
    found: str
    mend: str = ""
    fix: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with its question: what is printed."""

    name: str
    verdict: Verdict
    expected: str
    found: str
    mend: str
    fix: str
    took_ms: float


@dataclass(frozen=True, kw_only=True)
class Check:
    """A question. `needs`: checks without whose good answer it makes no sense.

    `expected` is what a well system answers; `meaning` and the mends are the rest of its line in
    docs/doctor.md: what is broken for users while it does not, and what to type: here, with a local
    database, and, where that differs, deployed. They are shown where a finding has no better one.
    """

    name: str
    expected: str
    meaning: str
    mend_here: str
    ask: Callable[[Ground], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    mend_deployed: str = ""


def ok(found: str) -> Finding:
    """Return a good answer."""
    return Finding(verdict=Verdict.OK, found=found)


def warning(found: str, mend: str = "", *, fix: str = "") -> Finding:
    """Return an answer that is not good, while all still works."""
    return Finding(verdict=Verdict.WARNING, found=found, mend=mend, fix=fix)


def fault(found: str, mend: str = "", *, fix: str = "") -> Finding:
    """Return an answer that says something does not work."""
    return Finding(verdict=Verdict.FAULT, found=found, mend=mend, fix=fix)


def skipped(found: str) -> Finding:
    """Return that the question could not be asked, and why."""
    return Finding(verdict=Verdict.SKIPPED, found=f"skipped: {found}")


def worst(findings: list[Finding]) -> Finding:
    """Return one finding of several, of the worst verdict, with the words of all that have it."""
    order = (Verdict.FAULT, Verdict.WARNING, Verdict.OK, Verdict.SKIPPED)
    verdict = next(v for v in order if any(f.verdict is v for f in findings))
    those = [finding for finding in findings if finding.verdict is verdict]
    return Finding(
        verdict=verdict,
        found="; ".join(finding.found for finding in those),
        mend=next((finding.mend for finding in those if finding.mend), ""),
        fix=next((finding.fix for finding in those if finding.fix), ""),
    )
