"""Processes we started: spawn them so that they never outlive us, tell them apart, end them.

A process is known by its id *and* its start time: an id alone may have been given to a stranger.
Not here: which processes, and when (`local/supervisor.py`).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import ConfigError

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the signal a process gets when the thread that forked it ends."""

_libc = ctypes.CDLL(None, use_errno=True)


class ProcessMark(NamedTuple):
    """One process, told apart from any later one with the same id."""

    pid: int
    start_ticks: int
    """Start time in clock ticks since boot, from /proc/<pid>/stat."""


def mark_of(pid: int) -> ProcessMark | None:
    """Return the mark of a live process; None if there is none (a zombie is none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and parentheses: fields count from the last ")".
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else ProcessMark(pid, int(fields[19]))


def is_running(mark: ProcessMark) -> bool:
    """Return whether exactly this process is still there."""
    return mark_of(mark.pid) == mark


async def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: int = asyncio.subprocess.PIPE,
    user: str | None = None,
    parent_death_signal: signal.Signals = signal.SIGTERM,
) -> asyncio.subprocess.Process:
    """Start a process in a group of its own, with both outputs going to `output`.

    `user` is dropped to when we are root. Raises: ConfigError if the program is not there.
    """
    account: dict[str, Any] = {}
    if user is not None and os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env=dict(env),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
            # After the change of user, which would clear it again.
            preexec_fn=_die_with(os.getpid(), parent_death_signal),
            **account,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"expected the program {command[0]}, was not there", hint="make run installs it"
        ) from error


def _die_with(parent_pid: int, death_signal: signal.Signals) -> Callable[[], None]:
    def ask_kernel() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent_pid:  # It ended between the fork and the line above.
            os._exit(1)

    return ask_kernel


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal the group that `pid` leads; a group that is gone is fine."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def processes_in(folder: Path) -> Iterator[ProcessMark]:
    """Yield the processes whose working directory is `folder` (as far as we may see them)."""
    wanted = str(folder.resolve())
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            found = os.readlink(f"/proc/{entry}/cwd")
        except OSError:  # Ended meanwhile, or somebody else's.
            continue
        mark = mark_of(int(entry)) if found == wanted else None
        if mark is not None:
            yield mark


def wait_gone(marks: Sequence[ProcessMark], timeout_s: float) -> bool:
    """Wait until none of the processes is left; return whether that happened in time."""
    deadline_s = time.monotonic() + timeout_s
    while any(is_running(mark) for mark in marks):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def end_processes(marks: Sequence[ProcessMark], timeout_s: float) -> None:
    """Ask processes of ours to end, each with its group, and kill those that do not in time."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for mark in marks:
            if is_running(mark):
                signal_group(mark.pid, number)
        if wait_gone(marks, timeout_s):
            return
