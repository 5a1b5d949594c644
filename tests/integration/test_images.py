"""The images: what is in them, and that their own entry points run in them, as their user.

Built layer by layer from deploy/Dockerfile without Docker (tests/dockerfile.py): packages from uv's
cache, files as .dockerignore lets them in. Run in a root that holds the image's files and nothing
else, with the environment of the image and the variables that docs/settings.md names.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from local.ports import find_free_base
from shared.signing import signed_headers
from tests.dockerfile import (
    Builder,
    Stage,
    files_of,
    is_ignored,
    read_ignored,
    read_stages,
    unpacked_bytes,
)
from tests.images import (
    DOCKERFILE,
    LIMIT_BYTES,
    ROOT,
    UV,
    UV_IMAGE,
    builder,
    can_run,
    inside,
    running,
)
from tests.stack import Stack

GROUPS = ("collector", "functions")
READY_TIMEOUT_S = 120.0
SECRET = "a-secret-for-tests"
FUNCTIONS_ENVIRONMENT = {
    "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
    "UPSTASH_REDIS_REST_TOKEN": "a token",
    "FUNCTIONS_URL": "http://127.0.0.1:9",
    "FUNCTION_SECRET": SECRET,
    "SUPABASE_URL": "http://127.0.0.1:9",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
}
# Every module of the group with what it imports, and every extension of the standard library.
IMPORT_ALL = """
import importlib, json, pathlib, pkgutil, ssl, sys, sysconfig, warnings
warnings.simplefilter("ignore", DeprecationWarning)
path = importlib.import_module(sys.argv[1]).__path__
names = [module.name for module in pkgutil.walk_packages(path, f"{sys.argv[1]}.")]
library = pathlib.Path(sysconfig.get_path("stdlib"), "lib-dynload")
names += [file.name.partition(".")[0] for file in library.glob("*.so")]
for name in names:
    importlib.import_module(name)
authorities = ssl.create_default_context().cert_store_stats()["x509_ca"]
print(json.dumps({"modules": len(names), "authorities": authorities}))
"""
FLY = tomllib.loads((ROOT / "fly.toml").read_text())


@pytest.fixture(scope="module")
def images() -> Iterator[Builder]:
    if not Path("/usr/bin/python3.11").exists():
        pytest.skip("the images are made of this machine's Debian 12: no /usr/bin/python3.11")
    if not can_run():
        pytest.skip("unshare: this machine lets nobody have a root of their own")
    # Not under pytest's folder: the images' user could not reach into that.
    folder = Path(tempfile.mkdtemp(prefix="closebell-images-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield builder(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Poll until the condition holds; fail with what the process said once it ended or is late."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not condition():
        alive = process.poll() is None and time.monotonic() < deadline
        assert alive, f"expected a healthy process: {log.read_text()[-2000:]}"
        time.sleep(0.05)


def answers(url: str, status: int) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == status
    except httpx.TransportError:
        return False


def run(
    stage: Stage, command: list[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the image to its end."""
    return subprocess.run(
        inside(stage, command),
        executable="/usr/bin/unshare",
        env={**stage.env, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=READY_TIMEOUT_S,
        check=False,
    )


def health(stage: Stage, environment: dict[str, str]) -> int:
    """Return the exit code of the image's own health check."""
    return run(stage, stage.health_command, environment).returncode


def written(stage: Stage) -> dict[Path, int]:
    """Return when each file of the image was written, but for /tmp's."""
    files = [p for p in files_of(stage) if stage.path("/tmp") not in p.parents]
    return {p: p.lstat().st_mtime_ns for p in files}


def test_functions_image_has_the_compiled_part_of_the_engine(images: Builder) -> None:
    average = (
        "import numpy as np; from shared.rules import compiled;"
        " print(compiled.exponential(np.full((3, 64), 7.0), [0.5], [2], 1)[0, 0, 0])"
    )
    ran = run(images.build("functions"), ["/app/.venv/bin/python", "-c", average])
    assert (ran.returncode, ran.stdout) == (0, "7.0\n"), ran.stderr
    library = "/app/shared/rules/libcompiled.so"
    assert not images.build("collector").path(library).exists()


@pytest.mark.parametrize("group", GROUPS)
def test_image_holds_its_group_compiled_and_nothing_else(images: Builder, group: str) -> None:
    stage = images.build(group)
    app = stage.path("/app")
    assert sorted(p.name for p in app.iterdir()) == sorted(
        [".venv", "pyproject.toml", "uv.lock", "shared", group]
    )
    ours = [p for folder in ("shared", group) for p in (app / folder).rglob("*.py")]
    repository = {
        p.relative_to(ROOT) for folder in ("shared", group) for p in (ROOT / folder).rglob("*.py")
    }
    assert {p.relative_to(app) for p in ours} == repository
    assert [p for p in ours if not list(p.parent.glob(f"__pycache__/{p.stem}.*.pyc"))] == []
    packages = app / ".venv" / "lib"
    names = {p.name for p in packages.glob("*/site-packages/*")}
    assert "numpy" in names
    assert names & {"psycopg", "typer", "pytest", "aiohttp", "uv", "pip", "closebell"} == set()
    assert ("supabase" in names, "picows" in names) == (
        group == "functions",
        group == "collector",
    )


@pytest.mark.parametrize("group", GROUPS)
def test_image_is_small_and_runs_as_an_ordinary_user(images: Builder, group: str) -> None:
    stage = images.build(group)
    assert unpacked_bytes(stage) < LIMIT_BYTES[group]
    assert stage.user == "10001:10001"
    name = run(stage, ["python", "-c", "import os, pwd; print(pwd.getpwuid(10001).pw_name)"])
    assert name.stdout == "closebell\n", name.stderr


@pytest.mark.parametrize("group", GROUPS)
def test_image_has_no_shell_and_all_that_its_modules_need(images: Builder, group: str) -> None:
    stage = images.build(group)
    assert [p.name for p in stage.path("/usr/bin").iterdir() if not p.is_symlink()] == [
        "python3.11"
    ]
    imported = run(stage, ["python", "-c", IMPORT_ALL, group], FUNCTIONS_ENVIRONMENT)
    assert imported.returncode == 0, imported.stderr
    counts = json.loads(imported.stdout)
    assert counts["modules"] > 30
    assert counts["authorities"] > 100, "certificates, to speak to the venue and the stores"


def test_collector_image_follows_a_venue_and_ends_within_the_kill_timeout(
    images: Builder, tmp_path: Path
) -> None:
    stage = images.build("collector")
    log = tmp_path / "collector.log"
    before = written(stage)
    with Stack(
        names=("redis", "upstash", "venue"), environment={"VENUE_SPEED": "60", "UNIVERSE_SIZE": "5"}
    ) as stack:
        cloud = stack.cloud
        port = find_free_base().collector
        environment = {
            "UPSTASH_REDIS_REST_URL": cloud.local_url(cloud.ports.upstash),
            "UPSTASH_REDIS_REST_TOKEN": cloud.secrets.redis_token,
            "FUNCTIONS_URL": cloud.functions_url,
            "FUNCTION_SECRET": SECRET,
            "FEED": "simulated",
            "VENUE_TIME_SPEED": "60",
            "UNIVERSE_SIZE": "5",
            "COMMANDS_PER_MONTH_MAX": "100000000",
            "BINANCE_REST_URL": cloud.local_url(cloud.ports.venue),
            "BINANCE_STREAM_URL": f"ws://127.0.0.1:{cloud.ports.venue}",
            "COLLECTOR_HOST": FLY["env"]["COLLECTOR_HOST"],
            "COLLECTOR_PORT": str(port),
        }
        assert health(stage, environment) != 0
        with running(stage, environment, log) as process:
            url = f"http://127.0.0.1:{port}/health"
            wait_for(lambda: answers(url, 200), process, log)
            assert health(stage, environment) == 0
            assert answers(f"http://[::1]:{port}/health", 200), "Fly's private network is IPv6"
            process.send_signal(signal.Signals[FLY["kill_signal"]])
            # The promise of run.py; Fly waits for kill_timeout.
            assert process.wait(5.0) == 0
    assert written(stage) == before


def test_functions_image_answers_health_and_a_signed_call(images: Builder, tmp_path: Path) -> None:
    stage = images.build("functions")
    log = tmp_path / "functions.log"
    before = written(stage)
    port = find_free_base().functions
    url = f"http://127.0.0.1:{port}"
    environment = FUNCTIONS_ENVIRONMENT | {"FUNCTIONS_URL": url, "PORT": str(port)}
    with running(stage, environment, log) as process:
        wait_for(lambda: answers(f"{url}/health", 200), process, log)
        assert health(stage, environment) == 0
        body = b'{"runs":[]}'
        headers = signed_headers(SECRET, int(time.time()), body)
        answer = httpx.post(
            f"{url}/trigger_executions", content=body, headers=headers, timeout=READY_TIMEOUT_S
        )
        assert (answer.status_code, answer.json()["runs"]) == (200, [])
        process.send_signal(signal.Signals[FLY["kill_signal"]])
        process.wait(float(FLY["kill_timeout"].removesuffix("s")))
    assert written(stage) == before


def test_image_without_a_setting_refuses_to_start_by_its_name(
    images: Builder, tmp_path: Path
) -> None:
    log = tmp_path / "refused.log"
    for group, code in (("collector", 2), ("functions", 1)):
        with running(images.build(group), {}, log) as process:
            assert process.wait(READY_TIMEOUT_S) == code
        assert "UPSTASH_REDIS_REST_TOKEN (Field required)" in log.read_text()


def test_fly_runs_what_the_images_run_and_one_collector_that_never_stops() -> None:
    commands = {
        stage.name: json.loads(step.text)
        for stage in read_stages(DOCKERFILE)
        for step in stage.instructions
        if step.keyword == "CMD"
    }
    assert {name: shlex.split(text) for name, text in FLY["processes"].items()} == commands
    service = FLY["http_service"]
    assert (service["processes"], service["min_machines_running"]) == (["functions"], 0)
    assert (service["auto_stop_machines"], service["auto_start_machines"]) == ("stop", True)
    assert "services" not in FLY, "a service of the collector would let the proxy stop it"
    policies = {tuple(entry["processes"]): entry["policy"] for entry in FLY["restart"]}
    assert policies[("collector",)] == "always"
    assert FLY["deploy"]["strategy"] == "rolling", "two collectors at once write frames twice"
    assert FLY["checks"]["collector"]["processes"] == ["collector"]
    assert {tuple(vm["processes"]): (vm["size"], vm["memory"]) for vm in FLY["vm"]} == {
        ("collector",): ("shared-cpu-1x", "256mb"),
        ("functions",): ("shared-cpu-1x", "256mb"),
    }
    assert FLY["primary_region"] not in {"dfw", "ewr", "iad", "lax", "ord", "sjc"}
    assert (ROOT / FLY["build"]["dockerfile"]) == DOCKERFILE
    assert (ROOT / FLY["build"]["ignorefile"]).exists()


def test_one_release_of_uv_everywhere() -> None:
    pinned = re.search(r"uv_version=(\S+)", (ROOT / "local" / "install.sh").read_text())
    said = subprocess.run((UV, "--version"), capture_output=True, text=True, check=True).stdout
    assert pinned
    assert UV_IMAGE.rpartition(":")[2] == pinned[1] == said.split()[1]
    assert UV_IMAGE in DOCKERFILE.read_text()


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("shared/settings.py", False),
        ("shared/store/frames.py", False),
        ("pyproject.toml", False),
        ("shared/__pycache__/errors.pyc", True),
        ("collector/venues/__pycache__/x.pyc", True),
        (".env", True),
        (".local/secrets.json", True),
        ("local/secrets.py", True),
        ("deploy/system.sh", False),
        ("deploy/supabase.sh", True),
        ("tests/pyproject.toml", True),
        ("sharedness/x.py", True),
    ],
)
def test_build_context_lets_in_what_is_copied_and_no_secret(path: str, ignored: bool) -> None:
    patterns = read_ignored(DOCKERFILE.with_name("Dockerfile.dockerignore"))
    assert is_ignored(path, patterns) is ignored
