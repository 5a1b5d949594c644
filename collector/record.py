"""Writes everything the venue says, as it came, to gzip'd JSON lines. Edge.

One line a message: `{"receive_time_ms": …, "kind": "ws"|"rest", "url": …, "raw": "…"}`; played
again by collector/replay.py. Recording is bounded: when the folder is full it stops and says so.
Not here: any judgement about what is recorded.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import structlog

# Files of an hour: a crash damages one of them at most.
FILE_MS = 3_600_000
FLUSH_MS = 5_000
# 500 symbols make about 30 MB an hour.
FOLDER_BYTES_MAX = 5_000_000_000
COMPRESSION_LEVEL = 4

log = structlog.get_logger()
_encoder = msgspec.json.Encoder()


class RecordedMessage(msgspec.Struct, frozen=True):
    """One message of the venue. `url` of a socket has no query (it would be long)."""

    receive_time_ms: int
    kind: Literal["ws", "rest"]
    url: str
    raw: str


class Recorder:
    """Writes to files named by their first second in `folder`. `is_full`: it has stopped."""

    def __init__(
        self, folder: Path, now_ms: Callable[[], int], bytes_max: int = FOLDER_BYTES_MAX
    ) -> None:
        self.is_full = False
        self.messages_count = 0
        self._folder = folder
        self._now_ms = now_ms
        self._bytes_max = bytes_max
        self._file: gzip.GzipFile | None = None
        self._opened_ms = self._flushed_ms = 0
        folder.mkdir(parents=True, exist_ok=True)

    def record(self, kind: Literal["ws", "rest"], url: str, raw: bytes) -> None:
        """Append one message; text that is not UTF-8 keeps its bytes as replacement marks."""
        if self.is_full:
            return
        now_ms = self._now_ms()
        file = self._file_of(now_ms)
        if file is None:
            return
        text = raw.decode("utf-8", errors="replace")
        file.write(_encoder.encode(RecordedMessage(now_ms, kind, url, text)) + b"\n")
        self.messages_count += 1
        if now_ms - self._flushed_ms >= FLUSH_MS:
            file.flush()
            self._flushed_ms = now_ms

    def close(self) -> None:
        """Finish the present file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _file_of(self, now_ms: int) -> gzip.GzipFile | None:
        if self._file is not None and now_ms - self._opened_ms < FILE_MS:
            return self._file
        self.close()
        used = sum(path.stat().st_size for path in self._folder.glob("*.jsonl.gz"))
        if used > self._bytes_max:
            self.is_full = True
            log.error("recording_stopped", folder_bytes=used, folder_bytes_max=self._bytes_max)
            return None
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        # A second start in the same second must not damage the first one's file.
        stem = f"binance-{at:%Y%m%dT%H%M%S}"
        path = self._folder / f"{stem}.jsonl.gz"
        number = 1
        while path.exists():
            path = self._folder / f"{stem}-{number}.jsonl.gz"
            number += 1
        self._file = gzip.GzipFile(path, "wb", compresslevel=COMPRESSION_LEVEL)
        self._opened_ms = self._flushed_ms = now_ms
        return self._file
