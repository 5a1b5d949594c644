"""Postgres through its routines: the only place that knows their names and error codes.

One method a routine (sql/routines/public), service role only. Reads of rows are the dashboard's;
no table is touched here. Called by the functions' handlers.

A routine refuses with SQLSTATE `PT` + HTTP status, which PostgREST passes on with its hint; those
become the leaves of shared/errors.py. What does not answer becomes StoreUnavailable.
Importing the client library takes about a second: functions/main.py does it beside the first
requests, not before them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
import stamina
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from shared.errors import (
    ClosebellError,
    Forbidden,
    InvalidRequest,
    NotFound,
    SlotAlreadyDone,
    StoreUnavailable,
    TooManyRequests,
    Unauthorized,
)
from shared.market.interval import Interval
from shared.runs import Claim, Emitted, OpenedRun, Outcome
from shared.store.meter import TrafficMeter
from shared.usage import UsageReport

# A run's lease is 30 s; one answer of a routine takes 5 to 100 ms.
ROUTINE_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 2.0
ATTEMPTS = 3
CONNECTIONS_MAX = 20

# Postgres: no connection, too many clients, shutting down, serialisation, deadlock.
TRANSIENT_CODES = frozenset(
    ["08000", "08001", "08003", "08006", "53300", "57P01", "57P02", "57P03", "40001", "40P01"]
)
# PostgREST without Postgres, and HTTP statuses of what stands in front of it.
TRANSIENT_STATUSES = frozenset(
    ["PGRST000", "PGRST001", "PGRST002", "PGRST003", "429", "500", "502", "503", "504", "520"]
)

REFUSALS: Mapping[str, type[ClosebellError]] = {
    "PT400": InvalidRequest,
    "PT401": Unauthorized,
    "PT403": Forbidden,
    "PT404": NotFound,
    "PT409": SlotAlreadyDone,
    "PT429": TooManyRequests,
    "PT503": StoreUnavailable,
}

T = TypeVar("T")


class _Opened(msgspec.Struct):
    runs: list[OpenedRun]


class _Claimed(msgspec.Struct):
    claimed: bool
    reason: str = ""


class Database:
    """The routines of one Supabase project; connects at the first call. `traffic`: its bytes.

    Raises (all methods): StoreUnavailable when there is no answer within the attempts. A call
    that may have been carried out is repeated only if repeating it changes nothing.
    """

    def __init__(
        self, url: str, secret_key: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.traffic = TrafficMeter()
        self._url = url
        self._transport = transport
        self._secret_key = secret_key
        self._client: AsyncClient | None = None
        self._http: httpx.AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def open_slot(
        self, venue: str, interval: Interval, closed_at_ms: int, trader_id: int | None = None
    ) -> list[OpenedRun]:
        """Return the runs of a slot, creating those that are missing.

        Raises: InvalidRequest if `closed_at_ms` is in the future or no close of the interval.
        """
        arguments = {
            "venue": venue,
            "interval": str(interval),
            "closed_at_ms": closed_at_ms,
            "trader_id": trader_id,
        }
        reply = await self._call("open_slot", arguments, repeatable=True)
        return _convert("open_slot", reply, _Opened).runs

    async def claim_run(
        self, run_id: int, claimed_by: str, known_traders_revision: int | None = None
    ) -> Claim:
        """Take a run for the time of its lease.

        `traders` of the claim is None if `known_traders_revision` is current.
        Raises: SlotAlreadyDone with `reason` finished, claimed or stopped; NotFound.
        """
        arguments = {
            "run_id": run_id,
            "claimed_by": claimed_by,
            "known_traders_revision": known_traders_revision,
        }
        # Not repeatable: when the answer was lost the run is ours without its token; the lease
        # frees it.
        reply = await self._call("claim_run", arguments, repeatable=False)
        claimed = _convert("claim_run", reply, _Claimed)
        if not claimed.claimed:
            raise SlotAlreadyDone(
                f"expected an open run, was {claimed.reason}", run_id=run_id, reason=claimed.reason
            )
        return _convert("claim_run", reply, Claim)

    async def emit_signals(self, run_id: int, claim_token: str, outcome: Outcome) -> Emitted:
        """Store the signals of a run and finish it, in one transaction.

        Raises: SlotAlreadyDone if the token does not hold the run any more.
        """
        arguments = {
            "run_id": run_id,
            "claim_token": claim_token,
            "outcome": msgspec.to_builtins(outcome),
        }
        reply = await self._call("emit_signals", arguments, repeatable=True)
        return _convert("emit_signals", reply, Emitted)

    async def fail_run(self, run_id: int, claim_token: str, error: str) -> None:
        """Give a run back with the reason; the next tick takes it up again."""
        arguments = {"run_id": run_id, "claim_token": claim_token, "error": error}
        await self._call("fail_run", arguments, repeatable=True)

    async def store_trader(self, user_id: str, trader: Mapping[str, Any]) -> dict[str, Any]:
        """Insert (without `id`) or update a trader of this user; return its row.

        Raises: Forbidden over the quota, NotFound if it is not the user's, InvalidRequest.
        """
        arguments = {"user_id": user_id, "trader": dict(trader)}
        reply = await self._call("store_trader", arguments, repeatable="id" in trader)
        return _convert("store_trader", reply, dict[str, Any])

    async def write_logs(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows to ops.function_logs; none is a cheap way to warm the connection.

        Each row has a `line_key`, so that a batch whose answer was lost may be sent again.
        """
        await self._call("write_logs", {"rows": [dict(row) for row in rows]}, repeatable=True)

    async def add_usage(self, reports: Sequence[UsageReport]) -> None:
        """Add what processes have used since their last report; ops.usage has the sums."""
        rows = [msgspec.to_builtins(report) for report in reports]
        await self._call("add_usage", {"rows": rows}, repeatable=True)

    async def connect(self) -> None:
        """Create the client, so that the first call does not pay for it."""
        await self._connected()

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._http = httpx.AsyncClient(
                    timeout=httpx.Timeout(ROUTINE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                    limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
                    http2=self._url.startswith("https://"),
                    transport=self._transport,
                    event_hooks=self.traffic.hooks,
                )
                options = AsyncClientOptions(
                    httpx_client=self._http, auto_refresh_token=False, persist_session=False
                )
                self._client = await acreate_client(self._url, self._secret_key, options)
            return self._client

    async def _call(self, routine: str, arguments: dict[str, Any], *, repeatable: bool) -> Any:
        client = await self._connected()

        def may_repeat(error: Exception) -> bool:
            # A connection that was refused carried nothing to the server.
            return isinstance(error, httpx.ConnectError) or (repeatable and _is_transient(error))

        try:
            async for attempt in stamina.retry_context(
                on=may_repeat,
                attempts=ATTEMPTS,
                timeout=ROUTINE_TIMEOUT_S,
                wait_initial=0.1,
                wait_max=1.0,
                wait_jitter=0.2,
            ):
                with attempt:
                    async with asyncio.timeout(ROUTINE_TIMEOUT_S):
                        return (await client.rpc(routine, arguments).execute()).data
        except (httpx.HTTPError, TimeoutError) as error:
            raise StoreUnavailable(
                f"expected an answer of {routine}, was {type(error).__name__}: {error}",
                hint="check SUPABASE_URL and that the project answers",
                routine=routine,
            ) from error
        except APIError as error:
            raise _refusal(routine, error) from error


def _is_transient(error: Exception) -> bool:
    if isinstance(error, APIError):
        return error.code in TRANSIENT_CODES or error.code in TRANSIENT_STATUSES
    return isinstance(error, httpx.TransportError | TimeoutError)


def _refusal(routine: str, error: APIError) -> ClosebellError:
    """Return the leaf of the tree for an error of PostgREST or of the routine itself."""
    message, hint = error.message or "no message", error.hint or ""
    kind = REFUSALS.get(error.code or "")
    if kind is InvalidRequest:
        # The routine's hint is the name of the field (sql/routines/public/store_trader.sql).
        return InvalidRequest(message, field=hint, routine=routine)
    if kind is not None:
        return kind(message, hint=hint, routine=routine)
    if error.code in ("PGRST202", "42883"):
        hint = "apply sql/migrations and sql/routines, then reload the REST schema"
    elif error.code in ("PGRST301", "PGRST302", "42501", "401", "403"):
        hint = "check SUPABASE_SECRET_KEY: the routines answer to the service role only"
    return StoreUnavailable(
        f"expected {routine} to succeed, was {error.code}: {message}", hint=hint, routine=routine
    )


def _convert(routine: str, reply: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(reply, kind, strict=True)
    except msgspec.ValidationError as error:
        raise StoreUnavailable(
            f"expected the reply of {routine} as documented, was {error}",
            hint="run functions and routines of the same release",
            routine=routine,
        ) from error
