"""The HTTP edge every function shares: bodies in, replies and errors out.

Not here: which path leads where (router.py), who may call (signatures and tokens are checked by
each handler, in sight), what a request means (the cores).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import (
    ClosebellError,
    DeadlineExceeded,
    Forbidden,
    InvalidRequest,
    InvalidRule,
    NotFound,
    SlotAlreadyDone,
    StoreError,
    TooManyRequests,
    Unauthorized,
)
from shared.signing import verify

# A tick names at most 200 runs, about 25 kB; the rest is room.
SIGNED_BODY_BYTES_MAX = 1_000_000
# A rule has at most a few thousand characters; an explicit universe of 500 names has about 6 kB.
USER_BODY_BYTES_MAX = 64_000

# The first class that fits decides; what is not listed is an unexpected error: 500.
STATUSES: tuple[tuple[type[ClosebellError], int], ...] = (
    (InvalidRequest, 400),
    (Unauthorized, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (SlotAlreadyDone, 409),
    (TooManyRequests, 429),
    (StoreError, 503),
    (DeadlineExceeded, 504),
)

M = TypeVar("M", bound=BaseModel)


async def read_body(request: Request, bytes_max: int) -> bytes:
    """Return the raw body.

    Raises: InvalidRequest on the field `body` as soon as it is longer than `bytes_max`; what
    follows is not read.
    """
    too_long = InvalidRequest(f"expected a body of at most {bytes_max} bytes", field="body")
    announced = request.headers.get("content-length", "0")
    if not (announced.isascii() and announced.isdecimal() and len(announced) <= 12):
        raise too_long
    if int(announced) > bytes_max:
        raise too_long
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise too_long
    return bytes(body)


async def read_signed_body(request: Request, secret: str, now_s: int) -> bytes:
    """Return the raw body of a call from our own parts.

    Raises: Unauthorized without a valid signature, InvalidRequest if it is too long.
    """
    body = await read_body(request, SIGNED_BODY_BYTES_MAX)
    verify(secret, request.headers, body, now_s)
    return body


def decode(model: type[M], body: bytes) -> M:
    """Return the request that a JSON body holds.

    Raises: InvalidRequest naming the first field that is missing, unknown or of a wrong type.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidRequest(f"expected a valid {field}: {first['msg']}", field=field) from error


def reply_json(content: BaseModel | dict[str, Any], status: int = 200) -> Response:
    """Return a JSON reply."""
    if isinstance(content, BaseModel):
        return Response(content.model_dump_json(), status, media_type="application/json")
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def status_of(error: ClosebellError) -> int:
    """Return the HTTP status that tells the caller what to do."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def error_content(error: ClosebellError) -> dict[str, Any]:
    """Return what a caller is told of an error of the tree."""
    content: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
    }
    if isinstance(error, InvalidRequest) and error.field:
        content["field"] = error.field
    if isinstance(error, InvalidRule):
        content |= {"line": error.line, "column": error.column}
    suggestion = getattr(error, "suggestion", "") or error.context.get("suggestion", "")
    if suggestion:
        content["suggestion"] = suggestion
    return content


def reply_error(error: ClosebellError) -> Response:
    """Return the reply for an error of the tree, with the place where the request is wrong."""
    response = reply_json({"error": error_content(error)}, status_of(error))
    if "retry_after_s" in error.context:
        response.headers["retry-after"] = str(error.context["retry_after_s"])
    return response
