"""Frames in Redis: the only place that knows their keys. Called by the collector and functions.

Keys (design D1): `klines:{venue}:{interval}` is a hash of open time → frame text, plus the field
`revisions`; `symbols:{venue}:{symbol_list_id}` is a JSON list. A write is one HSET whatever the
number of symbols; a read is one HMGET, and a frame that is not there is visible as a nil.

Not here: which bars a rule needs (windows.py), when a frame is published (the collector).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import httpx
import msgspec
import stamina
import structlog
from upstash_redis.asyncio import Redis
from upstash_redis.errors import UpstashError

from shared.errors import FrameUnreadable, StoreUnavailable
from shared.market.frame import Frame, decode_frame, encode_frame, symbol_list_id
from shared.market.interval import Interval
from shared.store.meter import CommandMeter, TrafficMeter

# A request may be 10 MB at the hosted store; 100 frames of 500 symbols are about 3 MB.
FRAMES_PER_COMMAND = 100
COMMAND_TIMEOUT_S = 5.0
ATTEMPTS = 3
# Two closes of 1m.
IDLE_S_MAX = 120.0
SYMBOLS_TTL_S = 40 * 24 * 3600
REVISIONS_FIELD = "revisions"

log = structlog.get_logger()


class Revisions(msgspec.Struct, kw_only=True):
    """What a cache must know: which frames are newer than their first edition.

    `generation` changes when history was rewritten (another symbol list, another feed): everything
    cached is void. `revisions` lists open time → revision of the kept frames with a revision > 1.
    """

    generation: int = 1
    revisions: dict[int, int] = {}

    def of(self, open_time_ms: int) -> int:
        """Return the newest revision of the frame of `open_time_ms`."""
        return self.revisions.get(open_time_ms, 1)


def klines_key(venue: str, interval: Interval) -> str:
    """Return the key of the hash that holds the frames of one venue and interval."""
    return f"klines:{venue}:{interval}"


def symbols_key(venue: str, list_id: str) -> str:
    """Return the key of one immutable symbol list."""
    return f"symbols:{venue}:{list_id}"


def connect_redis(url: str, token: str, traffic: TrafficMeter | None = None) -> Redis:
    """Return the REST client, set so that every wait and retry is ours and counted.

    `traffic` counts the bytes of its requests and replies.
    """
    redis = Redis(url=url, token=token, rest_encoding=None, rest_retries=0, allow_telemetry=False)
    # Its HTTP client drops a connection after 5 idle seconds, so that each minute's write would
    # pay for a new one, TLS included. The library has no parameter for it.
    redis._http._client = httpx.AsyncClient(
        timeout=COMMAND_TIMEOUT_S,
        limits=httpx.Limits(keepalive_expiry=IDLE_S_MAX),
        event_hooks=None if traffic is None else traffic.hooks,
    )
    return redis


class FrameStore:
    """Reads and writes frames; every command is timed out, retried (bounded) and counted.

    Raises (all methods): StoreUnavailable when Redis does not answer within the attempts.
    """

    def __init__(self, redis: Redis, meter: CommandMeter) -> None:
        self._redis = redis
        self._meter = meter
        self.unreadable_count = 0

    async def publish(self, frames: Sequence[Frame], revisions: Revisions) -> None:
        """Store frames of one venue and interval, and the revisions, with one HSET.

        At most FRAMES_PER_COMMAND frames a call. Writing the same frame twice changes nothing.
        """
        assert 0 < len(frames) <= FRAMES_PER_COMMAND
        key = klines_key(frames[0].venue, frames[0].interval)
        fields = {str(frame.open_time_ms): encode_frame(frame) for frame in frames}
        fields[REVISIONS_FIELD] = msgspec.json.encode(revisions).decode()
        await self._call("HSET", lambda: self._redis.hset(key, values=fields))

    async def publish_symbols(self, venue: str, symbols: Sequence[str]) -> str:
        """Store a symbol list under its id (which is returned); renews its time to live."""
        list_id = symbol_list_id(symbols)
        text = msgspec.json.encode(list(symbols)).decode()
        key = symbols_key(venue, list_id)
        await self._call("SET", lambda: self._redis.set(key, text, ex=SYMBOLS_TTL_S))
        return list_id

    async def load_symbols(self, venue: str, list_id: str) -> tuple[str, ...] | None:
        """Return the symbols of a list in universe order, or None if it is not stored."""
        text = await self._call("GET", lambda: self._redis.get(symbols_key(venue, list_id)))
        return None if text is None else tuple(msgspec.json.decode(text, type=list[str]))

    async def load_frames(
        self, venue: str, interval: Interval, open_times_ms: Sequence[int]
    ) -> tuple[list[Frame | None], Revisions]:
        """Return the frames of these open times (None = not there) and the revisions.

        One HMGET for each FRAMES_PER_COMMAND open times, the last ones first: history is written
        oldest first, so whoever has seen a frame finds all frames before it. A frame that cannot
        be read is logged, counted in `unreadable_count` and returned as None.
        """
        key = klines_key(venue, interval)
        chunks: list[list[Frame | None]] = []
        revisions = Revisions()
        for stop in range(max(len(open_times_ms), 1), 0, -FRAMES_PER_COMMAND):
            fields = [str(t) for t in open_times_ms[max(0, stop - FRAMES_PER_COMMAND) : stop]]
            fields.append(REVISIONS_FIELD)
            values = await self._call("HMGET", partial(self._redis.hmget, key, *fields))
            chunks.append([self._decode(key, text) for text in values[:-1]])
            if values[-1] is not None and len(chunks) == 1:
                revisions = msgspec.json.decode(values[-1], type=Revisions)
        return [frame for chunk in reversed(chunks) for frame in chunk], revisions

    async def load_open_times(self, venue: str, interval: Interval) -> list[int]:
        """Return the open times that are stored, oldest first (one HKEYS; at most ~700)."""
        key = klines_key(venue, interval)
        fields = await self._call("HKEYS", lambda: self._redis.hkeys(key))
        return sorted(int(field) for field in fields if field != REVISIONS_FIELD)

    async def trim(self, venue: str, interval: Interval, open_times_ms: Sequence[int]) -> None:
        """Delete the frames of these open times with one HDEL."""
        fields = [str(t) for t in open_times_ms]
        key = klines_key(venue, interval)
        await self._call("HDEL", lambda: self._redis.hdel(key, *fields))

    async def drop(self, venue: str, interval: Interval) -> None:
        """Delete all frames of one venue and interval with one DEL."""
        await self._call("DEL", lambda: self._redis.delete(klines_key(venue, interval)))

    async def ping(self) -> None:
        """Ask Redis for a sign of life with one PING."""
        await self._call("PING", self._redis.ping)

    async def close(self) -> None:
        """Close the connection pool."""
        await self._redis.close()

    def _decode(self, key: str, text: str | None) -> Frame | None:
        if text is None:
            return None
        try:
            return decode_frame(text)
        except FrameUnreadable as error:
            self.unreadable_count += 1
            log.warning("frame_unreadable", key=key, code=error.code, error=str(error))
            return None

    async def _call(self, name: str, command: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async for attempt in stamina.retry_context(
                on=(httpx.HTTPError, TimeoutError),
                attempts=ATTEMPTS,
                timeout=ATTEMPTS * COMMAND_TIMEOUT_S,
                wait_initial=0.05,
                wait_max=0.5,
            ):
                with attempt:
                    self._meter.count(name)
                    async with asyncio.timeout(COMMAND_TIMEOUT_S):
                        return await command()
        except (httpx.HTTPError, TimeoutError, UpstashError, ValueError) as error:
            raise StoreUnavailable(
                f"expected an answer of Redis to {name}, was {type(error).__name__}: {error}",
                hint="check UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN",
                command=name,
            ) from error
