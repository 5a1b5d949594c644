"""`make stop` and `make reset`: end the local cloud of this folder; delete its data.

Ends processes by id, and only those whose start time proves that they are ours.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from local.postgres import PostgresCluster
from local.processes import wait_gone
from local.run import STATE_DIR
from local.state import StateDir
from shared.errors import ClosebellError, ConfigError

STOP_TIMEOUT_S = 30.0
"""The supervisor needs up to 5 s for each of its layers; it rarely needs 2 s in all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Stop, and with --reset delete; return the exit code."""
    parser = argparse.ArgumentParser(prog="make stop")
    parser.add_argument("--reset", action="store_true", help="delete the data, too")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--state", type=Path, default=STATE_DIR, help="folder of the data")
    options = parser.parse_args(arguments)
    state = StateDir(options.state.resolve())
    try:
        if options.reset and not options.yes and not _confirm(state):
            print("Nothing was deleted.")
            return 1
        print("Stopped." if stop(state) else "Nothing is running.")
        if options.reset:
            reset(state)
            print("Deleted. `make run` starts from nothing.")
    except ClosebellError as error:
        print(f"closebell: {error}", file=sys.stderr)
        return 1
    return 0


def stop(state: StateDir) -> bool:
    """End the supervisor and what a killed one left; return whether there was anything.

    Raises: ConfigError if the supervisor does not end in time, or is somebody else's.
    """
    if not state.root.exists():
        return False
    info = state.read_run()
    if info is not None:
        try:
            os.kill(info.pid, signal.SIGTERM)
        except PermissionError as error:
            raise ConfigError(
                f"expected process {info.pid} to be ours, was another user's",
                hint="sudo make stop",
            ) from error
        if not wait_gone([info.mark], STOP_TIMEOUT_S):
            raise ConfigError(
                f"expected process {info.pid} to end within {STOP_TIMEOUT_S:.0f} s, did not",
                hint=f"kill -9 {info.pid}, then: make stop",
            )
    left = state.end_stale_processes()
    return info is not None or bool(left)


def reset(state: StateDir) -> None:
    """Delete everything in the state folder, and a cluster that had to lie outside of it."""
    PostgresCluster(state.root, port=0, password="").remove()
    shutil.rmtree(state.root, ignore_errors=True)
    if state.root.exists():
        raise ConfigError(
            f"expected to delete {state.root}, some of it is another user's",
            hint=f"sudo rm -rf {state.root}",
        )


def _confirm(state: StateDir) -> bool:
    """Ask on a terminal. Raises: ConfigError without one."""
    if not sys.stdin.isatty():
        raise ConfigError("expected a terminal to ask on, was none", hint="make reset YES=1")
    answer = input(f"Delete accounts, traders and signals in {state.root}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(main())
