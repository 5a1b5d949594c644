"""The loopback ports of the local cloud: one base, ten offsets. Called by the wirings in `local`.

Not here: any server.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

import psutil

from shared.errors import ConfigError

HOST = "127.0.0.1"
PORT_DEFAULT = 8420
PORTS_COUNT = 10
BASE_MIN = 12_000
BASES_COUNT = 2_000


@dataclass(frozen=True)
class Ports:
    """Where each part listens, by offset from `base`."""

    base: int

    @property
    def gateway(self) -> int:
        return self.base

    @property
    def postgres(self) -> int:
        return self.base + 1

    @property
    def redis(self) -> int:
        return self.base + 2

    @property
    def upstash(self) -> int:
        return self.base + 3

    @property
    def rest(self) -> int:
        return self.base + 4

    @property
    def realtime(self) -> int:
        return self.base + 5

    @property
    def functions(self) -> int:
        return self.base + 6

    @property
    def collector(self) -> int:
        return self.base + 7

    @property
    def venue(self) -> int:
        return self.base + 8

    @property
    def requests(self) -> int:
        return self.base + 9

    def numbers(self) -> range:
        """Return all ten port numbers."""
        return range(self.base, self.base + PORTS_COUNT)


def parse_base(text: str) -> Ports:
    """Return the ports above the base written in `text`.

    Raises: ConfigError unless it is a whole number that leaves room for all ten.
    """
    highest = 65_535 - PORTS_COUNT + 1
    if not text.isdecimal() or not 1024 <= int(text) <= highest:
        raise ConfigError(
            f"expected PORT to be a number from 1024 to {highest}, was {text!r}",
            hint=f"make run PORT={PORT_DEFAULT}",
        )
    return Ports(int(text))


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def check_free(names: dict[str, int], ports: Ports) -> None:
    """Refuse to start when another program holds one of the ports.

    Raises: ConfigError naming the port, its holder, and the command that goes around it.
    """
    for name, port in names.items():
        if is_free(port):
            continue
        other = next(
            base
            for base in range(ports.base + 1000, 60_000, 1000)
            if all(is_free(number) for number in Ports(base).numbers())
        )
        raise ConfigError(
            f"expected port {port} (for {name}) to be free, was taken by {_holder(port)}",
            hint=f"end that program, or: make run PORT={other}",
        )


def find_free_base() -> Ports:
    """Return ten free ports in a row, below the range the kernel gives to outgoing sockets."""
    for step in range(BASES_COUNT):
        # From a place of its own, so that two processes that ask at once seldom get the same.
        ports = Ports(BASE_MIN + (os.getpid() + step) % BASES_COUNT * PORTS_COUNT)
        if all(is_free(number) for number in ports.numbers()):
            return ports
    raise ConfigError("expected ten free loopback ports in a row, found none")


def _holder(port: int) -> str:
    """Return who listens on `port`, as far as this user may see it."""
    try:
        for connection in psutil.net_connections("tcp"):
            at = connection.laddr
            if connection.status == psutil.CONN_LISTEN and at and at.port == port:
                if connection.pid is None:
                    break
                name = psutil.Process(connection.pid).name()
                return f"{name} (process {connection.pid})"
    except psutil.Error:
        pass
    return "another program"
