"""The stream of realtime.messages: woken by a notification at commit, read from the table.

A read takes what was inserted since five seconds before the newest message sent, and what bears
an older time named by a notification, without what was sent already. So nothing is lost to a
transaction that took long, and nothing is sent twice. Without a wake-up it reads every five
seconds all the same. Messages from before the start are not sent: clients heal by select.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import structlog

OVERLAP = timedelta(seconds=5)
READ_INTERVAL_S = 5.0
ROWS_MAX = 500
PARTITIONS_INTERVAL_S = 3600.0
CONNECT_TIMEOUT_S = 5
RECONNECT_DELAY_S_MAX = 2.0

log = structlog.get_logger()
Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A row of realtime.messages; `payload_json` is its text, times are UTC without zone."""

    id: UUID
    topic: str
    event: str
    payload_json: str
    private: bool
    inserted_at: datetime


class Cursor:
    """What was sent, as far back as a read reaches by itself. Pure."""

    def __init__(self, started_at: datetime) -> None:
        self._newest_at = started_at
        self._sent: dict[UUID, datetime] = {}

    @property
    def since(self) -> datetime:
        """Return the time from which a read takes messages."""
        return self._newest_at - OVERLAP

    @property
    def sent_ids(self) -> list[UUID]:
        """Return the messages that a read leaves out."""
        return list(self._sent)

    def note_sent(self, message: StoredMessage) -> None:
        """Remember a message that was handed out."""
        self._sent[message.id] = message.inserted_at
        self._newest_at = max(self._newest_at, message.inserted_at)

    def forget_old(self) -> None:
        """Drop ids that no read reaches any more.

        An older time is read once, when its transaction's notification arrives.
        """
        self._sent = {i: at for i, at in self._sent.items() if at >= self.since}


class MessageSource:
    """Hands every new message to `deliver`, once, in the order of insertion."""

    def __init__(self, dsn: str, deliver: Callable[[StoredMessage], None]) -> None:
        self._dsn = dsn
        self._deliver = deliver
        self.is_listening = False

    async def run(self) -> None:
        """Stream until cancelled; connect again, with a growing pause, when Postgres is gone."""
        cursor: Cursor | None = None
        failures = 0
        while True:
            try:
                async with (
                    await self._connect("closebell-realtime-wake") as listening,
                    await self._connect("closebell-realtime-read") as reading,
                ):
                    await listening.execute("listen realtime_messages")
                    await reading.execute("select realtime.maintain_partitions()")
                    if cursor is None:
                        cursor = Cursor(await read_clock(reading))
                    self.is_listening, failures = True, 0
                    log.info("messages_listened")
                    await self._stream(cursor, listening, reading)
            except psycopg.Error as error:
                log.warning("postgres_failed", error=str(error).strip())
            finally:
                self.is_listening = False
            failures += 1
            delay_s = min(RECONNECT_DELAY_S_MAX, 0.1 * 2**failures)
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))

    async def _connect(self, name: str) -> Connection:
        return await psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            application_name=name,
            connect_timeout=CONNECT_TIMEOUT_S,
        )

    async def _stream(self, cursor: Cursor, listening: Connection, reading: Connection) -> None:
        loop = asyncio.get_running_loop()
        maintained_s = loop.time()
        notified: set[datetime] = set()
        while True:
            await self._read(cursor, reading, notified)
            if loop.time() - maintained_s > PARTITIONS_INTERVAL_S:
                await reading.execute("select realtime.maintain_partitions()")
                maintained_s = loop.time()
            notified = set()
            async for notice in listening.notifies(timeout=READ_INTERVAL_S, stop_after=1):
                notified.add(datetime.fromisoformat(notice.payload))

    async def _read(self, cursor: Cursor, reading: Connection, notified: set[datetime]) -> None:
        """Deliver all that is new, page by page."""
        late = [at for at in notified if at < cursor.since]
        is_full = True
        while is_full:
            rows = await (
                await reading.execute(
                    "select id, topic, event, payload, private, inserted_at"
                    " from realtime._read_messages(%s, %s::timestamp[], %s::uuid[], %s)",
                    (cursor.since, late, cursor.sent_ids, ROWS_MAX),
                )
            ).fetchall()
            is_full = len(rows) == ROWS_MAX
            for message_id, topic, event, payload, private, inserted_at in rows:
                message = StoredMessage(
                    id=message_id,
                    topic=topic,
                    event=event,
                    payload_json=payload,
                    private=bool(private),
                    inserted_at=inserted_at,
                )
                cursor.note_sent(message)
                self._deliver(message)
        cursor.forget_old()


async def read_clock(connection: Connection) -> datetime:
    """Return the database's time, UTC without zone."""
    row = await (await connection.execute("select now() at time zone 'utc'")).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at
