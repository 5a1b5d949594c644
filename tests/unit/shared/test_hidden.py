"""Planted secrets are found by the name of their field, by their shape and by their value."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared import hidden
from shared.hidden import HIDDEN, hide_text, hide_value, remember_secrets, remember_values
from shared.log_queue import LogQueue
from shared.logs import configure_logs
from shared.settings import FunctionsSettings

FUNCTION_SECRET = "fs-0123456789abcdef/+="
REDIS_TOKEN = "AXlkASQgredis0token"
SUPABASE_KEY = "sb_secret_" + "k3yk3yk3yk3y"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
PASSWORD = "pg-pass-9876"
URL = f"https://ann:{PASSWORD}@db.example.org/x?token=tok-in-url-42&n=1"
PLANTED = (FUNCTION_SECRET, REDIS_TOKEN, SUPABASE_KEY, TOKEN, PASSWORD, "tok-in-url-42")


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden, "_values", set())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"called {URL}", f"called https://ann:{HIDDEN}@db.example.org/x?token={HIDDEN}&n=1"),
        (f"Authorization: Bearer {TOKEN}", f"Authorization: Bearer {HIDDEN}"),
        (f"bearer {REDIS_TOKEN}", f"bearer {HIDDEN}"),
        (f"the token {TOKEN} is old", f"the token {HIDDEN} is old"),
        (f"with {SUPABASE_KEY}.", f"with sb_secret_{HIDDEN}."),
        ("FUNCTION_SECRET=abc123xyz rest", f"FUNCTION_SECRET={HIDDEN} rest"),
        ('{"api_key": "abc", "n": 1}', f'{{"api_key": "{HIDDEN}", "n": 1}}'),
        (r'"{\"apikey\": \"abc\"}"', rf'"{{\"apikey\": \"{HIDDEN}\"}}"'),
        ("deadman_url=https://ping.example/4711 x", f"deadman_url={HIDDEN} x"),
        ("x-closebell-signature: 0a1b2c", f"x-closebell-signature: {HIDDEN}"),
        (
            "postgresql://postgres:p4ss@127.0.0.1:1/db",
            f"postgresql://postgres:{HIDDEN}@127.0.0.1:1/db",
        ),
    ],
)
def test_text_of_a_secret_shape_keeps_all_but_the_secret(text: str, shown: str) -> None:
    assert hide_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "expected a signed call, was one without signature",
        "run 12 finished at 17:00:00Z with 3 signals",
        "https://data.example.org/api/v3/klines?symbol=BTCUSDT&interval=1m",
        "expected a token of the user, was none",
        "BTC/USDT 101.25 rsi(14) < 30",
    ],
)
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert hide_text(text) == text


def test_values_of_settings_are_hidden_wherever_they_stand() -> None:
    remember_values([FUNCTION_SECRET, "short"])
    assert hide_text(f"a{FUNCTION_SECRET}b") == f"a{HIDDEN}b"
    assert hide_text("?x=fs-0123456789abcdef%2F%2B%3D") == f"?x={HIDDEN}"
    assert hide_text("short") == "short"


def test_every_secret_of_a_wiring_is_remembered() -> None:
    settings = FunctionsSettings.model_validate(
        {
            "upstash_redis_rest_url": "http://127.0.0.1:9",
            "upstash_redis_rest_token": REDIS_TOKEN,
            "functions_url": "http://127.0.0.1:9",
            "function_secret": FUNCTION_SECRET,
            "supabase_url": "http://127.0.0.1:9",
            "supabase_secret_key": SUPABASE_KEY,
        }
    )
    remember_secrets(settings)
    assert hide_text(f"{REDIS_TOKEN} {FUNCTION_SECRET}") == f"{HIDDEN} {HIDDEN}"


def test_nested_fields_are_hidden_by_name_and_counts_are_not() -> None:
    value = {
        "headers": {"apikey": "abc", "accept": "json"},
        "list": [{"password": "abc"}, f"Bearer {TOKEN}"],
        "tokens_count": 3,
        "token": None,
        "raw": REDIS_TOKEN.encode(),
    }
    remember_values([REDIS_TOKEN])
    assert hide_value(value) == {
        "headers": {"apikey": HIDDEN, "accept": "json"},
        "list": [{"password": HIDDEN}, f"Bearer {HIDDEN}"],
        "tokens_count": 3,
        "token": None,
        "raw": HIDDEN,
    }


@pytest.fixture
def written() -> Iterator[list[dict[str, Any]]]:
    """Configure the real logger; yield what it hands on."""
    kept: list[dict[str, Any]] = []
    configure_logs("test", logging.INFO, kept.append)
    yield kept
    structlog.reset_defaults()


def test_nothing_planted_reaches_stdout_or_the_queue(
    written: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    remember_values([FUNCTION_SECRET, REDIS_TOKEN, SUPABASE_KEY])
    log = structlog.get_logger()
    log.info(f"secret_in_event {URL}", nested={"deep": [{"x": f"Bearer {TOKEN}"}]})
    log.warning("secret_in_field", redis_token=REDIS_TOKEN, url=URL, note=f"used {SUPABASE_KEY}")
    try:
        raise ValueError(f"refused {FUNCTION_SECRET} at {URL} with {TOKEN}")
    except ValueError as error:
        log.error("secret_in_exception", exc_info=error)
    out = capsys.readouterr().out
    queue = LogQueue()
    for line in written:
        queue.add(0, "test", line["level"], line["event"], line)
    for text in (out, json.dumps(written), json.dumps(queue.take())):
        assert "secret_in_exception" in text and "ValueError" in text
        assert [secret for secret in PLANTED if secret in text] == []
