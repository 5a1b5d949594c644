"""A child's output in a bounded file: `<name>.log`, and one older generation `<name>.log.1`."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

LOG_BYTES_MAX = 5_000_000
"""Per generation: ten parts with two generations each stay under 100 MB."""
CHUNK_BYTES = 65_536


class RotatingLog:
    """Appends bytes to `path`; starts a new generation when it would grow too long."""

    def __init__(self, path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max
        self._file = path.open("ab")

    def write(self, chunk: bytes) -> None:
        """Append `chunk` and make it visible to readers at once."""
        if self._file.tell() + len(chunk) > self._bytes_max and self._file.tell() > 0:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self.path.open("ab")
        self._file.write(chunk)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class OutputPipe:
    """The pipe between a child's output and its log, read whenever the event loop is free.

    A pipe of our own: asyncio's would make "the child ended" wait for grandchildren that hold it.
    """

    def __init__(self, path: Path) -> None:
        self.log = RotatingLog(path)
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read_end, self._store)

    def close_write_end(self) -> None:
        """Give up our copy of the child's end, once the child has its own."""
        os.close(self.write_end)

    def close(self) -> None:
        """Store what is left and close; the child has ended."""
        while self._store():
            pass
        self._loop.remove_reader(self._read_end)
        os.close(self._read_end)
        self.log.close()

    def _store(self) -> bool:
        """Move one chunk; return whether there was one."""
        try:
            chunk = os.read(self._read_end, CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._read_end)
            return False
        self.log.write(chunk)
        return True


def last_line(path: Path) -> str:
    """Return the last line of a log that is not empty, or an empty text."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
