"""`closebell deploy`: bring the whole system to Fly, Supabase and Vercel, step by step.

Checks first, then acts; what is done and unchanged is not done again, so after a failure the same
command goes on where it stopped. Ends with `closebell doctor`. Not here: the steps (deploy_plan),
their carrying out (deploy_run).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import JsonOption
from cli.output import print_json, reporting
from cli.settings import PROJECT
from shared.errors import ClosebellError, ConfigError, InvalidRequest, StepFailed

if TYPE_CHECKING:
    from cli.deploy_plan import Step
    from cli.deploy_target import Target

ENV_FILE = PROJECT / ".env"
# Beside the file of settings, whichever that is.
DONE_FILE = Path(".local") / "deploy.json"
DOCTOR_TIMEOUT_S = 300
# doctor's exit code for "something does not work".
FAULTS = 2


def deploy(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show every step and command; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    env_file: Annotated[
        Path,
        typer.Option(
            help="Settings of the system to deploy; the environment wins.", show_default=".env"
        ),
    ] = ENV_FILE,
    again: Annotated[
        bool, typer.Option("--again", help="Do every step, also what is done and unchanged.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy everything: database, functions, collector, dashboard; then check the whole.

    Reads .env and the environment (docs/settings.md); docs/deploy.md begins with no account.

    Example: closebell deploy --dry-run
    """
    with reporting(as_json):
        if not as_json:
            typer.echo("Checking settings and programs …", err=True)
        from cli.deploy_done import DoneSteps
        from cli.deploy_plan import fingerprint, make_steps
        from cli.deploy_target import check_target

        target = _read_target(env_file)
        check_target(target)
        flyctl = _find_tools(target)
        fixed = tomllib.loads((PROJECT / "fly.toml").read_text("utf-8"))["env"]
        steps = make_steps(target, fixed, flyctl)
        finished = DoneSteps(env_file.parent / DONE_FILE, target.name)
        secret = target.functions.function_secret.get_secret_value()
        marks = {step.name: fingerprint(step, secret) for step in steps}
        due = [s for s in steps if again or not finished.has(s, marks[s.name])]
        screen = _Screen(as_json, len(steps))
        screen.head(target, due, steps)
        if dry_run:
            for step in steps:
                screen.planned(step, step in due)
            screen.doctor_planned()
            return
        if not yes:
            _ask(due)
        for step in steps:
            if step not in due:
                screen.unchanged(step)
                continue
            _do(step, target, screen)
            finished.add(step, marks[step.name])
        _examine(screen, env_file)


def _read_target(env_file: Path) -> Target:
    """Return what is deployed where; never the addresses of a running `make run`."""
    from cli.deploy_target import Target, check_complete
    from shared.settings import (
        CollectorSettings,
        DeploySettings,
        FunctionsSettings,
        load_settings,
    )

    if env_file != ENV_FILE and not env_file.exists():
        raise InvalidRequest(f"expected a file of settings, {env_file} is not there")
    files = [env_file]
    settings = load_settings(DeploySettings, files)
    check_complete(settings)
    follows = {"functions_url": settings.functions_url or f"https://{settings.fly_app}.fly.dev"}
    if settings.dashboard_url:
        follows["dashboard_origin"] = settings.dashboard_url
    return Target(
        deploy=settings,
        collector=load_settings(CollectorSettings, files, follows),
        functions=load_settings(FunctionsSettings, files, follows),
    )


def _find_tools(target: Target) -> str:
    """Return the name of Fly's program. Raises: ConfigError naming what is not installed."""
    from shared.settings import DashboardHost

    flyctl = next((name for name in ("flyctl", "fly") if shutil.which(name)), None)
    if flyctl is None:
        raise ConfigError(
            "expected flyctl on PATH, found none",
            hint="install it: https://fly.io/docs/flyctl/install, then: flyctl auth login",
        )
    vercel = target.deploy.dashboard_host is DashboardHost.VERCEL
    if vercel and not shutil.which("vercel"):
        raise ConfigError(
            "expected vercel on PATH, found none",
            hint="npm install --global vercel, then: vercel login;"
            " or DASHBOARD_HOST=folder for another static host",
        )
    if not vercel and not shutil.which("npm"):
        raise ConfigError("expected npm on PATH, found none", hint="install Node 24 or newer")
    return flyctl


def _ask(due: list[Step]) -> None:
    if not due:
        return
    if not sys.stdin.isatty():
        raise InvalidRequest("expected --yes, nobody is here to be asked", hint="or --dry-run")
    typer.confirm("Deploy this?", abort=True, err=True)


def _do(step: Step, target: Target, screen: _Screen) -> None:
    from cli.deploy_run import carry_out

    screen.begins(step)
    began_s = time.monotonic()
    try:
        outcome = carry_out(step, target, screen.line)
    except ClosebellError as error:
        hints = [error.hint] if error.hint else []
        if step.by_hand not in error.hint:
            hints.append(f"by hand: {step.by_hand}")
        hints.append("then: closebell deploy (goes on here)")
        raise StepFailed(
            f"{step.title}: {error.message}", hint="; ".join(hints), step=step.name
        ) from error
    screen.ended(step, outcome, time.monotonic() - began_s)


def _examine(screen: _Screen, env_file: Path) -> None:
    """Run doctor against what was deployed. Raises: StepFailed where it found faults."""
    program = shutil.which("closebell") or str(Path(sys.executable).with_name("closebell"))
    from dotenv import dotenv_values

    screen.doctor_begins()
    settings = {name: value for name, value in dotenv_values(env_file).items() if value}
    result = subprocess.run(
        (program, "doctor"),
        env={**settings, **os.environ},
        stdout=sys.stderr if screen.as_json else None,
        timeout=DOCTOR_TIMEOUT_S,
        check=False,
    )
    if result.returncode >= FAULTS:
        raise StepFailed(
            "deployed, but doctor found faults", hint="mend them as it says: closebell doctor"
        )
    screen.over(warned=result.returncode == 1)


class _Screen:
    """What the operator sees: a line a step, or a document a step with --json."""

    def __init__(self, as_json: bool, steps_count: int) -> None:
        self.as_json = as_json
        self._count = steps_count
        self._number = 0

    def head(self, target: Target, due: list[Step], steps: list[Step]) -> None:
        if not self.as_json:
            unchanged = len(steps) - len(due)
            note = f", {unchanged} done and unchanged" if unchanged else ""
            typer.echo(f"Deploying {target.name}: {len(due)} steps{note}, then doctor.")

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
