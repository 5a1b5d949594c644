"""The supervisor with small services of its own, and with the real Postgres and Redis.

Values only: what is ready, what is running, what is in the log, how long it took.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import redis.asyncio

from local.parts import Part, Service, Step
from local.ports import HOST, find_free_base, is_free
from local.postgres import STOP_SIGNAL, PostgresCluster
from local.processes import ProcessMark, is_running, mark_of, processes_in
from local.redis_server import RedisServer
from local.state import StateDir
from local.supervisor import Supervisor, probe
from shared.errors import ConfigError

DEADLINE_S = 90.0


class Notes:
    """A report that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, name: str) -> None:
        self.lines.append(f"started {name}")

    def ready(self, name: str, elapsed_s: float) -> None:
        self.lines.append(f"ready {name}")

    def ended(self, name: str, outcome: str, delay_s: float) -> None:
        self.lines.append(f"{name} {outcome}")


@pytest.fixture
def state() -> Iterator[StateDir]:
    """A state folder that Postgres' user may reach into, also when root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="closebell-test-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        made = StateDir(Path(folder) / "state")
        made.create()
        yield made
        made.unlock()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail after a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 (what is awaited is other processes)
            await asyncio.sleep(0.01)


async def back_once(supervisor: Supervisor, name: str) -> None:
    """Wait until the service was started again one time and is ready."""
    await eventually(lambda: supervisor.restarts[name] == 1 and supervisor.is_ready(name))


@asynccontextmanager
async def running(
    parts: Sequence[Part], state: StateDir, notes: Notes | None = None
) -> AsyncIterator[Supervisor]:
    """Run the parts, give the supervisor when all are ready, and stop it."""
    supervisor = Supervisor(parts, state, notes or Notes())
    ready = asyncio.Event()
    task = asyncio.create_task(supervisor.run(ready.set))
    await eventually(lambda: ready.is_set() or task.done())
    if task.done():
        await task
    try:
        yield supervisor
    finally:
        supervisor.request_stop()
        await task


def script(name: str, text: str, state: StateDir, needs: tuple[str, ...] = ()) -> Service:
    """Return a service that runs Python text and is ready once it made the file `<name>.ready`."""
    imports = "import os, pathlib, sys, time\n"
    flag = state.root / f"{name}.ready"

    async def probe() -> bool:
        return flag.exists()

    async def prepare() -> None:
        flag.unlink(missing_ok=True)

    return Service(
        name=name,
        command=(sys.executable, "-c", f"{imports}flag = pathlib.Path({str(flag)!r})\n{text}"),
        probe=probe,
        prepare=prepare,
        needs=needs,
        cwd=state.root,
    )


SLEEP = "print('hello from', os.getpid(), flush=True)\nflag.touch()\ntime.sleep(600)"


async def test_supervisor_starts_in_the_order_of_needs(state: StateDir) -> None:
    done: list[str] = []

    async def act() -> None:
        done.append("step")

    notes = Notes()
    parts: list[Part] = [
        script("last", SLEEP, state, needs=("middle",)),
        Step(name="middle", action=act, needs=("first",)),
        script("first", SLEEP, state),
    ]
    async with running(parts, state, notes) as supervisor:
        assert done == ["step"]
        assert [line for line in notes.lines if line.startswith("ready")] == [
            "ready first",
            "ready middle",
            "ready last",
        ]
        assert set(supervisor.pids()) == {"first", "last"}


async def test_killed_service_comes_back_and_keeps_its_log(state: StateDir) -> None:
    async with running([script("one", SLEEP, state)], state) as supervisor:
        before = supervisor.pids()["one"]
        os.kill(before, signal.SIGKILL)
        await back_once(supervisor, "one")
        after = supervisor.pids()["one"]
        assert after != before
        log = state.logs / "one.log"
        await eventually(lambda: f"hello from {after}" in log.read_text())
        assert f"hello from {before}" in log.read_text()


async def test_stop_ends_every_process_also_grandchildren_and_deaf_ones(state: StateDir) -> None:
    grandchild = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "(flag.parent / 'grandchild').write_text(str(child.pid))\n" + SLEEP
    )
    parts = [script("deaf", grandchild, state), script("one", SLEEP, state, needs=("deaf",))]
    async with running(parts, state) as supervisor:
        pids = [*supervisor.pids().values(), int((state.root / "grandchild").read_text())]
        marks = [mark for pid in pids if (mark := mark_of(pid)) is not None]
        assert len(marks) == 3
        began_s = time.monotonic()
    # The deaf one is given 5 s.
    assert time.monotonic() - began_s < 60
    # Killed, all of them; the kernel may take a moment to clear the last one away.
    await eventually(lambda: not any(map(is_running, marks)))
    assert list(state.pids.iterdir()) == []


async def test_service_that_cannot_start_is_named_with_its_last_words(state: StateDir) -> None:
    parts = [script("broken", "sys.exit('no such table: moon')", state), script("ok", SLEEP, state)]
    with pytest.raises(ConfigError, match=r"broken to start, exited 1: no such table: moon"):
        async with running(parts, state):
            pass
    assert list(processes_in(state.root)) == []


async def test_probe_that_is_given_up_as_it_answers_is_given_up(state: StateDir) -> None:
    answer = asyncio.get_running_loop().create_future()

    async def answered() -> bool:
        await answer
        return False

    service = Service(name="ended", command=("true",), probe=answered, cwd=state.root)
    asking = asyncio.create_task(probe(service))
    await asyncio.sleep(0)
    # The process ends, and its probing with it, in the very moment of the answer.
    answer.set_result(None)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_failing_step_stops_everything(state: StateDir) -> None:
    async def act() -> None:
        raise ConfigError("expected a moon, was none")

    parts: list[Part] = [script("one", SLEEP, state), Step(name="step", action=act, needs=("one",))]
    with pytest.raises(ConfigError, match="expected a moon"):
        async with running(parts, state):
            pass
    assert list(processes_in(state.root)) == []


async def test_children_end_when_the_supervisor_is_killed(state: StateDir) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from tests.integration.test_supervisor import Notes, SLEEP, script\n"
        "from local.state import StateDir\nfrom local.supervisor import Supervisor\n"
        f"state = StateDir(pathlib.Path({str(state.root)!r}))\nassert state.try_lock()\n"
        "asyncio.run(Supervisor([script('one', SLEEP, state)], state, Notes()).run())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    await eventually((state.root / "one.ready").exists)
    await eventually(lambda: "one" in state.stale_processes())
    child = state.stale_processes()["one"]
    assert is_running(child)
    assert not state.try_lock()
    process.kill()
    await process.wait()
    await eventually(lambda: not is_running(child))
    assert state.try_lock()
    assert state.end_stale_processes() == []
    assert list(state.pids.iterdir()) == []


def test_note_of_a_process_that_goes_while_it_is_read_is_no_process(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.create()
    # As a reader meets it whose supervisor deletes the file in between.
    (state.pids / "gone.pid").symlink_to(tmp_path / "nowhere")
    assert state.stale_processes() == {}


async def test_stale_process_is_ended_but_a_stranger_with_its_number_is_not(
    state: StateDir,
) -> None:
    ours = await asyncio.create_subprocess_exec("sleep", "600", process_group=0)
    stranger = await asyncio.create_subprocess_exec("sleep", "600", process_group=0)
    mark = mark_of(ours.pid)
    assert mark is not None
    state.remember_process("ours", mark)
    state.remember_process("recycled", ProcessMark(stranger.pid, 1))
    assert await asyncio.to_thread(state.end_stale_processes) == ["ours"]
    assert await ours.wait() == -signal.SIGTERM
    assert stranger.returncode is None and mark_of(stranger.pid) is not None
    stranger.kill()
    await stranger.wait()


def database_parts(
    state: StateDir, durable: bool
) -> tuple[list[Part], PostgresCluster, RedisServer]:
    base = find_free_base()
    postgres = PostgresCluster(state.root, base.postgres, "a password", durable=durable)
    server = RedisServer(state.root, base.redis)

    async def prepare() -> None:
        await postgres.create()
        await postgres.clear_leftovers()

    parts: list[Part] = [
        Service(
            name="postgres",
            command=postgres.command,
            probe=postgres.answers,
            prepare=prepare,
            cwd=state.root,
            user=postgres.user,
            stop_signal=STOP_SIGNAL,
        ),
        Service(
            name="redis",
            command=server.command,
            probe=server.answers,
            prepare=server.create,
            cwd=state.root,
        ),
    ]
    return parts, postgres, server


async def test_postgres_and_redis_survive_kill_and_restart_with_their_data(
    state: StateDir,
) -> None:
    parts, postgres, server = database_parts(state, durable=True)

    async def query(text: str) -> object:
        async with await psycopg.AsyncConnection.connect(
            postgres.dsn, autocommit=True
        ) as connection:
            cursor = await connection.execute(text.encode())
            row = await cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    client = redis.asyncio.Redis(host=HOST, port=server.port, decode_responses=True)
    async with running(parts, state) as supervisor:
        await query("create extension pg_cron")
        await query("create table kept as select 42 as answer")
        assert await query("show cron.use_background_workers") == "on"
        await client.set("kept", "42")
        for name, pid in supervisor.pids().items():
            os.kill(pid, signal.SIGKILL)
            await back_once(supervisor, name)
        assert await query("select answer from kept") == 42
        assert await client.get("kept") == "42"
    async with running(parts, state) as supervisor:
        assert await query("select answer from kept") == 42
        assert await client.get("kept") == "42"
    await client.aclose()
    assert is_free(postgres.port) and is_free(server.port)
    # A backend may outlive its postmaster by a moment.
    await eventually(lambda: list(processes_in(postgres.data)) == [])


async def test_stale_pid_file_with_a_strangers_number_does_not_stop_postgres(
    state: StateDir,
) -> None:
    parts, postgres, _ = database_parts(state, durable=False)
    async with running(parts[:1], state):
        pass
    # As after a crash of the machine: the number now belongs to a living process (this one).
    lines = [str(os.getppid()), str(postgres.data), "1", str(postgres.port), "", HOST, ""]
    (postgres.data / "postmaster.pid").write_text("\n".join(lines))
    async with running(parts[:1], state):
        assert await postgres.answers()


async def test_cluster_lies_where_its_user_may_reach_it(state: StateDir) -> None:
    closed = state.root / "closed"
    closed.mkdir(mode=0o700)
    postgres = PostgresCluster(closed, find_free_base().postgres, "password", durable=False)
    await postgres.create()
    try:
        owner = postgres.data.stat()
        assert owner.st_uid != 0, "Postgres refuses to run as root"
        assert stat.S_IMODE(owner.st_mode) == 0o700
        if os.geteuid() == 0:
            assert postgres.home.parent == Path("/var/tmp")
        else:
            assert postgres.home == closed
        assert not (postgres.home / "initdb.password").exists()
    finally:
        postgres.remove()
    assert not postgres.data.exists()
    assert closed.exists() and (postgres.home == closed or not postgres.home.exists())
