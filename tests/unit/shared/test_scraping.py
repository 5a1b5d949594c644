"""Who may read /metrics."""

from __future__ import annotations

import pytest

from shared.scraping import FORWARDING_HEADERS, check_scrape

TOKEN = "a-token-of-the-tests"


@pytest.mark.parametrize(
    ("peer", "is_allowed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.0.3.4", True),
        ("172.17.0.2", True),
        ("fdaa:0:1::3", True),
        ("::ffff:10.0.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("8.8.8.8", False),
        ("2a00:1450::1", False),
        ("testclient", False),
        ("", False),
    ],
)
def test_without_a_token_only_neighbours_read(peer: str, is_allowed: bool) -> None:
    assert (check_scrape("", {}, peer) is None) is is_allowed


@pytest.mark.parametrize("header", FORWARDING_HEADERS)
def test_without_a_token_a_proxy_speaks_for_a_stranger(header: str) -> None:
    assert check_scrape("", {header: "127.0.0.1"}, "127.0.0.1") is not None


@pytest.mark.parametrize(
    ("authorization", "is_allowed"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", False),
        (f"Bearer {TOKEN}x", False),
        ("Bearer ", False),
        ("Bearer é", False),
        ("", False),
    ],
)
def test_with_a_token_whoever_shows_it_reads(authorization: str, is_allowed: bool) -> None:
    headers = {"authorization": authorization, "x-forwarded-for": "8.8.8.8"}
    assert (check_scrape(TOKEN, headers, "8.8.8.8") is None) is is_allowed


def test_with_a_token_neighbours_need_it_too() -> None:
    assert check_scrape(TOKEN, {}, "127.0.0.1") is not None
