"""The images of deploy/Dockerfile, built without Docker and run as a host runs them.

`build_images` builds stages below a folder; `running` starts one as an ordinary user with the
image's environment, the variables given and nothing else. Called by tests and benchmarks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.dockerfile import Builder, Stage

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
UV = Path(sys.executable).with_name("uv")
UV_IMAGE = "ghcr.io/astral-sh/uv:0.13.8"
BASE_IMAGE = "python:3.11-slim-bookworm"
# As Docker Hub lists it for linux/amd64, rounded up; the only size here that is not measured.
BASE_PACKED_BYTES = 46_000_000
LIMIT_PACKED_BYTES = {"collector": 150_000_000, "functions": 250_000_000}
# No account has it; what it may do is what everybody may.
NOBODY = 65_534
END_TIMEOUT_S = 30.0


def find_python() -> Path:
    """Return an interpreter of this version that every user of the machine can run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (Path(sys.base_prefix) / "bin" / name, Path("/usr/bin") / name):
        file = path.resolve()
        if file.exists() and all(place.stat().st_mode & 0o001 for place in (file, *file.parents)):
            return file
    raise AssertionError(f"expected a {name} that other users can run, found none")


def builder(folder: Path) -> Builder:
    """Return a builder whose packages come from uv's cache, not from the network."""
    return Builder(
        context=ROOT,
        dockerfile=DOCKERFILE,
        folder=folder,
        python=find_python(),
        programs={(UV_IMAGE, "/uv"): UV},
        environment={"UV_OFFLINE": "1", "UV_CACHE_DIR": _cache_dir(), "HOME": str(folder)},
    )


@contextmanager
def running(
    stage: Stage, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the stage's CMD; at the end, terminate it if it still runs.

    As root it becomes nobody, as anybody else it stays who it is.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            stage.command,
            executable=stage.path("/app/.venv/bin/python"),
            cwd=stage.path(""),
            env={**stage.environment, **environment},
            user=NOBODY if os.geteuid() == 0 else None,
            group=NOBODY if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 else None,
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
