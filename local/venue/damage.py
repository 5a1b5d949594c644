"""Ways to damage a kline event: each variant of the `malformed` fault. Pure."""

from __future__ import annotations

import re

from local.venue.fault import VARIANTS
from local.venue.wire import text_frame

_CLOSE_PRICE = re.compile(r'"c":"[^"]*"')
_BINARY_FRAME = 0x82


def damaged_frame(text: str, variant: str) -> bytes:
    """Return the WebSocket frame of a damaged event; the frame itself is always well formed.

    Raises: ValueError if the variant is unknown.
    """
    if variant == "bad_json":
        return text_frame((text[:-1] + ",}").encode())
    if variant == "wrong_types":
        return text_frame(_CLOSE_PRICE.sub('"c":{"price":[]}', text, count=1).encode())
    if variant == "unknown_event":
        return text_frame(text.replace('"e":"kline"', '"e":"mystery"').encode())
    if variant == "truncated":
        return text_frame(text[: len(text) // 2].encode())
    if variant == "missing_field":
        return text_frame(_CLOSE_PRICE.sub('"gone":0', text, count=1).encode())
    if variant == "not_utf8":
        # As binary: a text frame that is not UTF-8 would end the connection (RFC 6455 8.1).
        return text_frame(b"\xff\xfe" + text.encode(), _BINARY_FRAME)
    if variant == "empty":
        return text_frame(b"")
    raise ValueError(f"expected one of {', '.join(VARIANTS)}, was {variant!r}")
