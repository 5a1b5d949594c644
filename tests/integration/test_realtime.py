"""The Realtime stand-in: sockets against a real Postgres."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import jwt
import psycopg
import pytest

from tests.integration.standin_servers import (
    JWT_SECRET,
    PUBLISHABLE_KEY,
    SECRET_KEY,
    PostgresServer,
    answers,
    run_standin,
    wait_until,
)

USER = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
TOPIC = f"signals:{USER}"
TIMEOUT_S = 60.0
# Of a token that ends while a test runs: time enough to join with it, on a machine under load too.
LIFETIME_S = 5.0
POLICY = """
drop policy if exists own_signals on realtime.messages;
create policy own_signals on realtime.messages for select to authenticated
    using (realtime.topic() = 'signals:' || (select auth.uid())::text);
"""


def token_of(user: str = USER, lifetime_s: float = 36_000, **claims: object) -> str:
    content = {"sub": user, "role": "authenticated", "exp": int(time.time() + lifetime_s), **claims}
    return jwt.encode(content, JWT_SECRET, algorithm="HS256")


@pytest.fixture(scope="module")
def realtime(postgres_server: PostgresServer) -> Iterator[str]:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(POLICY)
    environment = {
        "POSTGRES_DSN": postgres_server.dsn,
        "SUPABASE_JWT_SECRET": JWT_SECRET,
        "SUPABASE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
        "SUPABASE_SECRET_KEY": SECRET_KEY,
    }
    with run_standin(
        "realtime", environment, lambda port: answers(f"http://127.0.0.1:{port}/health")
    ) as (port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def database(realtime: str, postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        yield connection


class Socket:
    """A client of version 2.0.0 that waits for frames with a deadline."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = socket

    async def send(self, topic: str, event: str, payload: object, join_ref: str = "1") -> None:
        await self.raw.send_json([join_ref, "9", topic, event, payload])

    async def receive(self) -> Any:
        """Return the next frame: an array, or (event, payload) of a broadcast."""
        frame = await self.raw.receive(timeout=TIMEOUT_S)
        if frame.type is aiohttp.WSMsgType.TEXT:
            return json.loads(frame.data)
        assert frame.type is aiohttp.WSMsgType.BINARY, frame
        _, topic_size, event_size, meta_size, _ = frame.data[:5]
        body = frame.data[5 + topic_size :]
        return body[:event_size].decode(), json.loads(body[event_size + meta_size :])

    async def join(self, topic: str = TOPIC, token: str | None = None, **config: Any) -> Any:
        payload = {
            "config": {"private": True, "broadcast": {}, "presence": {"enabled": False}, **config},
            "access_token": token or token_of(),
        }
        await self.send(f"realtime:{topic}", "phx_join", payload)
        return (await self.receive())[4]


@asynccontextmanager
async def connect(realtime: str, key: str = PUBLISHABLE_KEY) -> AsyncIterator[Socket]:
    url = f"{realtime}/realtime/v1/websocket?apikey={key}&vsn=2.0.0"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        yield Socket(socket)


def send(database: psycopg.Connection, number: int, topic: str = TOPIC) -> None:
    database.execute(
        "select realtime.send(jsonb_build_object('number', %s::int), 'signals', %s, true)",
        (number, topic),
    )


JOINED = {"status": "ok", "response": {"postgres_changes": []}}


async def test_own_topic_receives_what_the_database_sends(
    realtime: str, database: psycopg.Connection
) -> None:
    async with connect(realtime) as socket:
        assert await socket.join() == JOINED
        send(database, 0, topic=f"signals:{OTHER}")
        for number in range(3):
            send(database, number + 1)
        for number in range(3):
            event, payload = await socket.receive()
            assert (event, payload["number"]) == ("signals", number + 1)


async def test_burst_in_one_transaction_arrives_once_each(
    realtime: str, database: psycopg.Connection
) -> None:
    async with connect(realtime) as socket:
        await socket.join()
        with database.transaction():
            for number in range(300):
                send(database, number)
        got = [(await socket.receive())[1]["number"] for _ in range(300)]
        assert sorted(got) == list(range(300))
        send(database, 999)
        assert (await socket.receive())[1]["number"] == 999


async def test_rolled_back_message_is_not_sent_and_a_late_commit_is(
    realtime: str, database: psycopg.Connection
) -> None:
    async with connect(realtime) as socket:
        await socket.join()
        with database.transaction(force_rollback=True):
            send(database, 1)
        send(database, 2)
        assert (await socket.receive())[1]["number"] == 2
        # As if a transaction that began a minute ago committed now.
        database.execute(
            "insert into realtime.messages (topic, extension, event, payload, private, inserted_at)"
            " values (%s, 'broadcast', 'signals', '{\"number\": 3}', true,"
            " now() at time zone 'utc' - interval '1 minute')",
            (TOPIC,),
        )
        assert (await socket.receive())[1]["number"] == 3


@pytest.mark.parametrize(
    ("topic", "token"),
    [(f"signals:{OTHER}", token_of()), (TOPIC, token_of(OTHER)), (TOPIC, PUBLISHABLE_KEY)],
)
async def test_topic_of_another_is_refused(realtime: str, topic: str, token: str) -> None:
    async with connect(realtime) as socket:
        answer = await socket.join(topic, token)
        assert answer["status"] == "error"
        assert answer["response"]["reason"] == (
            f"Unauthorized: You do not have permissions to read from this Channel topic: {topic}"
        )


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"presence": {"enabled": True}}, "NotImplemented: the local Realtime knows no presence"),
        ({"postgres_changes": [{"event": "*"}]}, "NotImplemented: the local Realtime knows no po"),
    ],
)
async def test_what_is_not_implemented_is_refused(
    realtime: str, config: dict[str, Any], reason: str
) -> None:
    async with connect(realtime) as socket:
        answer = await socket.join(**config)
        assert answer["status"] == "error"
        assert answer["response"]["reason"].startswith(reason)
        await socket.send(f"realtime:{TOPIC}", "broadcast", {})
        assert (await socket.receive())[4]["response"] == {"reason": "unmatched topic"}


async def test_heartbeat_broadcast_and_leave_are_answered(realtime: str) -> None:
    async with connect(realtime) as socket:
        await socket.send("phoenix", "heartbeat", {})
        assert await socket.receive() == [
            "1",
            "9",
            "phoenix",
            "phx_reply",
            {"status": "ok", "response": {}},
        ]
        await socket.join()
        await socket.send(f"realtime:{TOPIC}", "broadcast", {"type": "broadcast"})
        assert (await socket.receive())[4]["status"] == "error"
        await socket.send(f"realtime:{TOPIC}", "phx_leave", {})
        assert (await socket.receive())[4] == {"status": "ok", "response": {}}
        assert await socket.receive() == ["1", None, f"realtime:{TOPIC}", "phx_close", {}]


async def test_expired_token_closes_the_channel_with_the_reason(realtime: str) -> None:
    async with connect(realtime) as socket:
        assert await socket.join(token=token_of(lifetime_s=LIFETIME_S)) == JOINED
        system = await socket.receive()
        assert system[3] == "system"
        assert system[4]["status"] == "error"
        assert system[4]["message"] == "Token has expired 0 seconds ago"
        assert (await socket.receive())[3] == "phx_close"


async def test_renewed_token_keeps_the_channel(realtime: str, database: psycopg.Connection) -> None:
    async with connect(realtime) as socket:
        first = token_of(lifetime_s=LIFETIME_S)
        assert await socket.join(token=first) == JOINED
        await socket.send(f"realtime:{TOPIC}", "access_token", {"access_token": token_of()})
        expires_at_s = jwt.decode(first, options={"verify_signature": False})["exp"]
        wait_until(lambda: time.time() > expires_at_s + 0.2, "the first token to end")
        send(database, 5)
        assert (await socket.receive())[1]["number"] == 5


async def test_token_of_another_user_ends_the_channel(realtime: str) -> None:
    async with connect(realtime) as socket:
        await socket.join()
        await socket.send(f"realtime:{TOPIC}", "access_token", {"access_token": token_of(OTHER)})
        assert "do not have permissions" in (await socket.receive())[4]["message"]
        assert (await socket.receive())[3] == "phx_close"


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 401), ("apikey=wrong&vsn=2.0.0", 401), (f"apikey={PUBLISHABLE_KEY}&vsn=3.0.0", 400)],
)
async def test_socket_without_key_or_version_is_refused(
    realtime: str, query: str, status: int
) -> None:
    url = f"{realtime}/realtime/v1/websocket?{query}"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url)
    assert refused.value.status == status


async def test_client_that_does_not_read_is_cut_off(
    realtime: str, database: psycopg.Connection
) -> None:
    async with connect(realtime) as slow, connect(realtime) as quick:
        await slow.join()
        await quick.join()
        # The transport takes some megabytes before the queue of 500 frames fills.
        slow.raw._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        # In portions, so that the queue of the one who reads stays short however busy we are.
        for first in range(1, 1501, 100):
            database.execute(
                "select realtime.send(jsonb_build_object('number', n, 'fill', repeat('x', 20000)),"
                " 'signals', %s, true) from generate_series(%s::int, %s) as n",
                (TOPIC, first, first + 99),
            )
            got = [(await quick.receive())[1]["number"] for _ in range(100)]
            assert sorted(got) == list(range(first, first + 100))
        slow.raw._response.connection.transport.resume_reading()  # type: ignore[union-attr]
        count = 0
        while (await slow.raw.receive(timeout=TIMEOUT_S)).type is aiohttp.WSMsgType.BINARY:
            count += 1
        assert count < 1500
        assert slow.raw.close_code == aiohttp.WSCloseCode.TRY_AGAIN_LATER


def test_partitions_are_made_ahead_and_dropped_after(database: psycopg.Connection) -> None:
    # In one transaction it is one day; one that began since the server's start leaves one more.
    with database.transaction():
        database.execute(
            "create table if not exists realtime.messages_2020_01_01 partition of realtime.messages"
            " for values from ('2020-01-01') to ('2020-01-02')"
        )
        database.execute("select realtime.maintain_partitions()")
        names = database.execute(
            "select right(relname, 10), relrowsecurity from pg_class"
            " where relname like 'messages\\_2%%' and relkind = 'r' order by 1"
        ).fetchall()
        today = database.execute("select (now() at time zone 'utc')::date").fetchone()
    assert today is not None
    days = [today[0] + timedelta(days=offset) for offset in range(-2, 4)]
    expected = [(day.strftime("%Y_%m_%d"), True) for day in days]
    assert names in (expected, expected[1:])


async def test_postgres_restart_is_survived_on_the_same_socket(
    realtime: str, postgres_server: PostgresServer
) -> None:
    async with connect(realtime) as socket:
        await socket.join()
        postgres_server.stop()
        wait_until(lambda: not answers(realtime + "/health"), "the loss is noticed")
        assert (await socket.join(f"signals:{USER}"))["status"] == "error"
        postgres_server.start()
        wait_until(lambda: answers(realtime + "/health"), "Postgres is back")
        with psycopg.connect(postgres_server.dsn, autocommit=True) as database:
            send(database, 7)
        assert (await socket.receive())[1]["number"] == 7
        async with connect(realtime) as second:
            assert await second.join() == JOINED
