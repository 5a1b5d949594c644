"""Starts the parts of the local cloud in the order of their needs and keeps them alive.

A part is a `Service` (a process that is restarted when it ends) or a `Step` (done once). Each
starts when everything it needs is ready, so what is independent starts side by side.
Not here: which parts there are (`local/services.py`), and what is printed (`local/screen.py`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.logfiles import OutputPipe, last_line
from local.parts import READY_POLL_S, Part, Report, Service, Step
from local.processes import mark_of, signal_group, spawn
from local.state import StateDir
from shared.errors import ConfigError

READY_POLL_GROWTH = 1.25
READY_POLL_S_MAX = 0.4
READY_TIMEOUT_S = 120.0
"""A cold first start on a busy laptop; a second start needs one or two seconds."""
PROBE_TIMEOUT_S = 5.0
STEADY_AFTER_S = 30.0
"""A service that ran this long starts again at once when it ends."""
RESTART_DELAY_S_MIN = 0.1
RESTART_DELAY_S_MAX = 5.0
FIRST_STARTS_MAX = 4
"""A service that never became ready gets this many tries before `make run` gives up."""
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class _Child:
    process: asyncio.subprocess.Process
    output: OutputPipe


class Supervisor:
    """Runs the parts until it is asked to stop; then ends them in reverse order."""

    def __init__(self, parts: Sequence[Part], state: StateDir, report: Report) -> None:
        self._parts = {part.name: part for part in parts}
        self._state = state
        self._report = report
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._stop = asyncio.Event()
        self._running: dict[str, _Child] = {}
        self.restarts: dict[str, int] = {part.name: 0 for part in parts}
        for part in parts:
            unknown = set(part.needs) - self._parts.keys()
            assert not unknown, f"{part.name} needs unknown parts {unknown}"

    def request_stop(self) -> None:
        """End everything; `run` returns when that is done."""
        self._stop.set()

    def pids(self) -> dict[str, int]:
        """Return the process id of each running service."""
        return {name: child.process.pid for name, child in self._running.items()}

    def is_ready(self, name: str) -> bool:
        """Return whether this part is ready now."""
        return self._ready[name].is_set()

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Start all parts, keep them, and return after `request_stop`.

        `on_ready` is called once, when every part has been ready.
        Raises: the error of the first part that could not start; everything is stopped first.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._keep(part), name=part.name)
                    for part in self._parts.values()
                ]
                tasks.append(group.create_task(self._notice_all_ready(on_ready)))
                await self._stop.wait()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as errors:
            raise _first_error(errors) from None
        finally:
            await self._stop_all()

    async def _notice_all_ready(self, on_ready: Callable[[], None]) -> None:
        for part in self._parts.values():
            if isinstance(part, Service) or not part.in_background:
                await self._ready[part.name].wait()
        on_ready()

    async def _keep(self, part: Part) -> None:
        for name in part.needs:
            await self._ready[name].wait()
        if isinstance(part, Step):
            began_s = time.monotonic()
            self._report.started(part.name)
            await part.action()
            self._ready[part.name].set()
            self._report.ready(part.name, time.monotonic() - began_s)
            return
        failures = 0
        was_ready = False
        while True:
            began_s = time.monotonic()
            outcome = await self._run_once(part)
            was_ready = was_ready or self._ready[part.name].is_set()
            self._ready[part.name].clear()
            failures = 1 if time.monotonic() - began_s > STEADY_AFTER_S else failures + 1
            if not was_ready and failures >= FIRST_STARTS_MAX:
                log = self._log_path(part.name)
                raise ConfigError(
                    f"expected {part.name} to start, {outcome}: {last_line(log)}",
                    hint=f"see {log}",
                )
            self.restarts[part.name] += 1
            delay_s = min(RESTART_DELAY_S_MIN * 2 ** (failures - 1), RESTART_DELAY_S_MAX)
            self._report.ended(part.name, outcome, delay_s)
            await asyncio.sleep(delay_s)

    async def _run_once(self, service: Service) -> str:
        """Start the process, wait until it ends, and return how that happened."""
        began_s = time.monotonic()
        self._report.started(service.name)
        if service.prepare is not None:
            await service.prepare()
        child = await self._spawn(service)
        async with asyncio.TaskGroup() as group:
            ready = group.create_task(self._await_ready(service, began_s))
            code = await child.process.wait()
            ready.cancel()
        del self._running[service.name]
        self._bury(service.name, child)
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exited {code}"

    async def _spawn(self, service: Service) -> _Child:
        output = OutputPipe(self._log_path(service.name))
        try:
            process = await spawn(
                service.command,
                env={"PATH": os.environ["PATH"], **service.env},
                cwd=service.cwd,
                output=output.write_end,
                user=service.user,
                parent_death_signal=service.stop_signal,
            )
        except BaseException:
            output.close()
            raise
        finally:
            output.close_write_end()
        child = self._running[service.name] = _Child(process, output)
        mark = mark_of(process.pid)
        if mark is not None:
            self._state.remember_process(service.name, mark)
        return child

    def _bury(self, name: str, child: _Child) -> None:
        """Clean up after a process that ended; what is left of its group would hold its port."""
        signal_group(child.process.pid, signal.SIGKILL)
        child.output.close()
        self._state.forget_process(name)

    async def _await_ready(self, service: Service, began_s: float) -> None:
        """Set the ready event at the first good probe; kill a service that never gives one."""
        pause_s = READY_POLL_S
        while time.monotonic() - began_s < READY_TIMEOUT_S:
            if await probe(service):
                self._ready[service.name].set()
                self._report.ready(service.name, time.monotonic() - began_s)
                return
            await asyncio.sleep(pause_s)
            # Asking costs the machine what the service needs to get ready.
            pause_s = min(pause_s * READY_POLL_GROWTH, READY_POLL_S_MAX)
        child = self._running[service.name]
        child.output.log.write(b"supervisor: no good answer in time, killed\n")
        signal_group(child.process.pid, signal.SIGKILL)

    def _log_path(self, name: str) -> Path:
        return self._state.logs / f"{name}.log"

    async def _stop_all(self) -> None:
        """End the services, those that need others first, those side by side that may."""
        left = set(self._running)
        while left:
            needed = {need for name in left for need in self._needs_of(name)}
            last = [name for name in left if name not in needed] or list(left)
            async with asyncio.TaskGroup() as group:
                for name in last:
                    group.create_task(self._stop_one(name))
            left -= set(last)

    def _needs_of(self, name: str) -> set[str]:
        """Return everything that `name` needs, directly or not."""
        found: set[str] = set()
        todo = list(self._parts[name].needs)
        while todo:
            need = todo.pop()
            if need not in found:
                found.add(need)
                todo.extend(self._parts[need].needs)
        return found

    async def _stop_one(self, name: str) -> None:
        part = self._parts[name]
        child = self._running.pop(name)
        assert isinstance(part, Service)
        with suppress(ProcessLookupError):
            child.process.send_signal(part.stop_signal)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await child.process.wait()
        except TimeoutError:
            child.output.log.write(b"supervisor: did not end in time, killed\n")
            signal_group(child.process.pid, signal.SIGKILL)
            await child.process.wait()
        self._bury(name, child)


async def probe(service: Service) -> bool:
    """Return whether a service says that it does its work; silence is a no."""
    # Not wait_for: Python 3.11's loses a cancellation that comes together with the answer, and the
    # probing of a process that has ended would go on until its deadline.
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await service.probe()
    except TimeoutError:
        return False


def _first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error inside nested groups: the one a person is told."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
