"""Intervals, exact decimals and signatures."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unauthorized
from shared.market.interval import DAY_MS, Interval
from shared.market.kline import Kline, parse_e8
from shared.signing import SIGNATURE_HEADER, TOLERANCE_S, sign, signed_headers, verify


@pytest.mark.parametrize("interval", list(Interval))
def test_interval_divides_the_day(interval: Interval) -> None:
    assert DAY_MS % interval.duration_ms == 0
    number, unit = int(interval[:-1]), interval[-1]
    assert interval.duration_ms == number * {"m": 60_000, "h": 3_600_000, "d": DAY_MS}[unit]


@given(st.sampled_from(Interval), st.integers(0, 2**45))
def test_floor_is_the_open_time_of_the_kline_that_contains_it(interval: Interval, at: int) -> None:
    open_time_ms = interval.floor_ms(at)
    assert open_time_ms <= at < open_time_ms + interval.duration_ms
    assert open_time_ms % interval.duration_ms == 0


@given(st.integers(0, 10**24))
def test_parse_e8_inverts_the_venue_spelling(units: int) -> None:
    assert parse_e8(f"{units // 10**8}.{units % 10**8:08d}") == units


@pytest.mark.parametrize(
    ("text", "units"),
    [("0", 0), ("1.5", 150_000_000), ("1e3", 10**11), ("-0.00000001", -1), ("7.", 700_000_000)],
)
def test_parse_e8_accepts_other_spellings(text: str, units: int) -> None:
    assert parse_e8(text) == units == int(Decimal(text) * 10**8)


@pytest.mark.parametrize("text", ["", "x", "NaN", "inf", "0.000000001", "1.2.3", "²"])
def test_parse_e8_refuses_what_is_not_an_exact_amount(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_e8(text)


def test_kline_row_is_in_column_order_and_correctly_rounded() -> None:
    kline = Kline(
        symbol="BTCUSDT",
        interval=Interval.M1,
        open_time_ms=60_000,
        open=1.0,
        high=4.0,
        low=0.5,
        close=2.0,
        volume_e8=parse_e8("0.30000000"),
        quote_volume_e8=parse_e8("123456789012.12345678"),
        trades=7,
        taker_buy_volume_e8=1,
        is_closed=True,
        event_time_ms=120_000,
        receive_time_ms=120_001,
    )
    assert kline.row() == (1.0, 4.0, 0.5, 2.0, 0.3, 123456789012.12345678, 7.0, 1e-8)
    assert kline.closed_at_ms == 120_000


def test_signed_call_is_accepted_within_the_tolerance() -> None:
    headers = signed_headers("a secret of length", 1_000, b"{}")
    verify("a secret of length", headers, b"{}", 1_000 + TOLERANCE_S)


# Computed with: printf '1000.{}' | openssl dgst -sha256 -hmac 'a secret of length'
def test_signature_equals_openssl() -> None:
    assert sign("a secret of length", 1_000, b"{}") == (
        "fbcd78fe854e7595ba6a3bcb794e8bfaf4fd86d14159036cbc0f5596ae5563a3"
    )


@pytest.mark.parametrize(
    ("change", "body", "now_s"),
    [
        ({}, b"{ }", 1_000),
        ({}, b"{}", 1_001 + TOLERANCE_S),
        ({}, b"{}", 999 - TOLERANCE_S),
        ({SIGNATURE_HEADER: "0" * 64}, b"{}", 1_000),
        ({SIGNATURE_HEADER: "ü"}, b"{}", 1_000),
        ({SIGNATURE_HEADER: ""}, b"{}", 1_000),
        ({"x-closebell-timestamp": "1001"}, b"{}", 1_000),
        ({"x-closebell-timestamp": "-1"}, b"{}", 1_000),
        ({"x-closebell-timestamp": "²"}, b"{}", 1_000),
        ({"x-closebell-timestamp": "9" * 400}, b"{}", 1_000),
    ],
)
def test_forged_call_is_refused(change: dict[str, str], body: bytes, now_s: int) -> None:
    headers = signed_headers("a secret of length", 1_000, b"{}") | change
    with pytest.raises(Unauthorized):
        verify("a secret of length", headers, body, now_s)
