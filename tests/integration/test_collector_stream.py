"""Sockets that stall, break, announce their end or refuse: the stream goes on, without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from collector.stream import Ending, StreamGroup
from tests.unit.collector.fakes import until


class Server:
    """Numbers its messages over all connections; `mute` sends pings only."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.mute = False
        self.refuse_status = 0
        self.number = 0
        self.pongs = 0
        self.closes: list[int | None] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_status:
            return web.Response(status=self.refuse_status, headers={"Retry-After": "1"})
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.PONG:
                self.pongs += 1
        self.closes.append(socket.close_code)
        return socket

    async def send_all(self) -> None:
        """Send the next number to every connection."""
        self.number += 1
        for socket in self.sockets:
            if not socket.closed:
                await socket.ping(b"venue")
                if not self.mute:
                    await socket.send_str(str(self.number))

    async def pulse(self) -> None:
        while True:
            await self.send_all()
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_get("/stream", server.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/stream"
    pulse = asyncio.create_task(server.pulse())
    try:
        yield server
    finally:
        pulse.cancel()
        await asyncio.gather(pulse, return_exceptions=True)
        await runner.cleanup()


@asynccontextmanager
async def running_group(
    server: Server, *, stall_timeout_s: float = 30.0, reconnect_after_s: float = 3600.0
) -> AsyncIterator[tuple[StreamGroup, list[int]]]:
    heard: list[int] = []
    group = StreamGroup(
        "test",
        server.url,
        lambda raw: heard.append(int(raw)),
        stall_timeout_s=stall_timeout_s,
        reconnect_after_s=reconnect_after_s,
    )
    task = asyncio.create_task(group.run())
    try:
        yield group, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def is_gapless(heard: list[int]) -> bool:
    return sorted(set(heard)) == list(range(min(heard), max(heard) + 1))


async def test_stream_hands_on_messages_and_answers_pings() -> None:
    async with running_server() as server, running_group(server) as (group, heard):
        await until(lambda: len(heard) > 5 and server.pongs > 5)
        assert is_gapless(heard)
        assert group.is_connected
        age_s = group.age_of_data_s
        assert age_s is not None and 0 <= age_s < 10


async def test_socket_that_pings_but_sends_no_data_is_dead() -> None:
    async with (
        running_server() as server,
        running_group(server, stall_timeout_s=0.3) as (group, heard),
    ):
        await until(lambda: len(heard) > 2)
        server.mute = True
        pongs, stalls = server.pongs, group.endings[Ending.STALLED]
        await until(lambda: server.pongs > pongs + 5)
        await until(lambda: group.endings[Ending.STALLED] > stalls)
        server.mute = False
        heard.clear()
        await until(lambda: len(heard) > 2)
        assert group.connections_count >= 2


async def test_planned_reconnect_overlaps_so_that_nothing_is_missed() -> None:
    async with (
        running_server() as server,
        running_group(server, reconnect_after_s=0.5) as (group, heard),
    ):
        await until(lambda: group.endings[Ending.PLANNED] >= 3)
        await until(lambda: len(server.closes) >= 2)
        assert is_gapless(heard)
        # The overlap shows as doubles, and the old connections ended in order.
        assert len(heard) > len(set(heard))
        assert set(server.closes) == {1000}


async def test_announced_shutdown_opens_the_new_connection_at_once() -> None:
    async with running_server() as server, running_group(server) as (group, heard):
        await until(lambda: len(heard) > 2)
        group.replace(Ending.SHUTDOWN)
        await until(lambda: len(server.sockets) == 2)
        await until(lambda: server.sockets[0].closed)
        await until(lambda: len(heard) > 10)
        assert group.endings[Ending.SHUTDOWN] == 1
        assert is_gapless(heard)


async def test_broken_connection_is_opened_again() -> None:
    async with running_server() as server, running_group(server) as (group, heard):
        await until(lambda: len(heard) > 2)
        await server.sockets[0].close(code=1008)
        await until(lambda: group.endings[Ending.DISCONNECTED] == 1)
        heard.clear()
        await until(lambda: len(heard) > 2)
        assert group.connections_count == 2


async def test_refused_connection_says_why_and_waits_as_told() -> None:
    async with running_server() as server:
        server.refuse_status = 451
        async with running_group(server) as (group, heard):
            await until(lambda: group.last_error != "")
            assert "451" in group.last_error and "region" in group.last_error
            assert not group.is_connected
            server.refuse_status = 0
            await until(lambda: len(heard) > 2)


async def test_server_that_is_away_is_tried_again() -> None:
    async with running_server() as server:
        url = server.url
    async with running_server() as other:
        group = StreamGroup("x", url, lambda _: None, stall_timeout_s=30, reconnect_after_s=60)
        task = asyncio.create_task(group.run())
        await until(lambda: "expected a connection" in group.last_error)
        assert group.connections_count == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert other.url
