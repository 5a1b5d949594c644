"""The local cloud for tests: all of it or some parts, on ports of its own, in a folder of its own.

`Stack(...)` is a context manager for ordinary and async tests alike: the supervisor runs in a
thread with a loop of its own. Nothing of the developer's `.env` or `.local` is read or touched.

    with Stack(names=("functions", "collector"), environment={"VENUE_SPEED": "60"}) as stack:
        httpx.get(f"{stack.cloud.functions_url}/health")
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from local.cloud import Cloud
from local.feeds import FeedChoice
from local.parts import Part
from local.ports import find_free_base
from local.secrets import load_or_create_secrets
from local.services import build_parts, probe_client, select_parts
from local.settings import LocalSettings
from local.state import StateDir
from local.supervisor import Supervisor
from shared.market.frame import Feed

# What a machine under load may need; a quiet one needs a tenth of it.
START_TIMEOUT_S = 300.0
BACK_TIMEOUT_S = 120.0


class Stack:
    """Parts of the local cloud while the `with` block lasts.

    `names`: the parts wanted (what they need comes along); None means all, samples included.
    `environment`: variables for the parts, such as UNIVERSE_SIZE or those of local/venue.
    `folder`: a recording to replay instead of the simulated market.
    """

    def __init__(
        self,
        names: Sequence[str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        with_samples: bool | None = None,
        durable: bool = False,
    ) -> None:
        # Not under pytest's folder: as root, Postgres' own user could not reach into that.
        self._root = Path(tempfile.mkdtemp(prefix="closebell-test-", dir="/var/tmp"))
        self._root.chmod(0o711)
        self.state = StateDir(self._root / "state")
        self.state.create()
        feed = FeedChoice(Feed.REPLAY if folder else Feed.SIMULATED, "a test", folder)
        self.cloud = Cloud(
            state=self.state,
            ports=find_free_base(),
            secrets=load_or_create_secrets(self.state.secrets_file),
            # The defaults, whatever .env and the environment say.
            settings=LocalSettings.model_construct(),
            feed=feed,
            durable=durable,
            with_samples=names is None if with_samples is None else with_samples,
            environment=dict(environment or {}),
        )
        self._names = names
        self._supervisor: Supervisor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stack", daemon=True)

    @property
    def url(self) -> str:
        """Return the gateway's URL."""
        return self.cloud.url

    @property
    def dsn(self) -> str:
        """Return the superuser's DSN."""
        return self.cloud.postgres.dsn

    @property
    def supervisor(self) -> Supervisor:
        """Return the running supervisor, for its pids and restart counts."""
        assert self._supervisor is not None
        return self._supervisor

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal one service and wait until it was started again and is ready."""
        before = self.supervisor.restarts[name]
        os.kill(self.supervisor.pids()[name], number)
        self.wait_for(
            lambda: self.supervisor.restarts[name] > before and self.supervisor.is_ready(name),
            f"{name} to come back",
        )

    def wait_for(
        self, condition: Callable[[], bool], expectation: str, timeout_s: float = BACK_TIMEOUT_S
    ) -> None:
        """Poll until the condition holds; fail with the expectation after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, f"expected {expectation} within {timeout_s} s"
            time.sleep(0.05)

    def log(self, name: str) -> str:
        """Return what a part has written."""
        file = self.state.logs / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def __enter__(self) -> Stack:
        self._thread.start()
        began_s = time.monotonic()
        while not self._ready.wait(0.1):
            slow = time.monotonic() - began_s > START_TIMEOUT_S
            if slow or not self._thread.is_alive():
                waiting = self._not_ready()
                logs = "\n".join(f"-- {name}\n{self.log(name)[-1500:]}" for name in waiting)
                self._end()
                raise AssertionError(
                    f"the stack did not start ({self._error}), not ready: {waiting}\n{logs}"
                ) from self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._error = error

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with probe_client() as client:
            parts: list[Part] = build_parts(self.cloud, client)
            if self._names is not None:
                parts = select_parts(parts, self._names)
            self._supervisor = Supervisor(parts, self.state, _Silence())
            await self._supervisor.run(self._ready.set)

    def _not_ready(self) -> list[str]:
        supervisor = self._supervisor
        return (
            [name for name in supervisor.restarts if not supervisor.is_ready(name)]
            if (supervisor)
            else []
        )

    def _end(self) -> None:
        if self._loop is not None and self._supervisor is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._supervisor.request_stop)
        self._thread.join(timeout=120)
        assert not self._thread.is_alive(), "the stack did not stop"
        self.cloud.postgres.remove()
        shutil.rmtree(self._root, ignore_errors=True)


class _Silence:
    """A report to nobody."""

    def started(self, name: str) -> None: ...

    def ready(self, name: str, elapsed_s: float) -> None: ...

    def ended(self, name: str, outcome: str, delay_s: float) -> None: ...
