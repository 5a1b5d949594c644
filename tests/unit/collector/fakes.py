"""Fakes that are passed in: a Redis in memory behind the real FrameStore; and patience."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

from upstash_redis.asyncio import Redis
from upstash_redis.errors import UpstashError

from shared.store.frames import FrameStore
from shared.store.meter import CommandMeter


class FakeRedis:
    """The commands that FrameStore uses. While `is_away` every command is refused.

    `during_write` is called once, within the next HSET.
    """

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}
        self.texts: dict[str, str] = {}
        self.is_away = False
        self.during_write: Callable[[], None] | None = None

    def _answer(self) -> None:
        if self.is_away:
            raise UpstashError("Redis is away")

    async def hset(self, key: str, values: Mapping[str, str]) -> int:
        self._answer()
        self.hashes.setdefault(key, {}).update(values)
        if self.during_write is not None:
            act, self.during_write = self.during_write, None
            act()
        return len(values)

    async def hmget(self, key: str, *fields: str) -> list[str | None]:
        self._answer()
        return [self.hashes.get(key, {}).get(field) for field in fields]

    async def hkeys(self, key: str) -> list[str]:
        self._answer()
        return list(self.hashes.get(key, {}))

    async def hdel(self, key: str, *fields: str) -> int:
        self._answer()
        for field in fields:
            self.hashes[key].pop(field, None)
        return len(fields)

    async def set(self, key: str, value: str, ex: int) -> bool:
        self._answer()
        self.texts[key] = value
        return True

    async def get(self, key: str) -> str | None:
        self._answer()
        return self.texts.get(key)

    async def delete(self, key: str) -> int:
        self._answer()
        return int(self.hashes.pop(key, None) is not None)

    async def close(self) -> None:
        """Nothing to close."""


def make_store(redis: FakeRedis) -> tuple[FrameStore, CommandMeter]:
    """Return a real store over the fake, and its meter."""
    meter = CommandMeter(0.0)
    return FrameStore(cast(Redis, redis), meter), meter


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Return as soon as the condition holds; fail if it does not within the time."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while not condition():
        assert loop.time() < deadline_s, "the condition did not come true in time"
        await asyncio.sleep(0.005)
