"""The sockets of the venue: who hears what, and Binance's limits on those who talk.

A frame is made once and shared: data goes straight to the transports, joined per connection, while
aiohttp's own writer sends pings, replies and closes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from local.venue.wire import combined_text, text_frame

STREAMS_MAX = 1_024
# A client that reads slower than it is sent to is dropped, as the venue does.
_UNSENT_BYTES_MAX = 8_000_000


class Connection:
    """One client socket."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, combined: bool
    ) -> None:
        self.socket = socket
        self.transport = transport
        self.combined = combined
        self.streams: set[str] = set()
        self.waiting: list[bytes] = []
        self.opened_s = time.monotonic()
        self.last_pong_s = self.opened_s
        self._incoming_s: deque[float] = deque(maxlen=6)

    def is_flooding(self, now_s: float) -> bool:
        """Count one incoming message; return whether it is the sixth within a second."""
        self._incoming_s.append(now_s)
        return len(self._incoming_s) == 6 and now_s - self._incoming_s[0] < 1.0

    def abort(self) -> None:
        """End the socket without a close frame, as a broken line does."""
        self.transport.abort()

    def flush(self) -> int:
        """Write what waits; return the number of bytes."""
        if not self.waiting:
            return 0
        data = b"".join(self.waiting)
        self.waiting.clear()
        if self.transport.is_closing():
            return 0
        if self.transport.get_write_buffer_size() > _UNSENT_BYTES_MAX:
            self.abort()
            return 0
        self.transport.write(data)
        return len(data)


class Hub:
    """All connections, and for each stream those that asked for it."""

    def __init__(self, streams: Iterable[str]) -> None:
        """`streams`: the one stream of each symbol, in the order of the instruments."""
        self.stream_indexes = {stream: index for index, stream in enumerate(streams)}
        self._names = list(self.stream_indexes)
        self._listeners: list[set[Connection]] = [set() for _ in self._names]
        self.connections: set[Connection] = set()
        self.wanted: NDArray[np.bool_] = np.zeros(len(self._names), dtype=np.bool_)
        self.messages_sent = 0
        self.bytes_sent = 0

    def add(self, connection: Connection) -> None:
        """Take a connection in."""
        self.connections.add(connection)

    def remove(self, connection: Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        self.unsubscribe(connection, list(connection.streams))

    def subscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Add streams; those of unknown symbols are taken and stay silent, as at the venue."""
        for stream in streams:
            connection.streams.add(stream)
            index = self.stream_indexes.get(stream)
            if index is not None:
                self._listeners[index].add(connection)
                self.wanted[index] = True

    def unsubscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Remove streams."""
        for stream in streams:
            connection.streams.discard(stream)
            index = self.stream_indexes.get(stream)
            if index is not None:
                self._listeners[index].discard(connection)
                self.wanted[index] = bool(self._listeners[index])

    def offer(self, index: int, data: str, damage: Callable[[str], bytes] | None = None) -> None:
        """Queue one event for those who listen to the symbol; `damage` breaks its text first."""
        frames: dict[bool, bytes] = {}
        for connection in self._listeners[index]:
            frame = frames.get(connection.combined)
            if frame is None:
                text = combined_text(self._names[index], data) if connection.combined else data
                frame = text_frame(text.encode()) if damage is None else damage(text)
                frames[connection.combined] = frame
            connection.waiting.append(frame)
            self.messages_sent += 1

    def broadcast(self, stream: str, data: str) -> None:
        """Send one event to every connection now."""
        for connection in list(self.connections):
            text = combined_text(stream, data) if connection.combined else data
            connection.waiting.append(text_frame(text.encode()))
            self.messages_sent += 1
        self.flush()

    def flush(self) -> None:
        """Write everything that waits."""
        for connection in list(self.connections):
            self.bytes_sent += connection.flush()
