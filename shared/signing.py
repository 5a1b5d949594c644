"""Signed calls between our own parts: HMAC-SHA256 over time stamp and raw body (design D9).

The same bytes are signed by Postgres (`ops.call_function`), the collector and the functions.
A replayed call within the tolerance is harmless: every signed call is idempotent.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from shared.errors import Unauthorized

TIMESTAMP_HEADER = "x-closebell-timestamp"
SIGNATURE_HEADER = "x-closebell-signature"
# The request worker may hold a call for its batch and its pause; clocks of hosts differ by seconds.
TOLERANCE_S = 300


def sign(secret: str, timestamp_s: int, body: bytes) -> str:
    """Return the signature of a body sent at `timestamp_s` (Unix seconds), in hex."""
    return hmac.new(secret.encode(), b"%d." % timestamp_s + body, hashlib.sha256).hexdigest()


def signed_headers(secret: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers that go with a signed JSON body."""
    return {
        "content-type": "application/json",
        TIMESTAMP_HEADER: str(timestamp_s),
        SIGNATURE_HEADER: sign(secret, timestamp_s, body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_s: int) -> None:
    """Accept the body or raise.

    `headers` are looked up in lower case. Raises: Unauthorized without a valid signature whose
    time stamp is within TOLERANCE_S of `now_s`.
    """
    stamp = headers.get(TIMESTAMP_HEADER, "")
    signature = headers.get(SIGNATURE_HEADER, "")
    hint = "sign the body with FUNCTION_SECRET; see docs/functions.md"
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12 and signature):
        raise Unauthorized("expected a signed call, was one without signature", hint=hint)
    if abs(now_s - int(stamp)) > TOLERANCE_S:
        raise Unauthorized(f"expected a signature younger than {TOLERANCE_S} s", hint=hint)
    if not hmac.compare_digest(sign(secret, int(stamp), body).encode(), signature.encode()):
        raise Unauthorized("expected a valid signature, was another", hint=hint)
