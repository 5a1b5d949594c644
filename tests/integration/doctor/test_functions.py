"""Faults between Postgres and the functions: address, secret, build, signature, request worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from cli.checks.check import Verdict
from cli.checks.functions import function_names
from local.ports import HOST
from tests.integration.doctor.patient import (
    FAULT,
    FIX,
    OK,
    RESTART,
    WARNING,
    Answer,
    closebell,
    elsewhere,
    examine,
    execute,
    fails,
    frozen,
    hotel,
    standin,
    type_sql,
)
from tests.integration.standin_servers import ROOT, answers, free_port, wait_until
from tests.stack import Stack


@pytest.mark.parametrize(
    ("url", "verdict", "words"),
    [
        ("", FAULT, "empty: Postgres calls nobody"),
        ("http://127.0.0.1:9", WARNING, "Postgres calls http://127.0.0.1:9, FUNCTIONS_URL is"),
    ],
)
def test_functions_url_is_wrong_and_mended(
    cloud: Stack, values: dict[str, str], url: str, verdict: Verdict, words: str
) -> None:
    call(cloud, url)
    found = examine(values, "functions_url")["functions_url"]
    fails(found, words, FIX, verdict=verdict)
    assert closebell(values, "doctor", "functions_url", "--fix").returncode == 0


def test_functions_url_of_a_database_elsewhere_is_left_alone(
    cloud: Stack, values: dict[str, str]
) -> None:
    call(cloud, "http://127.0.0.1:9")
    there = elsewhere(values)
    found = examine(there, "functions_url")["functions_url"]
    assert closebell(there, "doctor", "functions_url", "--fix").returncode == 1
    type_sql(cloud, found.mend)
    assert examine(there, "functions_url")["functions_url"].verdict is OK


def call(cloud: Stack, url: str) -> None:
    """Let Postgres call the functions there."""
    with psycopg.connect(cloud.dsn, autocommit=True) as connection:
        connection.execute(
            "update ops.settings set value = %s where name = 'functions_url'", (url,)
        )


def test_secret_of_postgres_is_another_and_mended(cloud: Stack, values: dict[str, str]) -> None:
    execute(cloud, "update ops.local_secrets set value = 'a secret of yesterday'")
    found = examine(values, "requests")
    fails(found["secret"], "ops.local_secrets and FUNCTION_SECRET differ", FIX)
    assert found["requests"].found == "skipped: needs secret"
    # Who has the same old secret sees that the functions do not.
    old = values | {"function_secret": "a secret of yesterday"}
    fails(
        examine(old, "requests")["requests"],
        "the functions refuse Postgres' signature (401)",
        "closebell doctor secret",
    )
    done = closebell(values, "doctor", "requests", "--fix")
    assert done.returncode == 0, done.stdout
    assert "mended function_secret: function_secret stored in ops.local_secrets" in done.stdout
    assert "yesterday" not in done.stdout and values["function_secret"] not in done.stdout


def test_secret_is_missing_and_mended(cloud: Stack, values: dict[str, str]) -> None:
    execute(cloud, "delete from ops.local_secrets")
    found = examine(values, "secret")["secret"]
    fails(found, "no function_secret in ops.local_secrets", FIX)
    assert closebell(values, "doctor", "secret", "--fix").returncode == 0


@pytest.fixture
def vault(cloud: Stack) -> Iterator[None]:
    """Vault's own names and arguments, without its encryption: it has no package for a laptop."""
    execute(
        cloud,
        "create schema vault",
        "create table vault.secrets ("
        " id uuid primary key default gen_random_uuid(), name text unique, secret text)",
        "create view vault.decrypted_secrets as"
        " select id, name, secret as decrypted_secret from vault.secrets",
        "create function vault.create_secret(new_secret text, new_name text) returns uuid"
        " language sql as 'insert into vault.secrets (name, secret) values ($2, $1) returning id'",
        "create function vault.update_secret(secret_id uuid, new_secret text) returns void"
        " language sql as 'update vault.secrets set secret = $2 where id = $1'",
    )
    yield
    execute(cloud, "drop schema vault cascade")


@pytest.mark.usefixtures("vault")
def test_vault_lacks_the_secret_and_gets_it_once(cloud: Stack, values: dict[str, str]) -> None:
    there = elsewhere(values)
    fails(examine(there, "secret")["secret"], "no function_secret in Vault", FIX)
    done = closebell(there, "doctor", "secret", "--fix")
    assert "mended function_secret: function_secret stored in Vault" in done.stdout
    assert examine(there, "secret")["secret"].found == "Vault and FUNCTION_SECRET are equal"
    execute(cloud, "update vault.secrets set secret = 'somebody else changed it'")
    mend = "SQL: select ops.store_secret('function_secret', '…'); with that of the functions"
    for where in (there, values):
        fails(examine(where, "secret")["secret"], "Vault and FUNCTION_SECRET differ", mend)
        # A secret in Vault is never written over by itself.
        assert closebell(where, "doctor", "secret", "--fix").returncode == 2
    type_sql(cloud, mend.partition("; with")[0].replace("…", values["function_secret"]))
    assert examine(there, "secret")["secret"].verdict is OK


def test_secret_of_the_operator_is_another(values: dict[str, str]) -> None:
    found = examine(values | {"function_secret": "not the secret of the functions"}, "signature")
    fails(
        found["signature"],
        "the functions refuse FUNCTION_SECRET (401)",
        f"the same FUNCTION_SECRET in .env, then {RESTART}",
    )


def test_functions_are_down(cloud: Stack, values: dict[str, str]) -> None:
    nobody = f"{HOST}:{free_port()}"
    found = examine(values | {"functions_url": f"http://{nobody}"}, "signature")
    fails(found["functions"], f"{nobody}: connection refused: nothing listens there", RESTART)
    assert found["signature"].found == "skipped: needs functions"
    with frozen(cloud, "functions"):
        found = examine(values, "functions")
    assert found["functions"].found.endswith("no answer in time")


@contextmanager
def older_functions(cloud: Stack, folder: Path) -> Iterator[str]:
    """Yield functions of another release on a machine whose clock is ten minutes late."""
    (folder / "sitecustomize.py").write_text(
        "import time, functions\n"
        "functions.VERSION = '0.0.9'\n"
        "real, real_ns = time.time, time.time_ns\n"
        "time.time = lambda: real() - 600\n"
        "time.time_ns = lambda: real_ns() - 600_000_000_000\n"
    )
    port = free_port()
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("functions-framework"),
            *("--target", "main", "--source", "functions/main.py", "--asgi"),
            *("--host", HOST, "--port", str(port)),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{folder}:{ROOT}",
            "FUNCTIONS_URL": f"http://{HOST}:{port}",
            "FUNCTION_SECRET": cloud.cloud.function_secret,
            "SUPABASE_URL": cloud.url,
            "SUPABASE_PUBLISHABLE_KEY": cloud.cloud.publishable_key,
            "SUPABASE_SECRET_KEY": cloud.cloud.secret_key,
            "SUPABASE_JWT_SECRET": cloud.cloud.secrets.jwt_secret,
            "UPSTASH_REDIS_REST_URL": cloud.cloud.local_url(cloud.cloud.ports.upstash),
            "UPSTASH_REDIS_REST_TOKEN": cloud.cloud.secrets.redis_token,
            "DASHBOARD_ORIGIN": cloud.url,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(f"http://{HOST}:{port}/health"), "the older functions")
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait(10)


def test_functions_are_of_another_release_and_their_clock_is_late(
    cloud: Stack, values: dict[str, str], tmp_path: Path
) -> None:
    with older_functions(cloud, tmp_path) as url:
        found = examine(values | {"functions_url": url}, "signature")
        there = examine(elsewhere(values) | {"functions_url": url}, "functions")
    of_another = "they are 0.0.9, this command is 0.1.0"
    fails(found["functions"], of_another, RESTART, verdict=WARNING)
    deploy = "flyctl status --app $(dotenv get FLY_APP), then closebell deploy"
    fails(there["functions"], of_another, deploy, verdict=WARNING)
    refused = "the functions refuse the time stamp (401)"
    fails(found["signature"], refused, "closebell doctor clock")


VERSION = '{"version": "0.1.0"}'


def functions_that(answered: dict[str, int]) -> Answer:
    """Functions that answer some requests as they should not."""

    def answer(asked: str) -> tuple[int, str, str]:
        usual = 204 if asked.startswith("OPTIONS") else 200
        text = VERSION if asked == "GET /health" else ""
        return answered.get(asked, usual), "application/json", text

    return answer


NOBODYS = "set FUNCTIONS_URL in .env to the address of the functions"
LACKING = functions_that({"OPTIONS /save_trader": 404})
FAILING = functions_that({"POST /trigger_executions": 500})


@pytest.mark.parametrize(
    ("answer", "name", "words", "mend"),
    [
        (LACKING, "functions", "save_trader answered 404", RESTART),
        (functions_that({"GET /health": 503}), "functions", "/health answered 503", RESTART),
        (hotel, "functions", "/health answered, but not as the functions do", NOBODYS),
        (
            FAILING,
            "signature",
            "a signed call was answered 500",
            "closebell logs functions --since 10m",
        ),
    ],
)
def test_functions_answer_otherwise(
    values: dict[str, str], answer: Answer, name: str, words: str, mend: str
) -> None:
    assert "save_trader" in function_names()
    with standin(answer) as url:
        fails(examine(values | {"functions_url": url}, name)[name], words, mend)


@contextmanager
def called(cloud: Stack, values: dict[str, str], url: str) -> Iterator[dict[str, str]]:
    """Let Postgres, and the doctor, call the functions there."""
    call(cloud, url)
    try:
        yield values | {"functions_url": url}
    finally:
        call(cloud, cloud.cloud.functions_url)


def test_postgres_cannot_reach_the_functions(cloud: Stack, values: dict[str, str]) -> None:
    with called(cloud, values, f"http://{HOST}:{free_port()}") as there:
        found = examine(there, "requests")["requests"]
    reach = "Postgres cannot reach the functions: "
    fails(found, reach, "closebell doctor functions functions_url")


def test_functions_answer_postgres_otherwise(cloud: Stack, values: dict[str, str]) -> None:
    with standin(FAILING) as url, called(cloud, values, url) as there:
        found = examine(there, "requests")["requests"]
    fails(found, "the functions answered Postgres 500", "closebell doctor functions")


def test_functions_are_slow_to_answer_postgres(cloud: Stack, values: dict[str, str]) -> None:
    """The worker waits with the call, and has lately stored the answer to another."""
    assert examine(values, "requests")["requests"].verdict is OK
    is_over = threading.Event()

    def answer(_asked: str) -> tuple[int, str, str]:
        is_over.wait(30)
        return 200, "application/json", "{}"

    with standin(answer) as url, called(cloud, values, url) as there:
        found = examine(there, "requests")["requests"]
        is_over.set()
    mend = "closebell doctor requests, again: a slow answer holds up its batch"
    fails(found, "no answer in 4.5 s; the worker stored another", mend, verdict=WARNING)


def test_request_worker_is_silent(cloud: Stack, values: dict[str, str]) -> None:
    with frozen(cloud, "requests"):
        execute(cloud, "delete from net._http_response")
        found = examine(values, "requests")["requests"]
    fails(found, "the request worker is silent: ", RESTART)
    assert found.took_ms < 5_000
