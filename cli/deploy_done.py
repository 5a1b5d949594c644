"""Which steps of a deployment are done: hashes in a file of the operator's machine, mode 0600.

Called by deploy.py. Not here: what a hash covers (deploy_plan.py).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from shared.errors import ConfigError

if TYPE_CHECKING:
    from cli.deploy_plan import Step


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finished step: the hash of what it depended on, and when it ended (UTC)."""

    fingerprint: str
    ended_at: str


class DoneSteps:
    """The finished steps of one target, kept in a file of the operator's machine, mode 0600."""

    def __init__(self, file: Path, target: str) -> None:
        self._file = file
        self._target = target
        self._all: dict[str, dict[str, Done]] = {}
        try:
            self._all = msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, Done]])
        except FileNotFoundError:
            pass
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"expected {file} to hold finished steps, was unreadable: {error}",
                hint=f"rm {file} (every step is then done again, which is harmless)",
            ) from error

    def has(self, step: Step, fingerprint: str) -> bool:
        """Return whether the step was done with these inputs."""
        done = self._all.get(self._target, {}).get(step.name)
        return not step.always and done is not None and done.fingerprint == fingerprint

    def add(self, step: Step, fingerprint: str) -> None:
        """Remember a step at once: the next one may fail."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._all.setdefault(self._target, {})[step.name] = Done(fingerprint, now)
        self._file.parent.mkdir(mode=0o711, exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(self._all), indent=2))
        draft.replace(self._file)
