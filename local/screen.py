"""What `make run` shows: a spinner on a terminal, plain lines elsewhere, a summary."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.status import Status

from local.cloud import Cloud
from local.secrets import DEMO_EMAIL


class Screen:
    """The supervisor's report to a person."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._waiting: list[str] = []
        self._was_ready: set[str] = set()
        self._status: Status | None = None

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_status()

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, markup=False)

    def started(self, name: str) -> None:
        """Show that a part is on its way."""
        if name not in self._waiting:
            self._waiting.append(name)
        self._show_waiting()

    def ready(self, name: str, elapsed_s: float) -> None:
        """Tick a part off; after a restart, say that it is back."""
        if name in self._waiting:
            self._waiting.remove(name)
        word = "is back" if name in self._was_ready else "ready"
        self._was_ready.add(name)
        self.say(f"✓ {name} {word} ({elapsed_s:.1f} s)")
        self._show_waiting()

    def ended(self, name: str, outcome: str, delay_s: float) -> None:
        """Say that a part ended by itself."""
        self.say(f"! {name} {outcome}, starting it again in {delay_s:.1f} s")

    def summary(self, cloud: Cloud, elapsed_s: float) -> None:
        """Print the one URL, who to be, which data, and what to type next."""
        self._end_status()
        lines = ["", f"Closebell is running (started in {elapsed_s:.1f} s).", ""]
        lines.append(f"  open      {cloud.url}")
        if cloud.with_samples:
            lines.append(f"  sign in   {DEMO_EMAIL}  password {cloud.secrets.demo_password}")
        feed = str(cloud.feed.feed).upper()
        lines.append(f"  data      {feed} ({cloud.feed.reason})")
        lines.append(f"  logs      {cloud.state.logs}/")
        lines += ["", "  Ctrl-C ends it, the data stay. From elsewhere: make stop, make reset.", ""]
        for line in lines:
            self.say(line)
        sys.stdout.flush()

    def _show_waiting(self) -> None:
        if self._status is not None and self._waiting:
            self._status.update("starting " + ", ".join(self._waiting))

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
