"""What the supervisor keeps: services and steps, and who is told about them. Values and protocols.

Not here: which parts there are (`local/services.py`), and their life (`local/supervisor.py`).
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shared.errors import DeadlineExceeded

READY_POLL_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process that is kept alive; `probe` tells whether it does its work."""

    name: str
    command: Sequence[str]
    probe: Callable[[], Awaitable[bool]]
    needs: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    prepare: Callable[[], Awaitable[None]] | None = None
    """Runs before each start, also before a restart."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something done once while starting."""

    name: str
    action: Callable[[], Awaitable[None]]
    needs: tuple[str, ...] = ()
    in_background: bool = False
    """Whether the start counts as done without it."""


Part = Service | Step


class Report(Protocol):
    """Who is told what happens."""

    def started(self, name: str) -> None:
        """A part began."""

    def ready(self, name: str, elapsed_s: float) -> None:
        """A part is ready (again), after this time."""

    def ended(self, name: str, outcome: str, delay_s: float) -> None:
        """A service ended by itself and starts again after `delay_s`."""


async def wait_until(
    condition: Callable[[], Awaitable[bool]], timeout_s: float, expectation: str
) -> None:
    """Poll until `condition` holds. Raises: DeadlineExceeded with the expectation."""
    deadline_s = time.monotonic() + timeout_s
    while not await condition():
        if time.monotonic() > deadline_s:
            raise DeadlineExceeded(f"expected {expectation} within {timeout_s:.0f} s, was not so")
        await asyncio.sleep(READY_POLL_S)
