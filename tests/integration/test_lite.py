"""REST and auth (the npm package behind local/lite.mjs) with the unmodified Python client."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import psycopg
import pytest
from postgrest.exceptions import APIError
from supabase import AuthApiError, Client, create_client
from supabase.lib.client_options import SyncClientOptions

from local.lite import LOCAL, find_node
from tests.integration.standin_servers import (
    JWT_SECRET,
    PUBLISHABLE_KEY,
    ROOT,
    SECRET_KEY,
    PostgresServer,
    answers,
    free_port,
    run_standin,
    wait_until,
)

SCHEMA = """
create schema if not exists ops;
create table if not exists ops.hidden (id int);
alter table ops.hidden enable row level security;
create table if not exists public.notes (
    id bigint generated always as identity primary key,
    user_id uuid not null references auth.users on delete cascade,
    body text,
    created_at timestamptz not null default now()
);
alter table public.notes enable row level security;
revoke all on public.notes from anon, authenticated;
grant select, insert on public.notes to authenticated;
drop policy if exists own on public.notes;
create policy own on public.notes to authenticated
    using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create or replace function public.describe(rows jsonb) returns jsonb
language plpgsql as $$
begin
    if jsonb_typeof(rows) = 'string' then rows := (rows #>> '{}')::jsonb; end if;
    return jsonb_build_object('count', jsonb_array_length(rows), 'role', current_user,
        'first', rows -> 0);
end $$;
create or replace function public.refuse() returns void
language plpgsql as $$
begin
    raise sqlstate 'PT404' using message = 'no such trader', hint = 'look again', detail = 'it';
end $$;
"""
# supabase-py passes arguments that its own REST client no longer wants.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The '(timeout|verify)' parameter:DeprecationWarning"
)
PASSWORD = "correct horse battery"
TIMEOUT_S = 60.0


def settings(postgres_server: PostgresServer) -> dict[str, str]:
    return {
        "POSTGRES_DSN": postgres_server.lite_dsn,
        "SUPABASE_JWT_SECRET": JWT_SECRET,
        "SUPABASE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
        "SUPABASE_SECRET_KEY": SECRET_KEY,
    }


def is_ready(port: int) -> bool:
    return answers(f"http://127.0.0.1:{port}/auth/v1/health", {"apikey": PUBLISHABLE_KEY})


@pytest.fixture(scope="module")
def lite(postgres_server: PostgresServer) -> Iterator[str]:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as database:
        database.execute(SCHEMA)
    with run_standin("lite", settings(postgres_server), is_ready) as (port, _):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def open_client(lite: str, key: str) -> Iterator[Client]:
    """A client of its own connections, closed at the end."""
    with httpx.Client(trust_env=False, timeout=TIMEOUT_S) as session:
        yield create_client(lite, key, SyncClientOptions(httpx_client=session))


@pytest.fixture
def service(lite: str) -> Iterator[Client]:
    with open_client(lite, SECRET_KEY) as client:
        yield client


@pytest.fixture
def visitor(lite: str) -> Iterator[Client]:
    with open_client(lite, PUBLISHABLE_KEY) as client:
        yield client


@pytest.fixture(scope="module")
def users(lite: str) -> Iterator[list[tuple[Client, str]]]:
    """Two users, signed up and in."""
    with ExitStack() as clients:
        found = []
        for name in ("ada", "bob"):
            client = clients.enter_context(open_client(lite, PUBLISHABLE_KEY))
            credentials: Any = {"email": f"{name}@example.com", "password": PASSWORD}
            client.auth.sign_up(credentials)
            session = client.auth.sign_in_with_password(credentials)
            assert session.user is not None
            found.append((client, session.user.id))
        yield found


def test_rows_are_isolated_by_policy_and_timed_as_rfc_3339(
    users: list[tuple[Client, str]],
) -> None:
    (ada, ada_id), (bob, _) = users
    stored = ada.table("notes").insert({"user_id": ada_id, "body": "mine"}).execute().data
    assert bob.table("notes").select("*").execute().data == []
    read: Any = ada.table("notes").select("*").execute().data
    assert read == stored
    assert read[0]["body"] == "mine"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", read[0]["created_at"])
    with pytest.raises(APIError) as refused:
        bob.table("notes").insert({"user_id": ada_id, "body": "forged"}).execute()
    assert refused.value.code == "42501"


def test_revoked_privileges_stay_revoked(visitor: Client, postgres_server: PostgresServer) -> None:
    with pytest.raises(APIError, match="permission denied for table notes"):
        visitor.table("notes").select("*").execute()
    with psycopg.connect(postgres_server.dsn) as database:
        rows = database.execute(
            "select has_table_privilege('anon', 'public.notes', 'select'),"
            " has_table_privilege('authenticated', 'public.notes', 'delete'),"
            " has_schema_privilege('authenticated', 'ops', 'usage'),"
            " position('request.jwt.claims' in prosrc) > 0"
            " from pg_proc where oid = 'auth.uid()'::regprocedure"
        ).fetchall()
    assert rows == [(False, False, False, True)]


def test_rpc_takes_json_and_runs_as_the_service(service: Client) -> None:
    answer = service.rpc("describe", {"rows": [{"price": "0.10000000"}, 2]}).execute().data
    assert answer == {"count": 2, "role": "service_role", "first": {"price": "0.10000000"}}


def test_raised_status_keeps_message_hint_and_detail(service: Client) -> None:
    with pytest.raises(APIError) as refused:
        service.rpc("refuse").execute()
    error = refused.value
    assert (error.code, error.message, error.hint, error.details) == (
        "PT404",
        "no such trader",
        "look again",
        "it",
    )


def test_request_without_a_key_is_401_even_from_loopback(lite: str) -> None:
    for path in ("/rest/v1/notes", "/auth/v1/settings"):
        assert httpx.get(lite + path, trust_env=False, timeout=TIMEOUT_S).status_code == 401
    bearer = {"Authorization": f"Bearer {SECRET_KEY}"}
    url = f"{lite}/rest/v1/notes"
    refused = httpx.get(url, headers=bearer, trust_env=False, timeout=TIMEOUT_S)
    assert refused.status_code == 401


def test_private_schema_is_not_exposed(service: Client) -> None:
    with pytest.raises(APIError) as refused:
        service.schema("ops").table("hidden").select("*").execute()
    assert refused.value.code == "PGRST106"


def test_wrong_password_and_second_sign_up_are_refused(visitor: Client, users: object) -> None:
    with pytest.raises(AuthApiError, match="Invalid login credentials"):
        visitor.auth.sign_in_with_password({"email": "ada@example.com", "password": "wrong one"})
    with pytest.raises(AuthApiError, match="already registered"):
        visitor.auth.sign_up({"email": "ada@example.com", "password": PASSWORD})


def test_schema_is_read_anew_on_postgrests_notification(
    service: Client, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as database:
        database.execute(
            "create or replace function public.newest() returns int language sql as 'select 7'"
        )
        database.execute("notify pgrst, 'reload schema'")

    def is_there() -> bool:
        try:
            return bool(service.rpc("newest").execute().data == 7)
        except APIError:
            return False

    wait_until(is_there, "the new function")


def test_auth_users_has_every_column_the_server_knows(postgres_server: PostgresServer) -> None:
    script = (
        "import { getAuthSchemaSql } from '@supabase/lite';"
        "process.stdout.write(getAuthSchemaSql());"
    )
    known = subprocess.run(
        [str(find_node()), "--input-type=module", "-e", script],
        cwd=LOCAL,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    table = known.partition("CREATE TABLE IF NOT EXISTS auth.users (")[2].partition("\n);")[0]
    types = "uuid|varchar|text|timestamptz|jsonb|boolean|smallint"
    columns = set(re.findall(rf"^([a-z_]+)\s+(?:{types})", table, re.MULTILINE))
    assert len(columns) > 30
    with psycopg.connect(postgres_server.dsn) as database:
        ours = database.execute(
            "select column_name from information_schema.columns"
            " where table_schema = 'auth' and table_name = 'users'"
        ).fetchall()
    assert columns - {name for (name,) in ours} == set()


def test_server_without_postgres_ends_instead_of_serving_nothing(
    postgres_server: PostgresServer,
) -> None:
    dsn = re.sub(r":\d+/", f":{free_port()}/", postgres_server.lite_dsn)
    environment = settings(postgres_server) | {"POSTGRES_DSN": dsn}
    with (
        pytest.raises(AssertionError, match=r"(?s)lite ended: .*ECONNREFUSED"),
        run_standin("lite", environment, is_ready),
    ):
        pass


def test_supabase_js_signs_in_reads_its_rows_and_hears_its_topic(
    lite: str, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as database:
        database.execute(
            "drop policy if exists own_signals on realtime.messages;"
            "create policy own_signals on realtime.messages for select to authenticated"
            " using (realtime.topic() = 'signals:' || (select auth.uid())::text);"
            "create or replace function public.ring(user_id uuid, number int) returns void"
            " language sql as $$ select realtime.send(jsonb_build_object('number', number),"
            " 'signals', 'signals:' || user_id, true) $$;"
            "notify pgrst, 'reload schema'"
        )
    keys = settings(postgres_server) | {"POSTGRES_DSN": postgres_server.dsn}

    def healthy(port: int) -> bool:
        return answers(f"http://127.0.0.1:{port}/health")

    def configured(port: int) -> bool:
        return answers(f"http://127.0.0.1:{port}/config.json")

    with run_standin("realtime", keys, healthy) as (realtime_port, _):
        environment = {
            "LITE_URL": lite,
            "REALTIME_URL": f"http://127.0.0.1:{realtime_port}",
            "FUNCTIONS_URL_INTERNAL": "http://127.0.0.1:1",
            "DASHBOARD_DIST": "/nowhere",
            "CONFIG_JSON": "{}",
        }
        with run_standin("gateway", environment, configured) as (port, _):
            script = ROOT / "tests" / "integration" / "realtime_client.mjs"
            run = subprocess.run(
                [
                    str(find_node()),
                    str(script),
                    f"http://127.0.0.1:{port}",
                    PUBLISHABLE_KEY,
                    SECRET_KEY,
                    str(LOCAL),
                ],
                capture_output=True,
                text=True,
                timeout=180,
            )
    assert run.returncode == 0, run.stderr
    other = "11111111-1111-4111-8111-111111111111"
    reason = "Unauthorized: You do not have permissions to read from this Channel topic: signals:"
    assert json.loads(run.stdout) == {
        "sameUser": True,
        "own": ["mine"],
        "forged": "42501",
        "states": ["SUBSCRIBED"],
        "numbers": [1, 2, 3],
        "refused": ["CHANNEL_ERROR", reason + other],
    }


def test_postgres_restart_is_survived(service: Client, postgres_server: PostgresServer) -> None:
    postgres_server.stop()
    postgres_server.start()

    def works() -> bool:
        try:
            answer: Any = service.rpc("describe", {"rows": [1]}).execute().data
            return bool(answer["count"] == 1)
        except (APIError, httpx.HTTPError):
            return False

    wait_until(works, "REST after the restart")
