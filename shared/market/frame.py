"""A frame: all symbols of one venue and interval that closed together, as one text.

Text layout (version 1): `"1:" + base64(zlib(head_length u32le · head · body))`. The head is a
msgpack array; the body is `float64[8, symbols]`, its bytes shuffled (all first bytes, then all
second bytes, …) because neighbouring prices share their high bytes: a third smaller than plain.
Text because the store's REST door speaks JSON. zlib carries its own checksum (Adler-32).

Not here: where frames are kept (shared/store/frames.py) and what they mean over time (window.py).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.errors import FrameUnreadable
from shared.market.feed import Feed as Feed
from shared.market.interval import Interval
from shared.market.kline import COLUMNS

VERSION = "1"
# Level 1: 500 symbols in about a millisecond; level 6 saves 3% and costs five times that.
COMPRESSION_LEVEL = 1
# A frame of 10,000 symbols is 640 kB; anything larger is damage or an attack, not a frame.
BODY_BYTES_MAX = 1_000_000


class Frame(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The closed klines of one open time.

    `columns` is float64[8, symbols] in the order of COLUMNS; a symbol that is absent has
    `present[i] == False` and NaN in every column. `revision` starts at 1 and grows when a late
    symbol or a correction is added. `complete`: every symbol that is trading is present.
    `received_at_ms`: when the last of its closes arrived; `published_at_ms`: when it was packed.
    """

    venue: str
    interval: Interval
    open_time_ms: int
    symbol_list_id: str
    revision: int
    feed: Feed
    complete: bool
    received_at_ms: int
    published_at_ms: int
    present: NDArray[np.bool_]
    columns: NDArray[np.float64]

    @property
    def closed_at_ms(self) -> int:
        """Return the instant at which its klines closed: the slot's name."""
        return self.open_time_ms + self.interval.duration_ms


class _Head(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    venue: str
    interval: Interval
    open_time_ms: int
    symbol_list_id: str
    revision: int
    feed: Feed
    complete: bool
    received_at_ms: int
    published_at_ms: int
    symbol_count: int
    present: bytes


def symbol_list_id(symbols: Sequence[str]) -> str:
    """Return the id of a symbol list: the first 12 hex digits of its SHA-256, order included."""
    return hashlib.sha256("\n".join(symbols).encode()).hexdigest()[:12]


def encode_frame(frame: Frame) -> str:
    """Return the frame as text.

    Raises: ValueError if `columns` is not float64[8, symbols], if an absent symbol has a value or
    a present one has none: such a frame is our mistake and must not be stored.
    """
    symbol_count = len(frame.present)
    if frame.columns.shape != (len(COLUMNS), symbol_count):
        raise ValueError(f"expected columns (8, {symbol_count}), was {frame.columns.shape}")
    # An absent symbol is NaN in every column, a present one in none.
    if not np.all(np.isnan(frame.columns) == ~frame.present):
        raise ValueError("expected NaN exactly where a symbol is absent")
    head = msgspec.msgpack.encode(
        _Head(
            frame.venue,
            frame.interval,
            frame.open_time_ms,
            frame.symbol_list_id,
            frame.revision,
            frame.feed,
            frame.complete,
            frame.received_at_ms,
            frame.published_at_ms,
            symbol_count,
            np.packbits(frame.present).tobytes(),
        )
    )
    values = np.ascontiguousarray(frame.columns, dtype="<f8")
    shuffled = values.reshape(-1, 1).view(np.uint8).T.tobytes()
    packed = zlib.compress(struct.pack("<I", len(head)) + head + shuffled, COMPRESSION_LEVEL)
    return f"{VERSION}:{base64.b64encode(packed).decode()}"


def decode_frame(text: str) -> Frame:
    """Return the frame that `text` holds.

    Raises: FrameUnreadable naming what is wrong (version, encoding, checksum, length); a caller
    treats such a frame as missing.
    """
    version, separator, _ = text[:16].partition(":")
    if not separator or version != VERSION:
        raise FrameUnreadable(
            f"expected a frame of version {VERSION}, was {version[:8]!r}",
            hint="run the collector and the functions of the same release",
        )
    try:
        raw = _inflate(base64.b64decode(text[len(VERSION) + 1 :], validate=True))
        (head_length,) = struct.unpack_from("<I", raw)
        head = msgspec.msgpack.decode(raw[4 : 4 + head_length], type=_Head)
    except (binascii.Error, zlib.error, struct.error, msgspec.MsgspecError) as error:
        raise FrameUnreadable(f"expected a readable frame, was damaged: {error}") from error
    body = raw[4 + head_length :]
    count = head.symbol_count
    if len(body) != 8 * len(COLUMNS) * count or len(head.present) != (count + 7) // 8:
        raise FrameUnreadable(f"expected {count} symbols, was a body of {len(body)} bytes")
    values = np.frombuffer(body, dtype=np.uint8).reshape(8, -1).T
    columns = np.ascontiguousarray(values).view("<f8").reshape(len(COLUMNS), count)
    bits = np.unpackbits(np.frombuffer(head.present, dtype=np.uint8), count=count)
    return Frame(
        venue=head.venue,
        interval=head.interval,
        open_time_ms=head.open_time_ms,
        symbol_list_id=head.symbol_list_id,
        revision=head.revision,
        feed=head.feed,
        complete=head.complete,
        received_at_ms=head.received_at_ms,
        published_at_ms=head.published_at_ms,
        present=bits.astype(np.bool_),
        columns=columns,
    )


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    raw = inflater.decompress(packed, BODY_BYTES_MAX)
    if inflater.unconsumed_tail or not inflater.eof:
        raise zlib.error("longer than a frame can be, or cut short")
    return raw
