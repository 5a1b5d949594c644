"""One socket: joins and leaves, heartbeats, tokens, and a bounded queue of frames to send.

A queue that is full means a client that does not read: the socket is closed, the client connects
again and heals by select. Silence for a minute closes the socket as well. The answers and their
wording are those of https://github.com/supabase/realtime (realtime_channel.ex, checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from local.realtime.authorization import Authorizer
from local.realtime.hub import TOPIC_PREFIX, Hub
from local.realtime.tokens import Claims, Keys
from local.realtime.wire import (
    Frame,
    Message,
    Version,
    decode_message,
    encode_push,
    encode_reply,
)
from shared.errors import ClosebellError, InvalidRequest, StoreUnavailable

# Phoenix' own default: clients send a heartbeat every 25 to 30 s.
SILENCE_TIMEOUT_S = 60.0
FRAMES_WAITING_MAX = 500
# The hosted limit of the free plan.
CHANNELS_MAX = 100

log = structlog.get_logger()


class Channel:
    """One joined topic of one socket; the hub sends to it."""

    def __init__(self, client: Client, topic: str, join_ref: str | None, private: bool) -> None:
        self.client = client
        self.topic = topic
        self.join_ref = join_ref
        self.private = private
        self.token: str | None = None
        self.expiry: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """Return the topic as the database and its policies see it."""
        return self.topic.removeprefix(TOPIC_PREFIX)

    @property
    def version(self) -> Version:
        """Return the protocol version of the socket."""
        return self.client.version

    def send(self, frame: Frame) -> None:
        """Queue a frame for the socket."""
        self.client.send(frame)


class Client:
    """Serves one socket until it closes."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        version: Version,
        *,
        api_key: str,
        keys: Keys,
        authorizer: Authorizer,
        hub: Hub,
    ) -> None:
        self.version = version
        self._socket = socket
        self._api_key = api_key
        self._keys = keys
        self._authorizer = authorizer
        self._hub = hub
        self._channels: dict[str, Channel] = {}
        self._waiting: asyncio.Queue[Frame] = asyncio.Queue(FRAMES_WAITING_MAX)
        self._is_overrun = asyncio.Event()

    def send(self, frame: Frame) -> None:
        """Queue a frame; if the client does not keep up, end the socket instead."""
        try:
            self._waiting.put_nowait(frame)
        except asyncio.QueueFull:
            self._is_overrun.set()

    async def run(self) -> None:
        """Read and write until either ends; then leave all topics."""
        tasks = [
            asyncio.create_task(self._write()),
            asyncio.create_task(self._read()),
            asyncio.create_task(self._is_overrun.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                # A connection that breaks while we write is an ordinary end.
                if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
                    log.error("client_failed", error=repr(outcome))
            for channel in list(self._channels.values()):
                self._drop(channel)
        if self._is_overrun.is_set():
            log.warning("client_overrun", waiting=self._waiting.qsize())
            await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"not reading")
        else:
            await self._socket.close()

    async def _write(self) -> None:
        while True:
            frame = await self._waiting.get()
            if isinstance(frame, bytes):
                await self._socket.send_bytes(frame)
            else:
                await self._socket.send_str(frame)

    async def _read(self) -> None:
        while True:
            try:
                received = await self._socket.receive(timeout=SILENCE_TIMEOUT_S)
            except TimeoutError:
                return
            if received.type is WSMsgType.TEXT:
                try:
                    message = decode_message(received.data, self.version)
                except InvalidRequest as error:
                    log.warning("message_refused", error=str(error))
                    return
                await self._handle(message)
            elif received.type is WSMsgType.BINARY:
                log.warning("broadcast_refused", hint="clients cannot broadcast here")
            else:
                return

    async def _handle(self, message: Message) -> None:
        if message.topic == "phoenix" and message.event == "heartbeat":
            self._reply(message, "ok", {})
            return
        if message.event == "phx_join":
            await self._join(message)
            return
        channel = self._channels.get(message.topic)
        if channel is None:
            self._reply(message, "error", {"reason": "unmatched topic"})
            return
        match message.event:
            case "phx_leave":
                self._reply(message, "ok", {})
                self._close(channel)
            case "access_token":
                await self._renew(channel, message.payload.get("access_token"))
            case "broadcast" | "presence" as event:
                reason = f"{event} from a client is not implemented by the local Realtime"
                self._reply(message, "error", {"reason": reason})
            case event:
                log.info("message_ignored", message_event=event, topic=message.topic)

    def _reply(self, message: Message, status: str, response: dict[str, Any]) -> None:
        self.send(encode_reply(self.version, message, status, response))

    async def _join(self, message: Message) -> None:
        try:
            channel, claims = await self._authorise_join(message)
        except ClosebellError as error:
            if isinstance(error, StoreUnavailable):
                log.warning("join_failed", topic=message.topic, cause=error.context.get("cause"))
            self._reply(message, "error", {"reason": error.message})
            return
        previous = self._channels.get(message.topic)
        if previous is not None:
            # The same topic joined again: the first join ends (only 2.0.0 can tell them apart).
            if self.version is Version.V2:
                self._close(previous)
            else:
                self._drop(previous)
        self._channels[channel.topic] = channel
        self._hub.join(channel.name, channel.private, channel)
        self._watch_expiry(channel, claims)
        self._reply(message, "ok", {"postgres_changes": []})

    async def _authorise_join(self, message: Message) -> tuple[Channel, Claims]:
        """Return the channel to join and whom it is for.

        Raises: InvalidRequest, Unauthorized, Forbidden, StoreUnavailable; the text is the reason.
        """
        config = read_config(message)
        if len(self._channels) >= CHANNELS_MAX and message.topic not in self._channels:
            raise InvalidRequest("ChannelRateLimitReached: Too many channels")
        private = config.get("private") is True
        channel = Channel(self, message.topic, message.join_ref, private)
        given = message.payload.get("user_token") or message.payload.get("access_token")
        # A client without a user sends its API key, or nothing: the socket's own key counts.
        is_token = isinstance(given, str) and not given.startswith("sb_")
        channel.token = given if is_token else self._api_key
        claims = self._keys.verify(channel.token, time.time())
        if private:
            await self._authorizer.require_read(channel.name, claims)
        return channel, claims

    async def _renew(self, channel: Channel, token: object) -> None:
        """Take the user's new token: verify and probe as at the join, or close the channel."""
        if not isinstance(token, str) or token.startswith("sb_") or token == channel.token:
            return
        channel.token = token
        try:
            claims = self._keys.verify(token, time.time())
            if channel.private:
                await self._authorizer.require_read(channel.name, claims)
        except ClosebellError as error:
            self._shut_down(channel, error.message.partition(": ")[2])
            return
        self._watch_expiry(channel, claims)

    def _watch_expiry(self, channel: Channel, claims: Claims) -> None:
        """Close the channel when its token ends, unless a newer token comes before."""
        if channel.expiry is not None:
            channel.expiry.cancel()
        lifetime_s = claims.expires_at_s - time.time()
        channel.expiry = asyncio.get_running_loop().call_later(
            max(0.0, lifetime_s), self._shut_down, channel, "Token has expired 0 seconds ago"
        )

    def _shut_down(self, channel: Channel, reason: str) -> None:
        """Say why, and close: clients do not join again by themselves after this."""
        payload = {
            "extension": "system",
            "status": "error",
            "message": reason,
            "channel": channel.name,
        }
        self.send(encode_push(self.version, channel.topic, "system", payload, channel.join_ref))
        self._close(channel)

    def _close(self, channel: Channel) -> None:
        self._drop(channel)
        self.send(encode_push(self.version, channel.topic, "phx_close", {}, channel.join_ref))

    def _drop(self, channel: Channel) -> None:
        """Leave the topic without a word."""
        if self._channels.get(channel.topic) is channel:
            del self._channels[channel.topic]
        self._hub.leave(channel.name, channel.private, channel)
        if channel.expiry is not None:
            channel.expiry.cancel()


def read_config(message: Message) -> dict[str, Any]:
    """Return the configuration of a join that asks for nothing but broadcasts.

    Raises: InvalidRequest with the reason that the client is shown.
    """
    if not message.topic.startswith(TOPIC_PREFIX) or message.topic == TOPIC_PREFIX:
        raise InvalidRequest("TopicNameRequired: You must provide a topic name")
    config = message.payload.get("config")
    if not isinstance(config, dict):
        raise InvalidRequest("InvalidJoinPayload: expected a config")
    if config.get("postgres_changes"):
        raise InvalidRequest(
            "NotImplemented: the local Realtime knows no postgres_changes; use broadcast"
        )
    presence = config.get("presence")
    if isinstance(presence, dict) and presence.get("enabled") is True:
        raise InvalidRequest("NotImplemented: the local Realtime knows no presence")
    return config
