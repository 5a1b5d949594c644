"""pg_dump and pg_restore: found in the version that fits a server, run without showing a password.

Imported only by commands that need it. Not here: what is dumped (backing_up), what becomes of it
(restoring).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.errors import ConfigError, StoreUnavailable

# Where packages put each major version: Debian, Red Hat, Homebrew on either kind of Mac.
FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_VERSION_TIMEOUT_S = 10
_STDERR_BYTES_MAX = 100_000


def major_of(server_version: int) -> int:
    """Return the major version of a server_version_num such as 150018."""
    return server_version // 10_000


def find_program(name: str, major: int, folders: Sequence[str] = FOLDERS) -> Path:
    """Return pg_dump, pg_restore or initdb for a server: of its major version, else the next newer.

    `folders`: patterns of where to look before PATH.

    Raises: ConfigError with the command that installs it; an older one would refuse the server.
    """
    found = {version: path for path in _candidates(name, folders) if (version := _major(path))}
    fitting = [version for version in sorted(found) if version >= major]
    if fitting:
        return found[fitting[0]]
    package = "postgresql" if name == "initdb" else "postgresql-client"
    others = f"found {', '.join(map(str, sorted(found)))}" if found else "found none"
    raise ConfigError(
        f"expected {name} of PostgreSQL {major} or newer, {others}",
        hint=f"sudo apt-get install {package}-{major}   (Mac: brew install postgresql@{major})",
    )


def _candidates(name: str, folders: Sequence[str]) -> Iterator[Path]:
    for pattern in folders:
        yield from sorted(Path("/").glob(f"{pattern[1:]}/{name}"))
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)


@cache
def _major(path: Path) -> int | None:
    found = re.search(r"\(PostgreSQL\) (\d+)", version_of(path))
    return int(found[1]) if found else None


@cache
def version_of(path: Path) -> str:
    """Return what a program says of its version; nothing if it cannot be started."""
    try:
        return subprocess.run(
            (path, "--version"),
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """Return a connection string that any process may see, and an environment with its password."""
    parts = conninfo_to_dict(dsn)
    password = str(parts.pop("password", None) or "")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if password:
        environment["PGPASSWORD"] = password
    return make_conninfo(**{name: str(value) for name, value in parts.items()}), environment


@contextmanager
def running(
    command: Sequence[str | Path], *, environment: dict[str, str] | None = None
) -> Iterator[IO[bytes]]:
    """Start a program whose output is read in the block; it has ended, well, when the block ends.

    Raises: StoreUnavailable with its last words if it fails. If the block fails it is ended.
    """
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            env=environment,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        if code != 0:
            words.seek(0)
            said = words.read(_STDERR_BYTES_MAX).decode(errors="replace").strip()
            name = Path(command[0]).name
            raise StoreUnavailable(
                f"expected {name} to succeed, was: {said.splitlines()[-1] if said else code}",
                hint="`closebell doctor` shows what does not answer",
            )
