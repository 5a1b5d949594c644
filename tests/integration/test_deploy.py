"""`closebell deploy` as a person runs it: programs of the hosts that only record, real Postgres.

The functions are a small server that verifies signatures as ours do.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from shared.errors import Unauthorized
from shared.signing import verify
from shared.store.migrations import load_status, migrate
from tests.integration.standin_servers import PostgresServer
from tests.integration.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
CLOSEBELL = Path(sys.executable).with_name("closebell")
TIMEOUT_S = 120
SECRET = "a-function-secret-of-ours"
# Appends what it was called with; fails where its arguments hold the text in the file `fail`.
FAKE = """#!/bin/sh
name=$(basename "$0")
echo "$name $*" >> "$FAKES/calls"
env | grep -E '^(FLY_API|VERCEL)_' | sort | sed "s/^/  $name /" >> "$FAKES/environment"
case "$name $1 $2" in
  "flyctl secrets import") cat > "$FAKES/secrets" ;;
  "flyctl status --app") [ -e "$FAKES/app" ]; exit $? ;;
  "flyctl apps create") touch "$FAKES/app" ;;
  "flyctl deploy --app")
    # Like a long build: it says so, and waits for the end of who started it.
    if [ -e "$FAKES/slow" ]; then echo "building in fra"; exec sleep 600; fi ;;
  "closebell doctor ")
    echo "doctor ran with $FLY_APP, $FUNCTIONS_URL and ${COLLECTOR_URL-another}."
    exit "$(cat "$FAKES/doctor" || echo 0)" ;;
esac
if [ -e "$FAKES/fail" ]; then
  case "$*" in *"$(cat "$FAKES/fail")"*)
    echo "Error: no capacity in fra, secret was a-function-secret-of-ours"; exit 1 ;;
  esac
fi
echo "$name did it"
"""


@dataclass
class Operator:
    """Someone at a machine with the hosts' programs and an .env."""

    folder: Path
    values: dict[str, str]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(options),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def sit_at(self, *options: str) -> Terminal:
        """Return the command as it runs on a terminal."""
        return Terminal(self._command(options), self._environment())

    def _command(self, options: Sequence[str]) -> tuple[str, ...]:
        env_file = self.folder / ".env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in self.values.items()))
        return (str(CLOSEBELL), "deploy", "--env-file", str(env_file), *options)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "FAKES": str(self.folder),
            "HOME": str(self.folder),
        }

    def calls(self) -> list[str]:
        """Return what the programs were called with since the last question."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def fail_at(self, words: str) -> None:
        (self.folder / "fail").write_text(words)

    def mend(self) -> None:
        (self.folder / "fail").unlink()


class _Functions(BaseHTTPRequestHandler):
    secret = SECRET

    def do_GET(self) -> None:
        self._reply(200, {"status": "ok", "version": "0.1.0"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            verify(self.secret, headers, body, int(time.time()))
        except Unauthorized as error:
            self._reply(401, {"error": {"code": error.code}})
        else:
            self._reply(200, {"runs": [], "ms": 1})

    def _reply(self, status: int, document: dict[str, object]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def functions_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Functions)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def database(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the connection string of a database that is as a new project's."""
    name = f"deploy_{os.getpid()}_{abs(hash(request.node.name))}"
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    dsn = postgres_server.dsn.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        for path in sorted((ROOT / "local" / "sql").glob("*.sql")):
            connection.execute(path.read_bytes())
    yield dsn
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def make_operator(folder: Path, **values: str) -> Operator:
    (folder / "bin").mkdir()
    for name in ("flyctl", "vercel", "npm", "closebell"):
        program = folder / "bin" / name
        program.write_text(FAKE)
        program.chmod(0o755)
    return Operator(
        folder,
        {
            "FLY_APP": "closebell-of-mine",
            "FLY_API_TOKEN": "fly-token-value",
            "VERCEL_TOKEN": "vercel-token-value",
            "DATABASE_URL": "postgresql://postgres.abc:database-password@127.0.0.1:1/postgres",
            "SUPABASE_URL": "https://abc.supabase.co",
            "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_abc",
            "SUPABASE_SECRET_KEY": "sb_secret_value",
            "UPSTASH_REDIS_REST_URL": "https://abc.upstash.io",
            "UPSTASH_REDIS_REST_TOKEN": "redis-token-value",
            "FUNCTION_SECRET": SECRET,
            "DASHBOARD_URL": "https://closebell.example",
            **values,
        },
    )


@pytest.fixture
def operator(tmp_path: Path, database: str, functions_url: str) -> Operator:
    return make_operator(
        tmp_path,
        DATABASE_URL=database,
        FUNCTIONS_URL=functions_url,
        # Not a hosted project: its database is another machine's.
        SUPABASE_URL="https://supabase.example",
    )


SECRETS = ("fly-token-value", "vercel-token-value", "sb_secret_value", "redis-token-value", SECRET)


def fly_groups(calls: list[str]) -> list[str]:
    """Return the process groups that were deployed, in order."""
    return [
        call.partition("--process-groups ")[2].split()[0]
        for call in calls
        if call.startswith("flyctl deploy")
    ]


def test_dry_run_shows_every_command_and_no_secret_and_does_nothing(tmp_path: Path) -> None:
    operator = make_operator(tmp_path)
    shown = operator.run("--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert operator.calls() == []
    assert not (tmp_path / ".local").exists()
    for words in (
        "1/9 migrations and routines",
        "functions_url = https://closebell-of-mine.fly.dev",
        "ops.store_secret('function_secret', '***')",
        "flyctl apps create closebell-of-mine --org personal",
        "flyctl secrets import --stage --app closebell-of-mine",
        "UPSTASH_REDIS_REST_TOKEN, FUNCTIONS_URL, FUNCTION_SECRET, SUPABASE_URL",
        "--process-groups functions --build-target functions --image-label functions-",
        "--process-groups collector --build-target collector --image-label collector-",
        "vercel deploy --prod --yes --build-env SUPABASE_URL=https://abc.supabase.co",
        "closebell doctor",
    ):
        assert words in shown.stdout
    for secret in (*SECRETS, "database-password"):
        assert secret not in shown.stdout + shown.stderr


def test_dry_run_without_any_setting_shows_the_plan_and_what_is_missing(tmp_path: Path) -> None:
    operator = make_operator(tmp_path)
    operator.values.clear()
    (tmp_path / "bin" / "vercel").unlink()
    shown = operator.run("--dry-run")
    assert shown.returncode == 1, "a plan that nobody can carry out yet"
    assert operator.calls() == []
    plan, _, missing = shown.stdout.partition("Not there yet")
    for words in (
        "Plan for your-app with <ref>.supabase.co: 9 steps, then doctor",
        "1/9 migrations and routines",
        "flyctl deploy --app your-app --primary-region fra --process-groups collector",
        "--build-env 'SUPABASE_URL=https://<ref>.supabase.co'",
        "9/9 timetable",
        "closebell doctor",
    ):
        assert words in plan
    assert [line.split()[0] for line in missing.splitlines()[1:]] == [
        *("FLY_APP", "DATABASE_URL", "SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY"),
        *("SUPABASE_SECRET_KEY", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
        *("FUNCTION_SECRET", "DASHBOARD_URL", "vercel"),
    ]
    assert "FUNCTION_SECRET           a terminal: openssl rand -base64 32" in missing
    assert "DASHBOARD_URL, vercel, were not there (docs/deploy.md" in shown.stderr


def test_dry_run_as_json_ends_with_what_is_missing(tmp_path: Path) -> None:
    shown = make_operator(tmp_path, FUNCTION_SECRET="").run("--dry-run", "--json")
    documents = [json.loads(line) for line in shown.stdout.splitlines()]
    assert shown.returncode == 1
    assert [d["state"] for d in documents[:9]] == ["planned"] * 9
    assert documents[9]["missing"] == "FUNCTION_SECRET"
    assert documents[10]["error"]["message"] == "expected FUNCTION_SECRET, was not there"
    assert len(documents) == 11


def test_first_deployment_does_everything_in_order(operator: Operator, database: str) -> None:
    done = operator.run("--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    calls = operator.calls()
    assert [" ".join(call.split()[:3]) for call in calls] == [
        "flyctl status --app",
        "flyctl apps create",
        "flyctl secrets import",
        "flyctl deploy --app",
        "flyctl deploy --app",
        "vercel deploy --prod",
        "closebell doctor",
    ]
    # The functions before the collector, which calls them.
    assert fly_groups(calls) == ["functions", "collector"]
    assert all("--ha=false" in call for call in calls if call.startswith("flyctl deploy"))
    secrets = dict(
        line.split("=", 1) for line in (operator.folder / "secrets").read_text().splitlines()
    )
    assert secrets == {
        "UPSTASH_REDIS_REST_URL": "https://abc.upstash.io",
        "UPSTASH_REDIS_REST_TOKEN": "redis-token-value",
        "FUNCTIONS_URL": operator.values["FUNCTIONS_URL"],
        "FUNCTION_SECRET": SECRET,
        "SUPABASE_URL": "https://supabase.example",
        "SUPABASE_SECRET_KEY": "sb_secret_value",
        "DASHBOARD_ORIGIN": "https://closebell.example",
    }
    environment = (operator.folder / "environment").read_text()
    assert "flyctl FLY_API_TOKEN=fly-token-value" in environment
    assert "vercel VERCEL_TOKEN=vercel-token-value" in environment
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "select ops.setting('functions_url'), ops.secret('function_secret')"
        ).fetchone()
        assert row == (operator.values["FUNCTIONS_URL"], SECRET)
        names = connection.execute("select name from ops.schedules").fetchall()
        assert ("tick",) in names
        # Who deployed is on record, whichever role is shared.
        acts = connection.execute("select distinct via from ops.audit").fetchall()
        assert acts == [(f"closebell ({getpass.getuser()})",)]
    assert {state for _, state in load_status(database)} == {"applied"}
    # What is not set is empty: doctor must not look at a cloud that runs on this machine.
    url = operator.values["FUNCTIONS_URL"]
    assert f"doctor ran with closebell-of-mine, {url} and ." in done.stdout
    assert (operator.folder / ".local" / "deploy.json").stat().st_mode & 0o777 == 0o600


def test_deployment_that_failed_goes_on_where_it_stopped(operator: Operator) -> None:
    operator.fail_at("--process-groups collector")
    failed = operator.run("--yes")
    assert failed.returncode == 1
    assert "flyctl exited 1 and said: Error: no capacity in fra, secret was ***" in failed.stderr
    assert "flyctl deploy --app closebell-of-mine" in failed.stderr, "the command to type"
    assert f"then: closebell deploy --env-file {operator.folder}/.env (goes on" in failed.stderr
    assert SECRET not in failed.stdout + failed.stderr
    assert fly_groups(operator.calls()) == ["functions", "collector"]

    operator.mend()
    resumed = operator.run("--yes")
    assert resumed.returncode == 0, resumed.stderr
    assert "4 steps, 5 done and unchanged, then doctor" in resumed.stdout
    calls = operator.calls()
    assert fly_groups(calls) == ["collector"]
    assert not [call for call in calls if "secrets" in call or "apps" in call]
    assert calls[-1].startswith("closebell doctor")


def test_interrupted_deployment_says_so_and_goes_on_where_it_stopped(operator: Operator) -> None:
    (operator.folder / "slow").touch()
    with operator.sit_at() as terminal:
        terminal.wait_for("Deploy this? (--dry-run shows each command) [y/N]:")
        terminal.type_in("y\n")
        terminal.wait_for("building in fra")
        assert terminal.press_ctrl_c() == 130
    assert (
        "closebell: interrupted: image and machine: functions is not done; what it began at the"
        f" host may go on there. closebell deploy --env-file {operator.folder}/.env goes on here"
        in terminal.screen
    )
    assert "Traceback" not in terminal.screen
    assert fly_groups(operator.calls()) == ["functions"]

    (operator.folder / "slow").unlink()
    resumed = operator.run("--yes")
    assert resumed.returncode == 0, resumed.stderr
    assert "5 steps, 4 done and unchanged" in resumed.stdout
    assert fly_groups(operator.calls()) == ["functions", "collector"]


def test_deployment_that_nobody_agrees_to_changes_nothing(tmp_path: Path) -> None:
    operator = make_operator(tmp_path)
    with operator.sit_at() as terminal:
        terminal.wait_for("[y/N]:")
        terminal.type_in("\n")
        assert terminal.end() == 1
    assert "Aborted" in terminal.screen
    assert operator.calls() == []
    assert not (tmp_path / ".local").exists()


def test_rollback_of_the_page_pauses_all_and_lets_all_go_on(database: str) -> None:
    migrate(database)
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8").partition("## Back")[2]
    stop, resume = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    with psycopg.connect(database, autocommit=True) as connection:

        def states() -> tuple[object, ...] | None:
            return connection.execute(
                "select count(*) > 3, bool_and(paused_until > now()),"
                " ops.setting('signals_enabled') from ops.schedules"
            ).fetchone()

        connection.execute(stop)
        assert states() == (True, True, "off")
        connection.execute(resume)
        assert states() == (True, None, "on")


def test_unchanged_deployment_repeats_only_the_check_and_a_change_what_depends_on_it(
    operator: Operator,
) -> None:
    assert operator.run("--yes").returncode == 0
    operator.calls()
    assert operator.run("--yes").returncode == 0
    assert operator.calls() == ["closebell doctor"]

    operator.values["UNIVERSE_SIZE"] = "300"
    assert operator.run("--yes").returncode == 0
    calls = operator.calls()
    assert fly_groups(calls) == ["functions", "collector"]
    assert all("--env=UNIVERSE_SIZE=300" in call for call in calls[:2])
    assert len(calls) == 3

    operator.values["UPSTASH_REDIS_REST_TOKEN"] = "a-newer-token"
    assert operator.run("--yes").returncode == 0
    calls = operator.calls()
    assert [call.split()[1] for call in calls] == ["secrets", "deploy", "deploy", "doctor"]

    assert operator.run("--yes", "--again").returncode == 0
    # The app is there: it is not made twice.
    assert [call.split()[1] for call in operator.calls()] == [
        *("status", "secrets", "deploy", "deploy", "deploy", "doctor"),
    ]


def test_functions_with_another_secret_are_noticed_by_the_first_call(operator: Operator) -> None:
    operator.values["FUNCTION_SECRET"] = "another-secret-than-theirs"
    failed = operator.run("--yes")
    assert failed.returncode == 1
    assert "expected 200 to a signed call, was 401" in failed.stderr
    assert "closebell deploy --again" in failed.stderr
    assert "closebell doctor" not in operator.calls()


def test_doctor_has_the_last_word(operator: Operator) -> None:
    for code, result in (("0", 0), ("1", 0), ("2", 1)):
        (operator.folder / "doctor").write_text(code)
        done = operator.run("--yes")
        assert done.returncode == result, done.stderr
        assert ("deployed, but doctor found faults" in done.stderr) == (code == "2")
        assert ("doctor has warnings" in done.stdout) == (code == "1")


def test_json_is_a_document_a_step(operator: Operator) -> None:
    done = operator.run("--yes", "--json")
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(d["step"], d["state"]) for d in documents] == [
        ("migrate", "done"),
        ("connect", "done"),
        ("app", "done"),
        ("secrets", "done"),
        ("functions", "done"),
        ("collector", "done"),
        ("dashboard", "done"),
        ("ping", "done"),
        ("timetable", "done"),
        ("doctor", "done"),
    ]


def test_another_static_host_gets_a_folder(operator: Operator) -> None:
    operator.values["DASHBOARD_HOST"] = "folder"
    assert operator.run("--yes").returncode == 0
    npm = [call for call in operator.calls() if call.startswith("npm")]
    assert npm == ["npm ci --no-audit --no-fund", "npm run build"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"FLY_REGION": "iad"}, "expected a region outside the United States, was FLY_REGION=iad"),
        (
            {"DATABASE_URL": "postgresql://u:p@x.pooler.supabase.com:6543/postgres"},
            "was the transaction pooler (port 6543)",
        ),
        ({"DATABASE_URL": "mysql://u:p@x/y"}, "expected DATABASE_URL=postgresql://"),
        (
            {"DATABASE_URL": "postgresql://postgres.another:p@x.pooler.supabase.com:5432/postgres"},
            "expected DATABASE_URL and SUPABASE_URL of one project, abc is not in the first",
        ),
        ({"SUPABASE_PUBLISHABLE_KEY": "sb_secret_x"}, "was a secret key"),
        ({"SUPABASE_URL": "http://abc.supabase.co"}, "expected SUPABASE_URL to be https"),
        ({"DASHBOARD_URL": "https://x.example/"}, "without a slash at the end"),
        ({"FUNCTION_SECRET": "short"}, "FUNCTION_SECRET"),
        (
            {"FUNCTION_SECRET": "a-secret-with-a#-in-the-middle"},
            "FUNCTION_SECRET without quotes, #",
        ),
        ({"FLY_APP": "Not A Name"}, "FLY_APP (String should match pattern"),
        ({"UNIVERSE_SIZ": "300"}, "did you mean UNIVERSE_SIZE?"),
        ({"VERCEL_ORG_ID": "team_x"}, "VERCEL_ORG_ID and VERCEL_PROJECT_ID together"),
        ({"FLY_APP": "", "DASHBOARD_URL": ""}, "expected FLY_APP, DASHBOARD_URL, were not set"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_done(
    tmp_path: Path, values: dict[str, str], said: str
) -> None:
    operator = make_operator(tmp_path, **values)
    refused = operator.run("--yes")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert said in refused.stderr
    assert operator.calls() == []


def test_missing_program_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    operator = make_operator(tmp_path)
    (tmp_path / "bin" / "flyctl").unlink()
    refused = operator.run("--yes")
    assert refused.returncode == 1
    assert "expected flyctl, was not found on PATH" in refused.stderr
    assert "https://fly.io/docs/flyctl/install" in refused.stderr


def test_file_of_settings_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = subprocess.run(
        (CLOSEBELL, "deploy", "--env-file", str(tmp_path / "staging.env")),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == 2
    assert "staging.env is not there" in result.stderr


def test_nobody_is_asked_where_nobody_can_answer(tmp_path: Path) -> None:
    refused = make_operator(tmp_path).run()
    assert refused.returncode == 2
    assert "expected --yes" in refused.stderr


def test_database_that_does_not_answer_stops_with_the_reason(tmp_path: Path) -> None:
    operator = make_operator(tmp_path)
    failed = operator.run("--yes")
    assert failed.returncode == 1
    assert "migrations and routines: expected a database, was:" in failed.stderr
    # What it says to type is for this system, not for that of .env.
    file = tmp_path / ".env"
    assert f"by hand: dotenv -f {file} run -- python -m local.migrate up;" in failed.stderr
    assert f"then: closebell deploy --env-file {file} (goes on here)" in failed.stderr
    assert "database-password" not in failed.stderr + failed.stdout
