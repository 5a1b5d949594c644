"""Frames: encoding is the identity, damage is named, a wrong frame is never stored."""

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import FrameUnreadable
from shared.market.frame import Feed, Frame, decode_frame, encode_frame, symbol_list_id
from shared.market.interval import Interval

finite = st.floats(allow_nan=False, allow_infinity=True, width=64)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    count = draw(st.integers(0, 40))
    present = draw(hnp.arrays(np.bool_, count))
    columns = draw(hnp.arrays(np.float64, (8, count), elements=finite))
    columns[:, ~present] = np.nan
    return Frame(
        venue="binance",
        interval=draw(st.sampled_from(Interval)),
        open_time_ms=draw(st.integers(0, 2**45)) * 60_000,
        symbol_list_id=symbol_list_id(["A", "B"]),
        revision=draw(st.integers(1, 9)),
        feed=draw(st.sampled_from(Feed)),
        complete=draw(st.booleans()),
        received_at_ms=draw(st.integers(0, 2**45)),
        published_at_ms=draw(st.integers(0, 2**45)),
        present=present,
        columns=columns,
    )


def frame_of(count: int) -> Frame:
    return Frame(
        venue="binance",
        interval=Interval.M1,
        open_time_ms=60_000,
        symbol_list_id="0123456789ab",
        revision=1,
        feed=Feed.LIVE,
        complete=True,
        received_at_ms=1,
        published_at_ms=2,
        present=np.ones(count, dtype=np.bool_),
        columns=np.arange(8.0 * count).reshape(8, count),
    )


@settings(max_examples=200, deadline=None)
@given(frames())
def test_decode_of_encode_is_the_identity(frame: Frame) -> None:
    decoded = decode_frame(encode_frame(frame))
    for name in Frame.__struct_fields__:
        if name not in ("present", "columns"):
            assert getattr(decoded, name) == getattr(frame, name)
    assert np.array_equal(decoded.present, frame.present)
    # Bit for bit, signed zeros included.
    assert decoded.columns.tobytes() == frame.columns.tobytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_frame_is_unreadable_or_unchanged(data: st.DataObject) -> None:
    text = encode_frame(frame_of(5))
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="ascii"))
    damaged = text[:at] + letter + text[at + 1 :]
    try:
        frame = decode_frame(damaged)
    except FrameUnreadable:
        return
    assert encode_frame(frame) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "version 1"),
        ("2:AAAA", "was '2'"),
        ("1:", "damaged"),
        ("1:not base64!", "damaged"),
        ("1:" + base64.b64encode(zlib.compress(b"\x01\x00")).decode(), "damaged"),
        ("1:" + base64.b64encode(zlib.compress(b"\0" * 2_000_000)).decode(), "longer than"),
    ],
)
def test_unreadable_frame_is_named(text: str, expected: str) -> None:
    with pytest.raises(FrameUnreadable, match=expected):
        decode_frame(text)


def test_truncated_frame_is_unreadable() -> None:
    text = encode_frame(frame_of(3))
    for end in range(len(text)):
        with pytest.raises(FrameUnreadable):
            decode_frame(text[:end])


def test_frame_with_value_for_absent_symbol_is_refused() -> None:
    frame = frame_of(3)
    frame.present[1] = False
    with pytest.raises(ValueError, match="NaN exactly where"):
        encode_frame(frame)


def test_frame_with_nan_for_present_symbol_is_refused() -> None:
    frame = frame_of(3)
    frame.columns[4, 2] = np.nan
    with pytest.raises(ValueError, match="NaN exactly where"):
        encode_frame(frame)


def test_symbol_list_id_depends_on_order() -> None:
    assert symbol_list_id(["A", "B"]) != symbol_list_id(["B", "A"])
    assert symbol_list_id(["AB"]) != symbol_list_id(["A", "B"])
