"""`closebell deploy`: bring the whole system to Fly, Supabase and Vercel, step by step.

Checks first, then acts; what is done and unchanged is not done again, so after a failure the same
command goes on where it stopped. Ends with `closebell doctor`. Not here: the steps (deploy_plan),
their carrying out (deploy_run), what the operator sees (deploy_screen).
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import JsonOption
from cli.output import reporting
from cli.settings import PROJECT
from shared.errors import ClosebellError, ConfigError, InvalidRequest, StepFailed

if TYPE_CHECKING:
    from cli.deploy_plan import Step
    from cli.deploy_screen import Screen
    from cli.deploy_target import Target

ENV_FILE = PROJECT / ".env"
MIGRATE = "python -m local.migrate up"
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
        from cli.deploy_screen import Screen
        from cli.deploy_target import check_target

        target, unset = _read_target(env_file)
        flyctl, absent = _find_programs(target)
        if unset and not dry_run:
            raise _incomplete(
                unset, "set", "closebell deploy --dry-run shows the plan, and where each comes from"
            )
        check_target(target)
        if absent and not dry_run:
            raise _incomplete(absent, "found on PATH", "; ".join(absent.values()))
        fixed = tomllib.loads((PROJECT / "fly.toml").read_text("utf-8"))["env"]
        steps = make_steps(target, fixed, flyctl, migrate_by_hand=_migrate_by_hand(env_file))
        finished = DoneSteps(env_file.parent / DONE_FILE, target.name)
        secret = target.functions.function_secret.get_secret_value()
        marks = {step.name: fingerprint(step, secret) for step in steps}
        due = [s for s in steps if again or not finished.has(s, marks[s.name])]
        screen = Screen(as_json, len(steps), _same_command(env_file))
        screen.head(target, due, dry_run=dry_run)
        if dry_run:
            for step in steps:
                screen.planned(step, step in due)
            screen.doctor_planned()
            if unset or absent:
                screen.missing(unset | absent)
                raise _incomplete(unset | absent, "there", "docs/deploy.md, then the same again")
            return
        if not yes:
            _ask(due)
        for step in steps:
            if step not in due:
                screen.unchanged(step)
                continue
            _do(step, target, screen)
            finished.add(step, marks[step.name])
        _examine(target, screen, env_file)


def _read_target(env_file: Path) -> tuple[Target, dict[str, str]]:
    """Return what is deployed where, and what is not set, with where it comes from.

    Examples stand in for what is not set. The addresses of a running `make run` are never read.
    """
    from cli.deploy_target import NEEDED, Target, find_missing
    from shared.settings import (
        CollectorSettings,
        DeploySettings,
        FunctionsSettings,
        load_settings,
    )

    if env_file != ENV_FILE and not env_file.exists():
        raise InvalidRequest(f"expected a file of settings, {env_file} is not there")
    files = [env_file]
    missing = find_missing(load_settings(DeploySettings, files))
    examples = {name: NEEDED[name].example for name in missing}
    settings = load_settings(DeploySettings, files, examples)
    follows = {
        **examples,
        "functions_url": settings.functions_url or f"https://{settings.fly_app}.fly.dev",
        "dashboard_origin": settings.dashboard_url,
    }
    target = Target(
        deploy=settings,
        collector=load_settings(CollectorSettings, files, follows),
        functions=load_settings(FunctionsSettings, files, follows),
    )
    return target, {name.upper(): NEEDED[name].source for name in missing}


def _find_programs(target: Target) -> tuple[str, dict[str, str]]:
    """Return the name of Fly's program, and what is not installed, with how to get it."""
    from shared.settings import DashboardHost

    flyctl = next((name for name in ("flyctl", "fly") if shutil.which(name)), None)
    absent: dict[str, str] = {}
    if flyctl is None:
        absent["flyctl"] = "https://fly.io/docs/flyctl/install, then: flyctl auth login"
    if target.deploy.dashboard_host is DashboardHost.VERCEL:
        if not shutil.which("vercel"):
            absent["vercel"] = (
                "npm install --global vercel, then: vercel login;"
                " or DASHBOARD_HOST=folder for another static host"
            )
    elif not shutil.which("npm"):
        absent["npm"] = "Node 24 or newer"
    return flyctl or "flyctl", absent


def _incomplete(missing: dict[str, str], state: str, hint: str) -> ConfigError:
    verb = "was" if len(missing) == 1 else "were"
    return ConfigError(f"expected {', '.join(missing)}, {verb} not {state}", hint=hint)


def _ask(due: list[Step]) -> None:
    if not due:
        return
    if not sys.stdin.isatty():
        raise InvalidRequest("expected --yes, nobody is here to be asked", hint="or --dry-run")
    typer.confirm("Deploy this? (--dry-run shows each command)", abort=True, err=True)


def _do(step: Step, target: Target, screen: Screen) -> None:
    from cli.deploy_run import carry_out

    screen.begins(step)
    began_s = time.monotonic()
    try:
        outcome = carry_out(step, target, screen.line)
    except KeyboardInterrupt:
        screen.interrupted(step)
        raise
    except ClosebellError as error:
        hints = [error.hint] if error.hint else []
        if step.by_hand not in error.hint:
            hints.append(f"by hand: {step.by_hand}")
        hints.append(f"then: {screen.command} (goes on here)")
        raise StepFailed(
            f"{step.title}: {error.message}", hint="; ".join(hints), step=step.name
        ) from error
    screen.ended(step, outcome, time.monotonic() - began_s)


def _same_command(env_file: Path) -> str:
    """Return what deploys the same system: what is typed after a failure must not reach another."""
    if env_file == ENV_FILE:
        return "closebell deploy"
    return f"closebell deploy --env-file {shlex.quote(str(env_file))}"


def _migrate_by_hand(env_file: Path) -> str:
    """Return what migrates the database of this file; the runner itself reads .env."""
    if env_file == ENV_FILE:
        return MIGRATE
    return f"dotenv -f {shlex.quote(str(env_file))} run -- {MIGRATE}"


def _examine(target: Target, screen: Screen, env_file: Path) -> None:
    """Run doctor against what was deployed. Raises: StepFailed where it found faults."""
    program = shutil.which("closebell") or str(Path(sys.executable).with_name("closebell"))
    from dotenv import dotenv_values

    screen.doctor_begins()
    settings = {name: value for name, value in dotenv_values(env_file).items() if value}
    result = subprocess.run(
        (program, "doctor"),
        env={**settings, **os.environ, **target.operator()},
        stdout=sys.stderr if screen.as_json else None,
        timeout=DOCTOR_TIMEOUT_S,
        check=False,
    )
    if result.returncode >= FAULTS:
        raise StepFailed(
            "deployed, but doctor found faults", hint="mend them as it says: closebell doctor"
        )
    screen.over(warned=result.returncode == 1)
