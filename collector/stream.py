"""The venue's sockets: connect, watch, replace. Edge; knows frames of bytes, no markets.

One StreamGroup is one logical connection (a URL). It is alive only while *data* comes: pongs
prove nothing. A planned replacement (before the venue's 24 h, after serverShutdown, for a silent
stream) opens and hears the new connection before the old one is closed, so nothing is missed;
what comes twice is harmless.

Not here: what a message means (venues/*/parse.py), and which streams go where (subscribe.py).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from enum import StrEnum

import structlog
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from shared.errors import FeedDisconnected, FeedError, FeedRefused, FeedStalled

CONNECT_TIMEOUT_S = 10.0
# First wait after a failure and the longest; full jitter. The venue allows 300 attempts in 5 min.
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 30.0
# A connection that gave data for so long was a good one: the next failure is the first again.
HEALTHY_AFTER_S = 10.0
# The new connection of a planned replacement has this long to say something.
OVERLAP_MAX_S = 10.0
WATCH_EVERY_S = 0.25
GOODBYE_S = 1.0
# A kline message has 400 bytes; the venue's largest message (all tickers) has about 1 MB.
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
# A refusal that says nothing of the wait.
REFUSED_WAIT_S = 60.0

log = structlog.get_logger()


class Ending(StrEnum):
    """Why a connection is given up."""

    DISCONNECTED = "disconnected"
    STALLED = "stalled"
    PLANNED = "planned"
    SHUTDOWN = "shutdown"
    SILENT = "silent"


class _Listener(WSListener):
    """Hands the text frames of one connection on; pings are answered by picows itself."""

    def __init__(self, on_data: Callable[[bytes], None], monotonic_s: Callable[[], float]) -> None:
        self.transport: WSTransport | None = None
        self.is_closed = asyncio.Event()
        self.opened_s = self.last_data_s = monotonic_s()
        self.messages_count = 0
        self._on_data = on_data
        self._monotonic_s = monotonic_s
        self._parts: list[bytes] = []

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            payload = frame.get_payload_as_bytes()
            if not frame.fin or self._parts:
                self._parts.append(payload)
                if not frame.fin:
                    return
                payload, self._parts = b"".join(self._parts), []
            self.last_data_s = self._monotonic_s()
            self.messages_count += 1
            self._on_data(payload)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.is_closed.set()

    def close(self) -> None:
        """Say goodbye; the answer to it, or a second without one, ends the connection."""
        transport = self.transport
        if transport is not None and not self.is_closed.is_set():
            transport.send_close(WSCloseCode.OK)
            asyncio.get_running_loop().call_later(GOODBYE_S, transport.disconnect)


class StreamGroup:
    """One logical connection, kept up for ever by `run`.

    `on_data(raw)` is called in the order of arrival, from the event loop; it must not block.
    `endings` counts why connections were given up; `connections_count` counts all.
    """

    def __init__(
        self,
        name: str,
        url: str,
        on_data: Callable[[bytes], None],
        *,
        stall_timeout_s: float,
        reconnect_after_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.connections_count = 0
        self.endings: dict[Ending, int] = dict.fromkeys(Ending, 0)
        self.last_error = ""
        self._url = url
        self._on_data = on_data
        self._stall_timeout_s = stall_timeout_s
        self._reconnect_after_s = reconnect_after_s
        self._monotonic_s = monotonic_s
        self._current: _Listener | None = None
        self._wanted: Ending | None = None

    @property
    def is_connected(self) -> bool:
        """Return whether a connection is open that has said something."""
        current = self._current
        return current is not None and not current.is_closed.is_set() and current.messages_count > 0

    @property
    def age_of_data_s(self) -> float | None:
        """Return how long ago data came, or None before the first connection."""
        return self._monotonic_s() - self._current.last_data_s if self._current else None

    def replace(self, why: Ending) -> None:
        """Ask for a new connection beside this one (SHUTDOWN, SILENT); at once, without harm."""
        self._wanted = why

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        attempt = 0
        try:
            while True:
                try:
                    listener = await self._connect()
                except FeedError as error:
                    attempt += 1
                    await self._back_off(attempt, error)
                    continue
                old, self._current = self._current, listener
                if old is not None and not old.is_closed.is_set():
                    await self._hear(listener)
                    old.close()
                ending = await self._watch(listener)
                self.endings[ending] += 1
                log.info("stream_ended", stream=self.name, ending=str(ending))
                lived_s = self._monotonic_s() - listener.opened_s
                is_good = listener.messages_count > 0 and lived_s > HEALTHY_AFTER_S
                attempt = 0 if is_good else attempt + 1
                if ending is Ending.STALLED:
                    listener.close()
                    await self._back_off(
                        attempt, FeedStalled(f"no data for {self._stall_timeout_s:g} s")
                    )
                elif ending is Ending.DISCONNECTED:
                    await self._back_off(attempt, FeedDisconnected("the connection ended"))
        finally:
            if self._current is not None:
                self._current.close()

    async def _connect(self) -> _Listener:
        """Open a connection. Raises: FeedDisconnected, FeedRefused."""
        listener = _Listener(self._on_data, self._monotonic_s)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await ws_connect(
                    lambda: listener,
                    self._url,
                    websocket_handshake_timeout=CONNECT_TIMEOUT_S,
                    max_frame_size=MESSAGE_BYTES_MAX,
                    logger_name="stream",
                )
        except (OSError, WSError, TimeoutError) as error:
            response = getattr(error, "response", None)
            if response is not None and 400 <= response.status < 500:
                raise _refused(int(response.status), response.headers) from error
            raise FeedDisconnected(
                f"expected a connection, was {type(error).__name__}: {error}",
                hint="check the network, and BINANCE_STREAM_URL",
            ) from error
        self.connections_count += 1
        self._wanted = None
        log.info("stream_connected", stream=self.name)
        return listener

    async def _hear(self, listener: _Listener) -> None:
        """Wait, bounded, until the new connection has said something."""
        deadline_s = self._monotonic_s() + OVERLAP_MAX_S
        while not listener.messages_count and self._monotonic_s() < deadline_s:
            if listener.is_closed.is_set():
                return
            await asyncio.sleep(WATCH_EVERY_S / 5)

    async def _watch(self, listener: _Listener) -> Ending:
        """Wait until the connection must be replaced; return why."""
        # Up to a tenth earlier, so that the groups do not all reconnect at once.
        age_max_s = self._reconnect_after_s * random.uniform(0.9, 1.0)
        while True:
            try:
                async with asyncio.timeout(WATCH_EVERY_S):
                    await listener.is_closed.wait()
                return Ending.DISCONNECTED
            except TimeoutError:
                pass
            now_s = self._monotonic_s()
            if now_s - listener.last_data_s > self._stall_timeout_s:
                return Ending.STALLED
            if self._wanted is not None:
                wanted, self._wanted = self._wanted, None
                return wanted
            if now_s - listener.opened_s > age_max_s:
                return Ending.PLANNED

    async def _back_off(self, attempt: int, error: FeedError) -> None:
        self.last_error = str(error)
        # The first return after a good connection is nearly immediate, the next ones are not.
        longest_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt, 10) / 2)
        wait_s = random.uniform(0, longest_s)
        if isinstance(error, FeedRefused):
            wait_s += error.retry_after_s
        log.warning(
            "stream_failed",
            stream=self.name,
            attempt=attempt,
            wait_s=round(wait_s, 2),
            error=str(error),
        )
        await asyncio.sleep(wait_s)


def _refused(status: int, headers: object) -> FeedRefused:
    told = getattr(headers, "get", lambda _name: None)("Retry-After")
    retry_after_s = float(told) if isinstance(told, str) and told.isdecimal() else REFUSED_WAIT_S
    hints = {
        451: "not served in this location: use another region, or BINANCE_STREAM_URL="
        "wss://data-stream.binance.vision",
        403: "the venue's firewall blocks this address: wait, or use another one",
    }
    return FeedRefused(
        f"expected a connection, was refused with {status}",
        hint=hints.get(status, "too many connection attempts: waiting"),
        retry_after_s=min(retry_after_s, 3600.0),
        status=status,
    )
