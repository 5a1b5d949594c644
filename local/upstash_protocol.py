"""Upstash's REST contract, without a socket: parse requests, render replies, count and limit.

Pure; the time is an argument. Called by upstash_door.
Source: https://upstash.com/docs/redis/features/restapi (checked 2026-11-21).
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.errors import InvalidRequest

# Hosted limits of the free and pay-as-you-go plans (https://upstash.com/pricing, 2026-11-21).
REQUEST_BYTES_MAX = 10 * 1024 * 1024
KEY_BYTES_MAX = 32 * 1024
COMMANDS_PER_SECOND_MAX = 10_000

# Redis knows about 240 commands; a client's inventions are counted together beyond this.
NAMES_MAX = 500

# Commands that would block, change the state of a shared connection, or administrate the server.
REFUSED_COMMANDS = frozenset(
    b"ACL ASKING AUTH BGREWRITEAOF BGSAVE BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX "
    b"BZPOPMIN CLIENT CLUSTER CONFIG DEBUG DISCARD EXEC FAILOVER HELLO LATENCY MEMORY MIGRATE "
    b"MODULE MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY READWRITE REPLCONF "
    b"REPLICAOF RESET SAVE SELECT SHUTDOWN SLAVEOF SLOWLOG SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE "
    b"SWAPDB SYNC UNSUBSCRIBE UNWATCH WAIT WAITAOF WATCH".split()
)
KEYLESS_COMMANDS = frozenset(
    b"COMMAND DBSIZE ECHO EVAL EVALSHA FLUSHALL FLUSHDB INFO PING SCRIPT TIME".split()
)

Command = list[bytes]


class Refusal(InvalidRequest):
    """A request the door answers itself: an HTTP status and the text of `error`."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


def parse_command(elements: object) -> Command:
    """Return one command as Redis wants it, the name in capitals.

    Raises: Refusal (400) for anything but a non-empty array of strings and numbers, for a command
    that is not offered, and for a key over the limit.
    """
    if not isinstance(elements, list) or not elements:
        raise Refusal(400, "ERR failed to parse command: expected a non-empty JSON array")
    command: Command = []
    for element in elements:
        if isinstance(element, str):
            command.append(element.encode())
        elif isinstance(element, int | float) and not isinstance(element, bool):
            command.append(repr(element).encode())
        else:
            raise Refusal(400, "ERR failed to parse command: expected strings and numbers")
    command[0] = command[0].upper()
    name = command[0].decode("utf-8", "replace")
    if command[0] in REFUSED_COMMANDS:
        raise Refusal(400, f"ERR Command is not available: '{name}'")
    if command[0] in (b"XREAD", b"XREADGROUP") and b"BLOCK" in (part.upper() for part in command):
        raise Refusal(400, f"ERR {name} with BLOCK is not available over REST")
    if len(command) > 1 and command[0] not in KEYLESS_COMMANDS and len(command[1]) > KEY_BYTES_MAX:
        raise Refusal(
            400,
            f"ERR max key size exceeded. Limit: {KEY_BYTES_MAX} bytes, Actual: "
            f"{len(command[1])} bytes",
        )
    return command


def parse_body(body: bytes, *, many: bool) -> list[Command]:
    """Return the commands of a request body: one array, or an array of arrays.

    Raises: Refusal (400).
    """
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Refusal(400, "ERR failed to parse request: expected JSON") from error
    if not many:
        return [parse_command(decoded)]
    if not isinstance(decoded, list) or not decoded:
        raise Refusal(400, "ERR failed to parse pipeline request: expected an array of arrays")
    return [parse_command(elements) for elements in decoded]


def render_reply(reply: object, *, encoded: bool) -> dict[str, Any]:
    """Return {"result": …} or {"error": …} for one raw RESP2 reply."""
    if isinstance(reply, Exception):
        return {"error": error_text(reply)}
    return {"result": render_value(reply, encoded=encoded)}


def render_value(value: object, *, encoded: bool) -> object:
    """Return a reply as JSON: strings in base64 if asked for, except the literal OK."""
    if isinstance(value, bytes):
        if encoded and value != b"OK":
            return base64.b64encode(value).decode()
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [render_value(element, encoded=encoded) for element in value]
    if isinstance(value, Exception):
        return error_text(value)
    return value


def error_text(error: Exception) -> str:
    """Return Redis' own words; its client library strips the prefix ERR, so it is put back."""
    text = str(error)
    first_word = text.partition(" ")[0]
    return text if first_word.isupper() and len(first_word) > 2 else f"ERR {text}"


class Meter:
    """Counts what would be billed, and enforces the rate limit over the running second."""

    def __init__(self, now_s: float, since_ms: int) -> None:
        self._commands: Counter[str] = Counter()
        self._second = int(now_s)
        self._in_second = 0
        self._since_ms = since_ms
        self.bytes_received = 0
        self.bytes_sent = 0

    def admit(self, commands: Sequence[Command], now_s: float) -> None:
        """Count the commands; each one in a pipeline counts.

        Raises: Refusal (429) if they exceed the rate; refused commands are not counted.
        """
        if int(now_s) != self._second:
            self._second, self._in_second = int(now_s), 0
        if self._in_second + len(commands) > COMMANDS_PER_SECOND_MAX:
            raise Refusal(
                429, f"ERR max requests limit exceeded. Limit: {COMMANDS_PER_SECOND_MAX} a second"
            )
        self._in_second += len(commands)
        for command in commands:
            name = command[0].decode("utf-8", "replace")
            is_known = name in self._commands or len(self._commands) < NAMES_MAX
            self._commands[name if is_known else "OTHER"] += 1

    def report(self) -> dict[str, Any]:
        """Return the body of GET /_meter."""
        return {
            "commands": dict(self._commands),
            "total": self._commands.total(),
            "bytes_received": self.bytes_received,
            "bytes_sent": self.bytes_sent,
            "since_ms": self._since_ms,
        }
