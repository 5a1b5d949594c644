"""Whether a user may read a private topic: one probe of row level security a join.

The probe itself is realtime._may_read (local/sql/40_realtime.sql).
"""

from __future__ import annotations

import asyncio

import psycopg

from local.realtime.tokens import Claims
from shared.errors import Forbidden, StoreUnavailable

CONNECT_TIMEOUT_S = 5
PROBE_TIMEOUT_S = 5.0


class Authorizer:
    """Probes over one connection, one at a time (a probe takes a few milliseconds)."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection | None = None
        self._turn = asyncio.Lock()

    async def require_read(self, topic: str, claims: Claims) -> None:
        """Return if the user may read messages of `topic`.

        Raises: Forbidden if row level security says no; StoreUnavailable if Postgres is gone or a
        policy fails.
        """
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._turn:
                may_read = await self._probe(topic, claims)
        except (psycopg.Error, TimeoutError) as error:
            await self.close()
            raise StoreUnavailable(
                "UnableToSetPolicies: Realtime was unable to connect to the project database",
                cause=str(error).strip(),
            ) from error
        if not may_read:
            raise Forbidden(
                "Unauthorized: You do not have permissions to read from this Channel topic: "
                f"{topic}"
            )

    async def _probe(self, topic: str, claims: Claims) -> bool:
        arguments = (topic, claims.role, claims.claims_json)
        statement = "select realtime._may_read(%s, %s, %s::jsonb)"
        if self._connection is not None and not self._connection.closed:
            try:
                row = await (await self._connection.execute(statement, arguments)).fetchone()
                return bool(row and row[0])
            except psycopg.OperationalError:
                # Postgres was restarted since the last probe: once more, on a new connection.
                await self._connection.close()
        self._connection = await psycopg.AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            application_name="closebell-realtime-join",
            connect_timeout=CONNECT_TIMEOUT_S,
        )
        row = await (await self._connection.execute(statement, arguments)).fetchone()
        return bool(row and row[0])

    async def close(self) -> None:
        """Give the connection back; the next probe opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
