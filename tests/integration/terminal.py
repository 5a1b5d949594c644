"""A command in a real terminal (a pty): what a person sees, and what they type."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType


class Terminal:
    """Runs a command until the `with` block ends; `screen` is all it has written so far."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            cwd="/",
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.screen = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        os.close(self._master)

    def wait_for(self, text: str, timeout_s: float = 60.0) -> float:
        """Read until the screen holds a text; return the monotonic time at which it did."""
        deadline_s = time.monotonic() + timeout_s
        while text not in self.screen:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"expected {text!r} on the screen, was\n{self.screen[-3000:]}"
            if not self._read(left_s):
                assert text in self.screen, f"it ended; expected {text!r} in\n{self.screen[-3000:]}"
        return time.monotonic()

    def type_in(self, text: str) -> None:
        """Type a text, as a person at the keyboard."""
        os.write(self._master, text.encode())

    def press_ctrl_c(self) -> int:
        """Interrupt the command as Ctrl-C does; return its exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()

    def end(self, timeout_s: float = 60.0) -> int:
        """Read until the command has ended; return its exit code."""
        deadline_s = time.monotonic() + timeout_s
        while self._read(0.2) or self.process.poll() is None:
            assert time.monotonic() < deadline_s, f"it goes on:\n{self.screen[-3000:]}"
        return self.process.wait(30)

    def _read(self, timeout_s: float) -> bool:
        """Take what is there within a time; False when nothing came, or nothing can any more."""
        if not select.select([self._master], [], [], timeout_s)[0]:
            return False
        try:
            part = os.read(self._master, 65_536)
        except OSError:
            # Linux: the other side is closed.
            return False
        self.screen += part.decode(errors="replace").replace("\r\n", "\n")
        return bool(part)
