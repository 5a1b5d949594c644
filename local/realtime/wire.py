"""Phoenix frames as Supabase's clients speak them: version 1.0.0 (objects) and 2.0.0 (arrays).

Pure. supabase-js uses 2.0.0, where a broadcast is a binary frame; realtime-py uses 1.0.0.
Source: https://github.com/supabase/realtime, lib/realtime_web/socket/v2_serializer.ex
(checked 2026-11-21).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from shared.errors import InvalidRequest

USER_BROADCAST = 4
JSON_ENCODING = 1
# A length in a binary frame is one byte.
TEXT_BYTES_MAX = 255

Frame = str | bytes


class Version(StrEnum):
    """The protocol version, `vsn` in the URL."""

    V1 = "1.0.0"
    V2 = "2.0.0"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a client. `join_ref` names the join a message belongs to (2.0.0 only)."""

    topic: str
    event: str
    payload: dict[str, Any] = {}
    ref: str | None = None
    join_ref: str | None = None


def parse_version(text: str | None) -> Version:
    """Return the version of `vsn`; without one it is 1.0.0.

    Raises: InvalidRequest for another version.
    """
    try:
        return Version(text or Version.V1)
    except ValueError as error:
        raise InvalidRequest(f"expected vsn 1.0.0 or 2.0.0, was {text!r}") from error


def decode_message(text: str, version: Version) -> Message:
    """Return a client's text frame.

    Raises: InvalidRequest if it is not a message of that version.
    """
    try:
        if version is Version.V1:
            return msgspec.json.decode(text, type=Message)
        join_ref, ref, topic, event, payload = msgspec.json.decode(text, type=list[Any])
        return msgspec.convert(
            {"join_ref": join_ref, "ref": ref, "topic": topic, "event": event, "payload": payload},
            Message,
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRequest(f"expected a message of vsn {version}, was {text[:200]!r}") from error


def encode_push(
    version: Version, topic: str, event: str, payload: object, join_ref: str | None = None
) -> Frame:
    """Return a message of the server that answers nothing."""
    return _encode(version, topic, event, payload, ref=None, join_ref=join_ref)


def encode_reply(version: Version, message: Message, status: str, response: object) -> Frame:
    """Return the reply to a message; status is "ok" or "error"."""
    payload = {"status": status, "response": response}
    return _encode(
        version, message.topic, "phx_reply", payload, ref=message.ref, join_ref=message.join_ref
    )


def encode_broadcast(
    version: Version, topic: str, event: str, payload_json: str, message_id: str
) -> Frame:
    """Return a broadcast; the payload is passed on as the text that the database holds.

    Raises: InvalidRequest if topic or event is too long for a frame.
    """
    if version is Version.V1:
        payload = {
            "type": "broadcast",
            "event": event,
            "payload": msgspec.Raw(payload_json.encode()),
            "meta": {"id": message_id},
        }
        return _encode(version, topic, "broadcast", payload, ref=None, join_ref=None)
    parts = (topic.encode(), event.encode(), msgspec.json.encode({"id": message_id}))
    if any(len(part) > TEXT_BYTES_MAX for part in parts):
        raise InvalidRequest(
            f"expected topic and event of at most {TEXT_BYTES_MAX} bytes, was {topic!r}, {event!r}"
        )
    head = bytes([USER_BROADCAST, *(len(part) for part in parts), JSON_ENCODING])
    return head + b"".join(parts) + payload_json.encode()


def _encode(
    version: Version,
    topic: str,
    event: str,
    payload: object,
    *,
    ref: str | None,
    join_ref: str | None,
) -> Frame:
    content: object = [join_ref, ref, topic, event, payload]
    if version is Version.V1:
        content = {"topic": topic, "event": event, "payload": payload, "ref": ref}
    return msgspec.json.encode(content).decode()
