"""The images of deploy/Dockerfile, built without Docker and run as a host runs them.

`builder` builds stages below a folder; `running` starts one in a root of its own, which holds the
image's files and nothing else, as an ordinary user with the image's environment and the variables
given. Called by tests and benchmarks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.dockerfile import Builder, Stage

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
UV = Path(sys.executable).with_name("uv")
UV_IMAGE = "ghcr.io/astral-sh/uv:0.13.8"
LIMIT_BYTES = {"collector": 150_000_000, "functions": 250_000_000}
END_TIMEOUT_S = 30.0


def builder(folder: Path) -> Builder:
    """Return a builder whose packages come from uv's cache, not from the network."""
    return Builder(
        context=ROOT,
        dockerfile=DOCKERFILE,
        folder=folder,
        programs={(UV_IMAGE, "/uv"): UV},
        environment={"UV_OFFLINE": "1", "UV_CACHE_DIR": _cache_dir(), "HOME": str(folder)},
    )


def inside(stage: Stage, command: Sequence[str]) -> list[str]:
    """Return the words that run a command in the image's root, as its user.

    As somebody who is not root: as root of a user namespace, who may do what that somebody may.
    """
    user, _, group = stage.user.partition(":")
    become = ["--setgid", group, "--setuid", user] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *become, f"--root={stage.root}", f"--wd={stage.workdir}", "--", *command]


def can_run() -> bool:
    """Return whether this machine lets a process have a root of its own."""
    words = ("unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), "--root=/", "true")
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@contextmanager
def running(
    stage: Stage, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the stage's CMD; at the end, terminate it if it still runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            inside(stage, stage.command),
            executable="/usr/bin/unshare",
            env={**stage.env, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(END_TIMEOUT_S)


def _cache_dir() -> str:
    result = subprocess.run((UV, "cache", "dir"), capture_output=True, text=True, check=True)
    return result.stdout.strip()
