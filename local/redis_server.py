"""A private Redis on loopback, with an append-only file: the store behind the Upstash door.

Not here: the REST door (`local/upstash.py`), which holds the token and the hosted limits.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from local.ports import HOST
from shared.errors import ConfigError

MEMORY_MAX = "256mb"
"""The data size of Upstash's free plan; `noeviction` makes reaching it visible, as theirs does."""


class RedisServer:
    """One server in `<state>/redis`."""

    def __init__(self, state_root: Path, port: int) -> None:
        self.data = state_root / "redis"
        self.port = port

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command line. Raises: ConfigError if Redis is not installed."""
        program = shutil.which("redis-server")
        if program is None:
            raise ConfigError(
                "expected redis-server to be installed, was not there",
                hint="sudo apt-get install redis-server",
            )
        options = {
            "--port": str(self.port),
            "--bind": HOST,
            "--dir": str(self.data),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
            "--maxmemory": MEMORY_MAX,
            "--maxmemory-policy": "noeviction",
            "--daemonize": "no",
            "--loglevel": "notice",
        }
        return (program, *(word for pair in options.items() for word in pair))

    async def create(self) -> None:
        """Make the data folder."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def answers(self) -> bool:
        """Return whether it has loaded its data and answers."""
        # By hand: the client library costs this process half a second at each start.
        try:
            reader, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        except OSError:
            return False
        finally:
            writer.close()
