"""A Dockerfile read and carried out without Docker, as far as ours goes; anything else is refused.

Each stage is a folder that stands for the image's root. `COPY` copies what .dockerignore lets
through, `RUN` runs the very command with the stage's environment and nothing else, paths below
`/app`, `/system` and `/usr/local` mapped into the folder. A stage on Debian sees this machine's
Debian, where the packages that it installs must be; one on `scratch` is all that its image holds.
An image that only brings a program (uv) is that program. Called by tests and benchmarks.

Not here: layers below a stage on Debian, a network of its own.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path

# What the folder stands for: paths that instructions may name.
MAPPED = re.compile(r"(?<![\w/.-])/(?=app\b|system\b|usr/local\b)")
DEBIAN = "debian:bookworm-slim"
DEBIAN_PATH = "/usr/local/bin:/usr/bin:/bin"
INSTALL = "apt-get update && apt-get install -y --no-install-recommends "
RUN_TIMEOUT_S = 600


@dataclass(frozen=True)
class Instruction:
    """One instruction, continuation lines joined."""

    keyword: str
    text: str


@dataclass
class Stage:
    """A stage as it is built: its folder and what the last instructions of their kind said."""

    name: str
    base: str
    instructions: list[Instruction]
    root: Path = Path()
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0"
    command: list[str] = field(default_factory=list)
    health_command: list[str] = field(default_factory=list)

    def path(self, inside: str) -> Path:
        """Return where a path of the image is on this machine."""
        return self.root / os.path.join(self.workdir, inside).lstrip("/")

    def mapped(self, text: str) -> str:
        """Return a command or a value with the image's paths as this machine's."""
        return MAPPED.sub(f"{self.root}/", text)


def read_stages(dockerfile: Path) -> list[Stage]:
    """Return the stages in order, not built yet."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text("utf-8"), flags=re.MULTILINE)
    stages: list[Stage] = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(name.strip(), base.strip(), []))
        else:
            stages[-1].instructions.append(Instruction(keyword, rest.strip()))
    return stages


def read_ignored(file: Path) -> list[tuple[bool, str]]:
    """Return the patterns of a .dockerignore in order: (excluded or let in, pattern)."""
    lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    return [(not line.startswith("!"), line.removeprefix("!")) for line in patterns]


def is_ignored(path: str, patterns: list[tuple[bool, str]]) -> bool:
    """Return whether a path of the context stays outside: the last pattern that matches decides.

    A pattern matches a path, or a folder above it; `**/` stands for any depth.
    """
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    excluded = False
    for excludes, pattern in patterns:
        if any(_matches(candidate, pattern) for candidate in above):
            excluded = excludes
    return excluded


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern[3:])
    same_depth = path.count("/") == pattern.count("/")
    return same_depth and fnmatch.fnmatchcase(path, pattern)


@dataclass
class Builder:
    """Builds stages of one Dockerfile below `folder`.

    `programs`: what other images bring, by image and path; `environment`: what RUN sees beside the
    image's own (a cache, offline).
    """

    context: Path
    dockerfile: Path
    folder: Path
    programs: dict[tuple[str, str], Path]
    environment: dict[str, str]
    built: dict[str, Stage] = field(default_factory=dict)

    def build(self, target: str) -> Stage:
        """Return a stage, built with all that it stands on."""
        if target in self.built:
            return self.built[target]
        stages = {stage.name: stage for stage in read_stages(self.dockerfile)}
        stage = stages[target]
        stage.root = self.folder / target
        if stage.base in stages:
            below = self.build(stage.base)
            _copy_tree(below.root, stage.root)
            stage = replace(
                below, name=target, root=stage.root, env=dict(below.env), instructions=[]
            )
        else:
            assert stage.base in (DEBIAN, "scratch"), f"expected {DEBIAN}, was {stage.base}"
            stage.root.mkdir()
            stage.env = {"PATH": DEBIAN_PATH} if stage.base == DEBIAN else {}
        for instruction in stages[target].instructions:
            self._carry_out(stage, instruction, stages)
        self.built[target] = stage
        return stage

    def _carry_out(self, stage: Stage, step: Instruction, stages: dict[str, Stage]) -> None:
        match step.keyword:
            case "ENV":
                for pair in shlex.split(step.text):
                    name, _, value = pair.partition("=")
                    stage.env[name] = value
            case "WORKDIR":
                stage.workdir = step.text
                stage.path("").mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(stage, step.text, stages)
            case "RUN":
                self._run(stage, step.text)
            case "USER":
                stage.user = step.text
            case "CMD":
                stage.command = json.loads(step.text)
            case "HEALTHCHECK":
                stage.health_command = json.loads(step.text.partition("CMD ")[2])
            case "EXPOSE" | "STOPSIGNAL":
                pass
            case _:
                raise AssertionError(f"expected an instruction we carry out, was {step}")

    def _run(self, stage: Stage, text: str) -> None:
        if text.startswith(INSTALL):
            text = f"dpkg-query --show {text.removeprefix(INSTALL)}"
        environment = {name: stage.mapped(value) for name, value in stage.env.items()}
        ran = subprocess.run(
            ("/bin/sh", "-c", stage.mapped(text)),
            cwd=stage.path(""),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_TIMEOUT_S,
        )
        assert ran.returncode == 0, f"{text}: {ran.stdout}{ran.stderr}"

    def _copy(self, stage: Stage, text: str, stages: dict[str, Stage]) -> None:
        words = text.split()
        source_image = words.pop(0).removeprefix("--from=") if words[0].startswith("--") else ""
        *sources, target = words
        for source in sources:
            if source_image in stages:
                found = self.build(source_image).path(source)
                place = stage.path(target)
                if found.is_dir():
                    _copy_tree(found, place)
                else:
                    shutil.copy2(found, place / found.name if target.endswith("/") else place)
            elif source_image:
                stage.path(target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(self.programs[source_image, source], stage.path(target))
            else:
                self._copy_from_context(stage, source, target)

    def _copy_from_context(self, stage: Stage, source: str, target: str) -> None:
        patterns = read_ignored(self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore"))
        found = self.context / source
        files = [found] if found.is_file() else [f for f in found.rglob("*") if f.is_file()]
        let_in = [
            f for f in files if not is_ignored(f.relative_to(self.context).as_posix(), patterns)
        ]
        assert let_in, f"expected {source} in the build context, nothing is let in"
        for file in let_in:
            # A folder's content goes into the target, a file below it or under its name.
            inside = file.relative_to(found) if found.is_dir() else Path(file.name)
            place = stage.path(target)
            if place.name != file.name:
                place /= inside
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder into another; its files are linked, for no step writes into one."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=os.link)


def files_of(stage: Stage) -> list[Path]:
    """Return all files of the stage's image, which stands on nothing."""
    return sorted(p for p in stage.root.rglob("*") if p.is_file() or p.is_symlink())


def unpacked_bytes(stage: Stage) -> int:
    """Return what the image takes on a disk, in bytes of content, as `docker images` counts it."""
    return sum(p.lstat().st_size for p in files_of(stage) if stat.S_ISREG(p.lstat().st_mode))


def packed_bytes(stage: Stage, scratch: Path) -> int:
    """Return what a registry stores for the image: one gzipped tar."""
    archive = scratch / f"{stage.name}.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        tar.add(stage.root, "")
    size = archive.stat().st_size
    archive.unlink()
    return size
