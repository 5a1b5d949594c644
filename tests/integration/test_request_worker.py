"""The worker of the request queue against a real Postgres and a real HTTP server."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, NamedTuple

import psycopg
import pytest

from local.request_worker import RequestWorker
from tests.integration.standin_servers import (
    ROOT,
    PostgresServer,
    answers,
    run_standin,
    wait_until,
)
from tests.unit.collector.fakes import until

PAUSE_S = 3.0


class Received(NamedTuple):
    at_s: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Server(ThreadingHTTPServer):
    """Keeps what it received; /slow answers when `release` is set."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[Received] = []
        self.release = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def paths(self) -> list[str]:
        return [received.path for received in self.received]

    def has(self, path: str) -> bool:
        return path in self.paths()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(
            Received(time.monotonic(), self.command, self.path, headers, body)
        )
        if self.path.startswith("/slow"):
            self.server.release.wait(60)
        content = b'{"done": true}'
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Kind", "test")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.release.set()
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="module")
def worker(postgres_server: PostgresServer) -> Iterator[str]:
    with run_standin(
        "request_worker",
        {"POSTGRES_DSN": postgres_server.dsn},
        lambda port: answers(f"http://127.0.0.1:{port}/health"),
    ) as (port, _):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def database(worker: str, postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        yield connection


def call(database: psycopg.Connection, statement: str, *arguments: object) -> Any:
    row = database.execute(statement, arguments).fetchone()
    assert row is not None
    return row[0]


def response(database: psycopg.Connection, request_id: int) -> tuple[Any, ...]:
    """Return (status_code, content_type, content, timed_out, error_msg) once it is stored."""
    found: list[tuple[Any, ...]] = []

    def is_stored() -> bool:
        found[:] = database.execute(
            "select status_code, content_type, content, timed_out, error_msg"
            " from net._http_response where id = %s",
            (request_id,),
        ).fetchall()
        return bool(found)

    wait_until(is_stored, f"response {request_id}")
    return found[0]


def test_post_arrives_as_pg_net_sends_it(database: psycopg.Connection, server: Server) -> None:
    request_id = call(
        database,
        'select net.http_post(%s, \'{"b":1,"a":[2]}\', headers => \'{"X-Signature": "s"}\')',
        server.url + "/posted",
    )
    assert response(database, request_id) == (
        200,
        "application/json",
        '{"done": true}',
        False,
        None,
    )
    received = next(r for r in server.received if r.path == "/posted")
    # The body is the text of the jsonb: what a signature over body::text covers.
    assert received.body == b'{"a": [2], "b": 1}'
    assert received.headers["user-agent"] == "pg_net/0.20.4"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-signature"] == "s"
    headers = call(database, "select headers from net._http_response where id = %s", request_id)
    assert headers["X-Kind"] == "test"


def test_get_and_delete_carry_params_and_body(database: psycopg.Connection, server: Server) -> None:
    got = call(database, 'select net.http_get(%s, \'{"q": "a b&ü"}\')', server.url + "/got?x=1")
    assert response(database, got)[0] == 200
    deleted = call(database, "select net.http_delete(%s, body => '{\"id\": 7}')", server.url + "/d")
    assert response(database, deleted)[0] == 200
    assert "/got?x=1&q=a%20b%26%C3%BC" in server.paths()
    received = next(r for r in server.received if r.path == "/d")
    assert (received.method, received.body) == ("DELETE", b'{"id": 7}')


def test_rolled_back_call_sends_nothing(database: psycopg.Connection, server: Server) -> None:
    with database.transaction(force_rollback=True):
        call(database, "select net.http_post(%s)", server.url + "/never")
    sent = call(database, "select net.http_post(%s)", server.url + "/after-rollback")
    response(database, sent)
    assert "/never" not in server.paths()


def test_failures_are_stored_with_libcurl_texts(
    database: psycopg.Connection, server: Server
) -> None:
    calls = {
        "fail": f"select net.http_post('{server.url}/fail')",
        "slow": f"select net.http_post('{server.url}/slow', timeout_milliseconds => 200)",
        "closed": "select net.http_get('http://127.0.0.1:1/')",
        "scheme": "select net.http_get('ftp://127.0.0.1:1/')",
        "malformed": "select net.http_get('http://[bad')",
    }
    with database.transaction():
        ids = {name: call(database, statement) for name, statement in calls.items()}
    stored = {name: response(database, request_id) for name, request_id in ids.items()}
    assert stored["fail"][:4] == (500, "application/json", '{"done": true}', False)
    assert stored["closed"] == (None, None, None, False, "Could not connect to server")
    assert stored["scheme"] == (None, None, None, False, "Unsupported protocol")
    assert stored["malformed"][4] == "URL using bad/illegal format or missing URL"
    status, _, _, timed_out, text = stored["slow"]
    assert (status, timed_out) == (None, True)
    # By how much it was exceeded is the machine's affair.
    total = re.match(r"Timeout of 200 ms reached\. Total time: ([\d.]+) ms \(.+ ms\)$", text)
    assert total is not None and float(total[1]) >= 200, text


def test_one_slow_answer_delays_the_whole_batch(
    database: psycopg.Connection, server: Server
) -> None:
    server.release.clear()
    with database.transaction():
        slow = call(database, "select net.http_post(%s)", server.url + "/slow/1")
        fast = call(database, "select net.http_post(%s)", server.url + "/fast/1")
    wait_until(lambda: {"/slow/1", "/fast/1"} <= set(server.paths()), "both received")
    count = "select count(*) from net._http_response where id in (%s, %s)"
    assert call(database, count, slow, fast) == 0
    server.release.set()
    response(database, slow)
    assert call(database, count, slow, fast) == 2
    same = "select count(distinct xmin::text) from net._http_response where id in (%s, %s)"
    assert call(database, same, slow, fast) == 1


async def test_first_call_in_the_pause_goes_at_once_and_the_next_waits(
    postgres_server: PostgresServer, server: Server
) -> None:
    # A worker in a database of its own, with a pause that no busy machine takes for a moment.
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute("create database pauses")
    dsn = postgres_server.dsn.rpartition("/")[0] + "/pauses"
    running = RequestWorker(dsn, pause_s=PAUSE_S)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as database:
        await database.execute((ROOT / "local" / "sql" / "30_net.sql").read_bytes())
        task = asyncio.create_task(running.run())
        # An empty batch and a pause lie before its sleep.
        await until(lambda: running.is_asleep)
        for path in ("/pause/a", "/pause/b", "/pause/c"):
            await database.execute("select net.http_post(%s)", (server.url + path,))
            await until(partial(server.has, path))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    at_s = {r.path: r.at_s for r in server.received}
    assert at_s["/pause/b"] - at_s["/pause/a"] < PAUSE_S / 2
    assert at_s["/pause/c"] - at_s["/pause/b"] > PAUSE_S / 2


def test_other_content_type_than_json_is_refused(database: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match='must be "application/json"'):
        call(
            database,
            "select net.http_post('http://127.0.0.1', headers => '{\"content-type\": \"a/b\"}')",
        )


def test_old_responses_are_dropped(database: psycopg.Connection, server: Server) -> None:
    database.execute(
        "insert into net._http_response (id, created)"
        " values (-1, now() - interval '7 hours'), (-2, now() - interval '5 hours')"
    )
    response(database, call(database, "select net.http_post(%s)", server.url + "/expire"))
    kept = database.execute("select id from net._http_response where id < 0").fetchall()
    assert kept == [(-2,)]


def test_api_roles_cannot_run_the_workers_part(database: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction():
        database.execute("set local role authenticated")
        database.execute("select net._take_requests(1)")


def test_postgres_restart_is_survived(
    worker: str, postgres_server: PostgresServer, server: Server
) -> None:
    postgres_server.stop()
    wait_until(lambda: not answers(worker + "/health"), "the loss is noticed")
    postgres_server.start()
    with psycopg.connect(postgres_server.dsn, autocommit=True) as database:
        request_id = call(database, "select net.http_post(%s)", server.url + "/restarted")
        assert response(database, request_id)[0] == 200
    assert answers(worker + "/health")
