"""Messages that do not have their documented shape: counted by kind, the last ones kept raw.

The stream goes on without them; /health and the log show them. Pure.
"""

from __future__ import annotations

from collections import Counter, deque

import msgspec

from shared.errors import MalformedMessage

KEPT_MAX = 100
RAW_BYTES_MAX = 2048


class MalformedSample(msgspec.Struct, frozen=True):
    """One such message; `raw` is cut at RAW_BYTES_MAX."""

    kind: str
    receive_time_ms: int
    message: str
    raw: bytes


class MalformedLog:
    """Counts by kind, and the newest KEPT_MAX samples."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.samples: deque[MalformedSample] = deque(maxlen=KEPT_MAX)

    def add(self, error: MalformedMessage, raw: bytes, receive_time_ms: int) -> None:
        """Count one message and keep it."""
        kind = str(error.context.get("kind", "wrong_shape"))
        self.counts[kind] += 1
        self.samples.append(
            MalformedSample(kind, receive_time_ms, error.message[:200], raw[:RAW_BYTES_MAX])
        )
