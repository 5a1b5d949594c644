"""What the checks of one run share: settings, one HTTP client, one connection, what was learnt.

Opened by the doctor, closed by it. Not here: any verdict.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, LiteralString, Self
from urllib.parse import urlsplit

import httpx
import psycopg
from psycopg.rows import dict_row

from cli.database import Row, checked_dsn, connection_options, translated
from cli.settings import SETTINGS_FILES
from shared.errors import ConfigError, StoreUnavailable

# A check has CHECK_TIMEOUT_S (runner.py); what it waits for must give up before.
REQUEST_TIMEOUT_S = 4.0
CONNECT_TIMEOUT_S = 3.0
STATEMENT_TIMEOUT_MS = 4_000
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})


class Ground:
    """An async context manager; `values` are the settings by lower-case name, none empty.

    `settings_files`: where they were read, of which the last is written by a person.
    """

    def __init__(
        self, values: Mapping[str, str], settings_files: Sequence[Path] = SETTINGS_FILES
    ) -> None:
        self.values = values
        self.settings_files = tuple(settings_files)
        self.collector: dict[str, Any] = {}
        """The collector's /health, once it was read."""
        self._http: httpx.AsyncClient | None = None
        self._database: psycopg.AsyncConnection[Row] | None = None

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(REQUEST_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            follow_redirects=False,
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.http.aclose()
        if self._database is not None:
            await self._database.close()

    @property
    def http(self) -> httpx.AsyncClient:
        assert self._http is not None, "the ground is opened by `async with`"
        return self._http

    def require(self, name: str) -> str:
        """Return a setting. Raises: ConfigError with its name as `setting` if it is not set."""
        text = self.values.get(name, "")
        if not text:
            raise ConfigError(f"expected {name.upper()}, was not set", setting=name.upper())
        return text

    def url(self, name: str) -> str:
        """Return a base URL without a slash at its end. Raises: ConfigError, as `require`."""
        return self.require(name).rstrip("/")

    @property
    def is_local(self) -> bool:
        """Return whether the database is on this machine: only there the doctor mends by itself."""
        return self.is_here("database_url")

    def is_here(self, name: str) -> bool:
        """Return whether the address in a setting is one of this machine."""
        try:
            return urlsplit(self.values.get(name, "")).hostname in LOOPBACK_NAMES
        except ValueError:
            return False

    async def request(
        self, method: str, url: str, *, hint: str = "", **options: Any
    ) -> httpx.Response:
        """Return the answer, whatever its status.

        Raises: StoreUnavailable saying what came instead, with the hint.
        """
        try:
            return await self.http.request(method, url, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StoreUnavailable(f"{shown_host(url)}: {reason_of(error)}", hint=hint) from error

    async def open_database(self) -> None:
        """Connect. Raises: ConfigError, StoreUnavailable with Postgres' words."""
        dsn = checked_dsn(self.require("database_url"))
        try:
            # A name that nobody resolves and a host that drops packets both take longer than this.
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                self._database = await psycopg.AsyncConnection[Row].connect(
                    dsn,
                    **connection_options(STATEMENT_TIMEOUT_MS, round(CONNECT_TIMEOUT_S)),
                    row_factory=dict_row,
                )
        except psycopg.Error as error:
            raise translated(error, otherwise="") from error
        except TimeoutError as error:
            raise StoreUnavailable(f"Postgres: no answer in {REQUEST_TIMEOUT_S:.0f} s") from error

    async def fetch(self, query: LiteralString, *values: Any) -> list[Row]:
        """Return the rows of a statement; questions of several checks wait for each other.

        Raises: StoreUnavailable, InvalidRequest.
        """
        assert self._database is not None, "a check that asks Postgres needs the check `postgres`"
        try:
            return await (await self._database.execute(query, values)).fetchall()
        except psycopg.Error as error:
            raise translated(error, otherwise="") from error

    async def fetch_one(self, query: LiteralString, *values: Any) -> Row:
        """Return the only row of a statement."""
        (row,) = await self.fetch(query, *values)
        return row


def shown_host(url: str) -> str:
    """Return host and port of a URL: what may be shown of it."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "no host"


def reason_of(error: BaseException) -> str:
    """Return why there was no answer, in words; libraries hide the system's reason in a chain."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return f"the name is not known here (DNS: {cause.strerror})"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused: nothing listens there"
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {cause.reason or cause}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "no answer in time"
    return f"{type(error).__name__}: {error}"
