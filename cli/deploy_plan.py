"""What a deployment consists of, in order: from settings to steps. Pure but for hashes of files.

A step is one thing that is done whole or not at all, and may be done again at any time. What it
depends on is its `inputs`: as long as their hash stays, a finished step is not repeated. Not here:
running anything (deploy_run.py), asking and telling (deploy.py).
"""

from __future__ import annotations

import hashlib
import hmac
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cli.deploy_target import Target
from cli.settings import PROJECT
from shared.settings import DashboardHost

GROUPS = ("functions", "collector")
# What goes into the images.
IMAGE_FILES = (
    "deploy/Dockerfile",
    "deploy/Dockerfile.dockerignore",
    "deploy/system.sh",
    "fly.toml",
    "uv.lock",
)
HIDDEN = "***"


class Kind(StrEnum):
    """How a step is carried out."""

    COMMAND = "command"
    MIGRATE = "migrate"
    CONNECT = "connect"
    TIMETABLE = "timetable"
    PING = "ping"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program and its arguments; `stdin` and `env` carry secrets and are never shown."""

    words: tuple[str, ...]
    stdin: str = ""
    env: tuple[tuple[str, str], ...] = ()
    folder: Path = PROJECT

    @property
    def shown(self) -> str:
        """Return the command as a person types it, without a secret's value."""
        parts = [f"{name}={HIDDEN}" for name, _ in self.env] + [shlex.join(self.words)]
        if self.stdin:
            names = [line.partition("=")[0] for line in self.stdin.splitlines()]
            parts.append(f"  # standard input: {', '.join(names)}")
        if self.folder != PROJECT:
            parts.insert(0, f"cd {self.folder.relative_to(PROJECT)} &&")
        return " ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `unless` is a command whose success means that the step's work is done already."""

    name: str
    title: str
    kind: Kind
    shown: str
    inputs: tuple[str, ...]
    commands: tuple[Command, ...] = ()
    unless: Command | None = None
    by_hand: str
    always: bool = False


def make_steps(
    target: Target, fixed: Mapping[str, str], flyctl: str, *, migrate_by_hand: str
) -> list[Step]:
    """Return the steps that act, in order; `fixed` is [env] of fly.toml."""
    return [
        _migrate_step(migrate_by_hand),
        _connect_step(target),
        *_fly_steps(target, fixed, flyctl),
        _dashboard_step(target),
        Step(
            name="ping",
            title="first call of the functions",
            kind=Kind.PING,
            shown=f"GET {target.functions_url}/health, then a signed call",
            inputs=(),
            by_hand=f"curl -i {target.functions_url}/health",
            always=True,
        ),
        Step(
            # Not before the functions answer: until then every tick would fail.
            name="timetable",
            title="timetable",
            kind=Kind.TIMETABLE,
            shown="sql/schedules.sql → DATABASE_URL",
            inputs=(_content([PROJECT / "sql" / "schedules.sql"]),),
            by_hand=migrate_by_hand,
        ),
    ]


def fingerprint(step: Step, secret: str) -> str:
    """Return a step's hash; keyed, because some inputs are secrets."""
    parts = [step.name, step.shown, *step.inputs]
    for command in step.commands:
        parts += [command.shown, command.stdin, *(value for _, value in command.env)]
    return hmac.new(secret.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:32]


def _migrate_step(by_hand: str) -> Step:
    files = sorted((PROJECT / "sql").rglob("*.sql"))
    return Step(
        name="migrate",
        title="migrations and routines",
        kind=Kind.MIGRATE,
        shown="sql/migrations, sql/routines → DATABASE_URL",
        inputs=(_content(path for path in files if path.parent.name != "sql"),),
        by_hand=by_hand,
    )


def _connect_step(target: Target) -> Step:
    return Step(
        name="connect",
        title="address and secret of the functions, for Postgres",
        kind=Kind.CONNECT,
        shown=f"ops.settings functions_url = {target.functions_url}; "
        f"ops.store_secret('function_secret', '{HIDDEN}')",
        inputs=(target.functions_url, target.functions.function_secret.get_secret_value()),
        by_hand="select ops.store_secret('function_secret', '…');",
    )


def _fly_steps(target: Target, fixed: Mapping[str, str], flyctl: str) -> list[Step]:
    deploy = target.deploy
    token = deploy.fly_api_token.get_secret_value()
    env = (("FLY_API_TOKEN", token),) if token else ()
    app = ("--app", deploy.fly_app)

    def fly(*words: str, stdin: str = "") -> Command:
        return Command(words=(flyctl, *words), stdin=stdin, env=env)

    create = fly("apps", "create", deploy.fly_app, "--org", deploy.fly_org)
    lines = "".join(f"{name}={value}\n" for name, value in target.secrets().items())
    store = fly("secrets", "import", "--stage", *app, stdin=lines)
    options = [f"--env={name}={value}" for name, value in target.overrides(fixed).items()]
    steps = [
        _command_step("app", "app at Fly", create, unless=fly("status", *app)),
        _command_step("secrets", "secrets at Fly", store),
    ]
    for group in GROUPS:
        folders = [PROJECT / "shared", PROJECT / group]
        sources = [path for folder in folders for path in image_sources(folder)]
        content = _content([*(PROJECT / name for name in IMAGE_FILES), *sources])
        command = fly(
            "deploy",
            *app,
            *("--primary-region", deploy.fly_region),
            *("--process-groups", group, "--build-target", group),
            # So that a list of releases says which image is whose.
            *("--image-label", f"{group}-{content[:12]}"),
            *("--ha=false", "--yes", *options),
        )
        steps.append(_command_step(group, f"image and machine: {group}", command, (content, lines)))
    return steps


def _dashboard_step(target: Target) -> Step:
    deploy = target.deploy
    folder = PROJECT / "dashboard"
    public = {
        "SUPABASE_URL": target.functions.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": deploy.supabase_publishable_key,
        "FUNCTIONS_URL": target.functions_url,
    }
    sources = [
        path
        for part in ("src", "public", ".")
        for path in sorted((folder / part).rglob("*") if part != "." else folder.glob("*.*"))
        if path.is_file()
    ]
    inputs = (_content(sources),)
    if deploy.dashboard_host is DashboardHost.FOLDER:
        # Shown whole: all three are public.
        words = ("env", *(f"{name}={value}" for name, value in public.items()))
        install = Command(words=("npm", "ci", "--no-audit", "--no-fund"), folder=folder)
        build = Command(words=(*words, "npm", "run", "build"), folder=folder)
        return _command_step("dashboard", "dashboard/dist", install, inputs, then=build)
    secrets = {
        "VERCEL_TOKEN": deploy.vercel_token.get_secret_value(),
        "VERCEL_ORG_ID": deploy.vercel_org_id,
        "VERCEL_PROJECT_ID": deploy.vercel_project_id,
    }
    build_env = [
        word for name, value in public.items() for word in ("--build-env", f"{name}={value}")
    ]
    command = Command(
        words=("vercel", "deploy", "--prod", "--yes", *build_env),
        env=tuple((name, value) for name, value in secrets.items() if value),
        folder=folder,
    )
    return _command_step("dashboard", "dashboard at Vercel", command, inputs)


def _command_step(
    name: str,
    title: str,
    command: Command,
    inputs: tuple[str, ...] = (),
    *,
    then: Command | None = None,
    unless: Command | None = None,
) -> Step:
    commands = (command,) if then is None else (command, then)
    return Step(
        name=name,
        title=title,
        kind=Kind.COMMAND,
        shown="\n".join(each.shown for each in commands),
        inputs=inputs,
        commands=commands,
        unless=unless,
        by_hand=command.shown,
    )


def image_sources(folder: Path) -> list[Path]:
    """Return the files of a folder that go into an image: all that is not built from others."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and ".so" not in path.suffixes
    ]


def _content(paths: Iterable[Path]) -> str:
    """Return a hash over names and contents of files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
