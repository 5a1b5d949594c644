"""What the operator of `closebell deploy` sees: a line a step, or a document a step with --json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from cli.output import print_json

if TYPE_CHECKING:
    from cli.deploy_plan import Step
    from cli.deploy_target import Target


class Screen:
    """Tells of steps in their order, which it counts; `command` deploys the same again."""

    def __init__(self, as_json: bool, steps_count: int, command: str) -> None:
        self.as_json = as_json
        self.command = command
        self._count = steps_count
        self._number = 0

    def head(self, target: Target, due: list[Step], *, dry_run: bool) -> None:
        if not self.as_json:
            unchanged = self._count - len(due)
            note = f", {unchanged} done and unchanged" if unchanged else ""
            verb = "Plan for" if dry_run else "Deploying"
            typer.echo(f"{verb} {target.name}: {len(due)} steps{note}, then doctor.")

    def planned(self, step: Step, due: bool) -> None:
        self._number += 1
        state = "planned" if due else "unchanged"
        if self.as_json:
            self._event(step, state, command=step.shown)
            return
        note = "" if due else "  (done and unchanged)"
        typer.echo(f"\n{self._number}/{self._count} {step.title}{note}")
        for line in step.shown.splitlines():
            typer.echo(f"    {line}")

    def doctor_planned(self) -> None:
        if not self.as_json:
            typer.echo("\nthen\n    closebell doctor")

    def missing(self, sources: Mapping[str, str]) -> None:
        """Say what is not there yet, and where each comes from."""
        if self.as_json:
            for name, source in sources.items():
                print_json({"missing": name, "source": source})
            return
        typer.echo("\nNot there yet (settings go into .env; docs/deploy.md goes through them):")
        for name, source in sources.items():
            typer.echo(f"    {name:<{max(map(len, sources))}}  {source}")

    def begins(self, step: Step) -> None:
        self._number += 1
        if not self.as_json:
            typer.echo(f"\n{self._number}/{self._count} {step.title}")
            for line in step.shown.splitlines():
                typer.echo(f"    {line}")

    def line(self, text: str) -> None:
        typer.echo(f"    | {text}", err=True)

    def ended(self, step: Step, outcome: str, elapsed_s: float) -> None:
        if self.as_json:
            self._event(step, "done", outcome=outcome, elapsed_s=round(elapsed_s, 1))
        else:
            typer.echo(f"    ✓ {outcome or 'done'} ({elapsed_s:.1f} s)")

    def interrupted(self, step: Step) -> None:
        note = f"what it began at the host may go on there. {self.command} goes on here"
        typer.echo(f"\nclosebell: interrupted: {step.title} is not done; {note}", err=True)

    def unchanged(self, step: Step) -> None:
        self._number += 1
        if self.as_json:
            self._event(step, "unchanged")
        else:
            typer.echo(f"\n{self._number}/{self._count} {step.title}: done and unchanged")

    def doctor_begins(self) -> None:
        if not self.as_json:
            typer.echo("\ndoctor: the whole, as it runs now\n")

    def over(self, *, warned: bool) -> None:
        if self.as_json:
            print_json({"step": "doctor", "state": "warnings" if warned else "done"})
        else:
            typer.echo("\nDeployed." + (" doctor has warnings: see above." if warned else ""))

    def _event(self, step: Step, state: str, **fields: str | float) -> None:
        print_json({"step": step.name, "title": step.title, "state": state, **fields})
