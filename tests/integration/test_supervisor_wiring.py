"""Ports, secrets, feed, settings, logs: what a start of the local cloud decides first."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from local.feeds import FeedChoice, choose_feed
from local.logfiles import RotatingLog, last_line
from local.ports import HOST, Ports, check_free, find_free_base, parse_base
from local.samples import SAMPLES
from local.secrets import load_or_create_secrets
from local.seed import save_sample
from local.settings import LocalSettings
from shared.errors import ConfigError, StoreUnavailable
from shared.market.frame import Feed
from shared.settings import load_settings

PROJECT = Path(__file__).resolve().parents[2]


def test_taken_port_names_its_holder_and_a_way_around() -> None:
    ports = find_free_base()
    with socket.socket() as holder:
        # As servers do: connections of an earlier test may still linger on this port.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, ports.redis))
        holder.listen()
        with pytest.raises(ConfigError) as caught:
            check_free({"gateway": ports.gateway, "redis": ports.redis}, ports)
    assert caught.value.message.startswith(
        f"expected port {ports.redis} (for redis) to be free, was taken by python"
    )
    assert "make run PORT=" in caught.value.hint
    check_free({"gateway": ports.gateway, "redis": ports.redis}, ports)


@pytest.mark.parametrize("text", ["", "no", "80", "65530", "-1", "8420.0"])
def test_impossible_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected PORT to be a number from 1024 to 65526"):
        parse_base(text)


def test_ports_are_ten_different_ones_from_the_base() -> None:
    ports = Ports(9000)
    assert list(ports.numbers()) == [
        ports.gateway,
        ports.postgres,
        ports.redis,
        ports.upstash,
        ports.rest,
        ports.realtime,
        ports.functions,
        ports.collector,
        ports.venue,
        ports.requests,
    ]


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made = load_or_create_secrets(file)
    assert load_or_create_secrets(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.secret_key.startswith("sb_secret_") and len(made.secret_key) == 41
    assert made.publishable_key.startswith("sb_publishable_") and len(made.publishable_key) == 46
    assert load_or_create_secrets(tmp_path / "other.json") != made


def test_damaged_secrets_refuse_the_start_and_say_how_to_mend(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text('{"jwt_secret": "x"}')
    with pytest.raises(ConfigError, match="make reset"):
        load_or_create_secrets(file)


class Venue(BaseHTTPRequestHandler):
    """Answers the time like the venue, or refuses like it does in some countries."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/api/v3/time" else 404)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def venue() -> Iterator[tuple[str, type[Venue]]]:
    class Handler(Venue):
        pass

    server = HTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{HOST}:{server.server_port}", Handler
    server.shutdown()
    thread.join()
    server.server_close()


async def test_default_feed_is_live_when_the_venue_answers(venue: tuple[str, type[Venue]]) -> None:
    url, handler = venue
    assert await choose_feed("", url) == FeedChoice(Feed.LIVE, f"{url} answers")
    handler.status = 451
    assert await choose_feed("", url) == FeedChoice(
        Feed.SIMULATED, f"{url} refuses with status 451"
    )


async def test_default_feed_is_simulated_without_the_venue() -> None:
    url = f"http://{HOST}:{find_free_base().venue}"
    choice = await choose_feed("", url)
    assert choice.feed is Feed.SIMULATED
    assert choice.reason == f"{url} does not answer (ConnectError)"


async def test_feed_as_asked_needs_no_venue(tmp_path: Path) -> None:
    assert (await choose_feed("live", "nowhere")).feed is Feed.LIVE
    assert (await choose_feed("simulated", "nowhere")).feed is Feed.SIMULATED
    (tmp_path / "frames").touch()
    replay = await choose_feed(f"replay:{tmp_path}", "nowhere")
    assert (replay.feed, replay.folder) == (Feed.REPLAY, tmp_path)
    assert replay.argument == f"replay:{tmp_path}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Live", "expected FEED to be live, simulated or replay:<folder>, was 'Live'"),
        ("replay", "expected FEED to be live, simulated or replay:<folder>"),
        ("replay:/no/such/folder", "expected a folder with a recording at /no/such/folder"),
    ],
)
async def test_unknown_feed_is_refused_with_one_that_works(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await choose_feed(text, "nowhere")
    assert caught.value.message.startswith(message)
    assert caught.value.hint == "make run FEED=simulated"


async def test_sample_is_saved_once_history_has_the_bars_of_its_rule() -> None:
    # As while the collector writes its first history.
    statuses = [400, 400, 200]
    saved: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        status = statuses.pop(0)
        if status == 200:
            saved.append(json.loads(request.content)["name"])
        return httpx.Response(status, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await save_sample(client, "http://functions", "token", SAMPLES[0], pause_s=0.0)
        assert (saved, statuses) == ([SAMPLES[0].name], [])
        statuses.append(403)
        with pytest.raises(StoreUnavailable, match="was status 403"):
            await save_sample(client, "http://functions", "token", SAMPLES[1], pause_s=0.0)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment to set variables in, away from the developer's `.env`."""
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_half_configured_services_are_refused_by_name(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SUPABASE_URL", "https://x.supabase.co")
    with pytest.raises(ConfigError, match="expected SUPABASE_PUBLISHABLE_KEY beside SUPABASE_URL"):
        load_settings(LocalSettings).check()
    environment.delenv("SUPABASE_URL")
    environment.setenv("UPSTASH_REDIS_REST_URL", "https://x.upstash.io")
    with pytest.raises(ConfigError, match="UPSTASH_REDIS_REST_TOKEN beside UPSTASH_REDIS_REST_URL"):
        load_settings(LocalSettings).check()


@pytest.mark.parametrize(
    ("url", "here"),
    [("", True), ("http://127.0.0.1:54321", True), ("https://x.supabase.co", False)],
)
def test_demo_account_is_for_this_machine_only(
    environment: pytest.MonkeyPatch, url: str, here: bool
) -> None:
    environment.setenv("SUPABASE_URL", url)
    assert load_settings(LocalSettings).is_on_this_machine is here


def test_log_keeps_two_bounded_generations(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "a.log", bytes_max=100)
    for number in range(50):
        log.write(b"line %02d\n" % number)
    log.close()
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(files) == {"a.log", "a.log.1"}
    assert all(len(content) <= 100 for content in files.values())
    assert (files["a.log.1"] + files["a.log"]).splitlines()[-1] == b"line 49"
    assert last_line(tmp_path / "a.log") == "line 49"
