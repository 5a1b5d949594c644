"""Carries out the steps of a deployment, one kind of act each.

Called by deploy.py. Not here: which steps there are (deploy_plan.py).
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable

import httpx
import psycopg
import stamina
from psycopg.conninfo import make_conninfo

from cli.database import CONNECT_TIMEOUT_S, program_name, translated
from cli.deploy_plan import HIDDEN, Command, Kind, Step
from cli.deploy_target import Target
from shared.errors import StepFailed
from shared.signing import signed_headers
from shared.store.migrations import apply_schedules, migrate

# A first build on a remote builder, and the wait until a machine is healthy.
COMMAND_TIMEOUT_S = 1_800
LAST_LINES = 5
# A machine starts within seconds; a new certificate or name may take longer.
PING_TIMEOUT_S = 90.0
REQUEST_TIMEOUT_S = 30.0

Tell = Callable[[str], None]


def carry_out(step: Step, target: Target, tell: Tell) -> str:
    """Do one step; return what came of it in a few words. `tell` gets the lines of a program.

    Raises: StepFailed, ConfigError, StoreError with the reason.
    """
    dsn = make_conninfo(
        target.deploy.database_url.get_secret_value(), application_name=program_name()
    )
    match step.kind:
        case Kind.MIGRATE:
            done = migrate(dsn, schedules=False)
            return f"{len(done.applied)} migrations applied, {done.routines_count} routines"
        case Kind.CONNECT:
            return _connect(dsn, target)
        case Kind.TIMETABLE:
            return f"{apply_schedules(dsn)} schedules"
        case Kind.PING:
            return _ping(target)
        case Kind.COMMAND:
            if step.unless is not None and _is_done(step.unless):
                return "there already"
            for command in step.commands:
                run_command(command, target, tell)
            return ""


def run_command(command: Command, target: Target, tell: Tell) -> None:
    """Run a program to its end, its lines told as they come, without a secret's value.

    Raises: StepFailed with its last lines.
    """
    database_url = target.deploy.database_url.get_secret_value()
    hidden = [database_url, *target.secrets().values(), *dict(command.env).values()]
    lines: list[str] = []
    with subprocess.Popen(
        command.words,
        cwd=command.folder,
        env={**os.environ, **dict(command.env)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(COMMAND_TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            lines += _feed(process, command.stdin)
            for line in process.stdout:
                text = line.rstrip()
                for value in hidden:
                    text = text.replace(value, HIDDEN) if value else text
                tell(text)
                lines = [*lines, text][-LAST_LINES:]
            code = process.wait(COMMAND_TIMEOUT_S)
        finally:
            watchdog.cancel()
    if code != 0:
        said = " / ".join(line for line in lines if line) or "nothing"
        raise StepFailed(f"{command.words[0]} exited {code} and said: {said}", hint=command.shown)


def _feed(process: subprocess.Popen[str], text: str) -> list[str]:
    """Write a program's standard input; return a line that says so if it did not read it."""
    assert process.stdin is not None
    try:
        process.stdin.write(text)
        process.stdin.close()
    except BrokenPipeError:
        return ["it did not read its standard input"]
    return []


def _is_done(command: Command) -> bool:
    result = subprocess.run(
        command.words,
        cwd=command.folder,
        env={**os.environ, **dict(command.env)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    return result.returncode == 0


def _connect(dsn: str, target: Target) -> str:
    """Tell Postgres where the functions are and what signs its calls."""
    secret = target.functions.function_secret.get_secret_value()
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            connection.execute(
                "update ops.settings set value = %s where name = 'functions_url'",
                (target.functions_url,),
            )
            row = connection.execute(
                "select ops.store_secret('function_secret', %s)", (secret,)
            ).fetchone()
    except psycopg.Error as error:
        raise translated(error) from error
    assert row is not None
    return f"secret kept in {row[0]}"


def _ping(target: Target) -> str:
    """Wake the functions, then prove that both sides sign with the same secret."""
    url = target.functions_url
    try:
        for attempt in stamina.retry_context(
            on=httpx.HTTPError, attempts=None, timeout=PING_TIMEOUT_S, wait_max=5.0
        ):
            with attempt:
                answer = httpx.get(f"{url}/health", timeout=REQUEST_TIMEOUT_S).raise_for_status()
    except httpx.HTTPError as error:
        raise StepFailed(
            f"expected {url}/health to answer within {PING_TIMEOUT_S:.0f} s, was: {error}",
            hint=f"flyctl logs --app {target.deploy.fly_app}",
        ) from error
    body = b'{"runs":[]}'
    secret = target.functions.function_secret.get_secret_value()
    headers = signed_headers(secret, int(time.time()), body)
    try:
        signed = httpx.post(
            f"{url}/trigger_executions", content=body, headers=headers, timeout=REQUEST_TIMEOUT_S
        )
    except httpx.HTTPError as error:
        raise StepFailed(f"expected an answer to a signed call, was: {error}") from error
    if signed.status_code != 200:
        raise StepFailed(
            f"expected 200 to a signed call, was {signed.status_code}: {signed.text[:200]}",
            hint="the functions have another FUNCTION_SECRET: closebell deploy --again",
        )
    return f"version {answer.json()['version']}"
