"""The folder `.local`: what one local cloud keeps between starts, and who is running it now.

Holds postgres/, redis/, venue/, logs/, pids/, secrets.json, run.json, operator.env and a lock. The
lock, not a pid file, decides whether a supervisor runs: the kernel releases it however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

import msgspec

from local.processes import ProcessMark, end_processes, is_running
from shared.errors import ConfigError

STALE_END_TIMEOUT_S = 5.0


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a running supervisor tells about itself in run.json."""

    pid: int
    start_ticks: int
    url: str
    feed: str

    @property
    def mark(self) -> ProcessMark:
        """Return the supervisor's process."""
        return ProcessMark(self.pid, self.start_ticks)


class StateDir:
    """The state folder at `root`, made on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock: TextIO | None = None

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.json"

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @property
    def operator_file(self) -> Path:
        """Where the command line finds the parts of this folder; there while it runs."""
        return self.root / "operator.env"

    def create(self) -> None:
        """Make the folders. Raises: ConfigError if they belong to somebody else."""
        if self.root.exists() and self.root.stat().st_uid != os.geteuid():
            raise ConfigError(
                f"expected {self.root} to be ours, was made by user {self.root.owner()}",
                hint=f"run as {self.root.owner()}, or: sudo rm -rf {self.root}",
            )
        # Traversable: as root, Postgres runs as another user and keeps its files inside.
        self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        for folder in (self.logs, self.pids):
            folder.mkdir(mode=0o700, exist_ok=True)

    def try_lock(self) -> bool:
        """Take the folder for this process until it ends; return whether nobody else has it."""
        file = (self.root / "lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._lock = file
        return True

    def unlock(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def write_run(self, info: RunInfo) -> None:
        """Tell others who runs this folder."""
        self.run_file.write_bytes(msgspec.json.encode(info))

    def read_run(self) -> RunInfo | None:
        """Return who runs this folder now, or None."""
        try:
            info = msgspec.json.decode(self.run_file.read_bytes(), type=RunInfo)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return info if is_running(info.mark) else None

    def remember_process(self, name: str, mark: ProcessMark) -> None:
        """Note a child, so that a supervisor that was killed leaves no unknown process."""
        (self.pids / f"{name}.pid").write_text(f"{mark.pid} {mark.start_ticks}\n")

    def forget_process(self, name: str) -> None:
        """Drop the note of a child that ended."""
        (self.pids / f"{name}.pid").unlink(missing_ok=True)

    def stale_processes(self) -> dict[str, ProcessMark]:
        """Return noted children that still run, by name."""
        found: dict[str, ProcessMark] = {}
        for file in self.pids.glob("*.pid"):
            try:
                words = file.read_text().split()
            except FileNotFoundError:
                continue  # the supervisor has just seen it end
            if len(words) == 2 and all(word.isdecimal() for word in words):
                mark = ProcessMark(int(words[0]), int(words[1]))
                if is_running(mark):
                    found[file.stem] = mark
        return found

    def end_stale_processes(self) -> list[str]:
        """End children of a supervisor that was killed; return their names."""
        stale = self.stale_processes()
        end_processes(list(stale.values()), STALE_END_TIMEOUT_S)
        for file in self.pids.glob("*.pid"):
            file.unlink(missing_ok=True)
        return sorted(stale)
