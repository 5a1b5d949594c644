"""What a newcomer without something sees: one sentence, the command that mends it, exit not 0.

The installer runs on a copy of its inputs with a PATH of fakes, so nothing is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = """awk bash cat chmod cut date dirname env find flock grep head mkdir printf rm sed
    sha256sum sleep stat tail tee touch tr true wc"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A project folder with fake programs in `bin`: a machine that has nothing yet."""
    (tmp_path / "local").mkdir()
    (tmp_path / "bin").mkdir()
    for folder in ("local", "dashboard"):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            (tmp_path / folder / name).write_text("{}")
    (tmp_path / "uv.lock").touch()
    (tmp_path / "pyproject.toml").touch()
    shutil.copy(PROJECT / "local" / "install.sh", tmp_path / "local")
    rules = tmp_path / "shared" / "rules"
    rules.mkdir(parents=True)
    (rules / "compiled.c").touch()
    shutil.copy(PROJECT / "shared" / "rules" / "compile.sh", rules)
    for tool in TOOLS.split():
        found = shutil.which(tool)
        assert found is not None, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    fake(tmp_path, "id", "echo 1000")
    fake(tmp_path, "python3", "exit 0")
    fake(tmp_path, "apt-cache", "exit 0")
    fake(tmp_path, "apt-get", "exit 0")
    fake(tmp_path, "sudo", '[ "$1" != -n ] || shift; exec "$@"')
    return tmp_path


def fake(machine: Path, name: str, text: str) -> None:
    """Put a program of our own on the machine's PATH."""
    file = machine / "bin" / name
    file.write_text(f"#!/bin/bash\n{text}\n")
    file.chmod(0o755)


def install(machine: Path, purpose: str = "run") -> subprocess.CompletedProcess[str]:
    """Run the installer there, as on a machine without Postgres and Redis."""
    environment = {
        "PATH": str(machine / "bin"),
        "HOME": str(machine),
        "POSTGRES_PROGRAMS": str(machine / "nothing"),
        "POSTGRES_EXTENSIONS": str(machine / "nothing"),
    }
    return subprocess.run(
        [str(machine / "bin" / "bash"), "local/install.sh", purpose],
        cwd=machine,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


PACKAGES = "gcc postgresql-15 postgresql-15-cron redis-server"


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one sentence; the exit code must say failure."""
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1]


def test_install_without_sudo_names_the_command_for_root(machine: Path) -> None:
    (machine / "bin" / "sudo").unlink()
    assert last_words(install(machine)) == (
        f"closebell: installing {PACKAGES} needs root and there is no sudo; "
        f"as root: apt-get install -y {PACKAGES}"
    )


def test_install_with_sudo_that_wants_a_password_names_the_command(machine: Path) -> None:
    fake(machine, "sudo", "exit 1")
    assert last_words(install(machine)).endswith(
        f"sudo wants a password; run: sudo apt-get install -y {PACKAGES}"
    )


def test_install_without_network_says_so(machine: Path) -> None:
    fake(machine, "apt-get", "echo \"Err:1 Could not resolve 'deb.debian.org'\"; exit 100")
    assert last_words(install(machine)) == (
        "closebell: package lists failed: no network, or a package server does not answer; "
        "connect, then: make run"
    )


def test_install_without_apt_names_what_is_needed(machine: Path) -> None:
    (machine / "bin" / "apt-get").unlink()
    assert f"install by its own means what Debian calls {PACKAGES}" in last_words(install(machine))


def test_install_without_a_package_in_the_sources_names_it(machine: Path) -> None:
    fake(machine, "apt-cache", '[ "$2" != postgresql-15-cron ]')
    assert "the package postgresql-15-cron is not in this system's sources" in last_words(
        install(machine)
    )


def test_install_with_old_python_names_the_version(machine: Path) -> None:
    fake(machine, "python3", '[ "$1" = -V ] && echo Python 3.9.2; [[ "$2" != *version_info* ]]')
    assert last_words(install(machine)).startswith(
        "closebell: Python 3.11 or newer is needed, found Python 3.9.2"
    )


def test_install_where_it_may_not_write_says_so(machine: Path) -> None:
    (machine / ".local").touch()  # Root may write into any folder, but into no file as a folder.
    assert "is not yours to write" in last_words(install(machine))


def test_install_twice_skips_what_is_done(machine: Path) -> None:
    for name, text in {
        "redis-server": "exit 0",
        "cc": 'echo "$@" >libcompiled.so.new',
        "mv": 'exec /bin/mv "$@"',
        # Makes an environment whose programs are these fakes.
        "python3": 'if [ "$2" = venv ]; then mkdir -p .venv/bin; '
        "cp bin/python3 bin/uv bin/npm .venv/bin/; cp bin/python3 .venv/bin/python; fi; exit 0",
        "uv": 'if [ "$1" = --version ]; then echo uv 0.13.8; else echo synced >>calls; fi',
        # What is built comes last: anything newer would be a reason to build again.
        "npm": 'echo "npm $1" >>calls; mkdir -p node_modules; [ "$1" = run ] || exit 0; '
        "mkdir -p dist; touch dist/index.html",
        "cp": 'exec /bin/cp "$@"',
    }.items():
        fake(machine, name, text)
    (machine / "nothing").mkdir()
    for name in ("initdb", "pg_cron.control"):
        fake(machine, name, "exit 0")
        (machine / "bin" / name).rename(machine / "nothing" / name)
    first = install(machine)
    assert first.returncode == 0, first.stderr
    for title in (
        "Python packages",
        "npm packages (local)",
        "npm packages (dashboard)",
        "rule engine",
        "✓ dashboard",
    ):
        assert title in first.stdout
    second = install(machine)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    (machine / "uv.lock").write_text("changed")
    assert "Python packages" in install(machine).stdout
    rules = machine / "shared" / "rules"
    for changed in ("compiled.c", "libcompiled.so"):
        (rules / changed).write_text("changed")
        assert "rule engine" in install(machine).stdout
    assert install(machine).stdout == ""
