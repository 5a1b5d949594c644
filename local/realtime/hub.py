"""Who has joined which topic, and the fan-out of a stored message to them.

Not here: sockets (a member has `send`) and permissions (a member has been authorised).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

import structlog

from local.realtime.messages import StoredMessage
from local.realtime.wire import Frame, Version, encode_broadcast
from shared.errors import InvalidRequest

# Clients write topics with this prefix; the database and its policies see them without.
TOPIC_PREFIX = "realtime:"

log = structlog.get_logger()


class Member(Protocol):
    """One joined channel of one socket."""

    @property
    def version(self) -> Version:
        """The protocol version of its socket."""

    def send(self, frame: Frame) -> None:
        """Queue a frame; never waits."""


class Hub:
    """Members by (topic without prefix, private)."""

    def __init__(self) -> None:
        self._members: defaultdict[tuple[str, bool], set[Member]] = defaultdict(set)
        self.delivered_count = 0

    def join(self, topic: str, private: bool, member: Member) -> None:
        """Let the member receive messages of the topic."""
        self._members[topic, private].add(member)

    def leave(self, topic: str, private: bool, member: Member) -> None:
        """Stop that; harmless for one that never joined."""
        members = self._members.get((topic, private))
        if members is not None:
            members.discard(member)
            if not members:
                del self._members[topic, private]

    def deliver(self, message: StoredMessage) -> None:
        """Queue the message for each member of its topic, encoded once a version."""
        frames: dict[Version, Frame] = {}
        for member in tuple(self._members.get((message.topic, message.private), ())):
            try:
                if member.version not in frames:
                    frames[member.version] = encode_broadcast(
                        member.version,
                        TOPIC_PREFIX + message.topic,
                        message.event,
                        message.payload_json,
                        str(message.id),
                    )
            except InvalidRequest as error:
                log.warning("message_unsendable", id=str(message.id), error=str(error))
                return
            member.send(frames[member.version])
            self.delivered_count += 1
