"""Settings: all there, none unknown, none impossible; and the disk they lie on."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from cli.checks.check import Finding, fault, ok, warning
from cli.checks.ground import Ground
from cli.settings import OPERATOR_FILE
from shared import settings as all_settings
from shared.settings import OperatorSettings

START = "make run"
# A Postgres that cannot write its log stops; `make run` keeps 10 MB of log a part, and its data.
DISK_FREE_BYTES_WARN, DISK_FREE_BYTES_MIN = 2_000_000_000, 300_000_000


async def ask_settings(ground: Ground) -> Finding:
    """Look at the names in .env, and at the values of the operator's settings."""
    kinds = [
        kind
        for kind in vars(all_settings).values()
        if isinstance(kind, type)
        and issubclass(kind, BaseSettings)
        and kind.__module__ == all_settings.__name__
    ]
    file = ground.settings_files[-1]
    return judge_settings(
        ground.values,
        written=[name.lower() for name in dotenv_values(file)] if file.is_file() else [],
        known={name for kind in kinds for name in kind.model_fields},
        wanted=tuple(OperatorSettings.model_fields),
        is_running=OPERATOR_FILE.is_file(),
        problems=[text for kind in kinds for text in _problems(kind, ground.settings_files)],
    )


def _problems(kind: type[BaseSettings], files: Sequence[Path]) -> list[str]:
    """Return what is impossible in the settings of a part; what it lacks may be set elsewhere."""
    try:
        kind(_env_file=tuple(files))
    except ValidationError as error:
        return [
            f"{str(problem['loc'][0]).upper()}: {problem['msg']}"
            for problem in error.errors()
            if problem["type"] != "missing"
        ]
    return []


def judge_settings(
    values: Mapping[str, str],
    *,
    written: Collection[str],
    known: Collection[str],
    wanted: Collection[str],
    is_running: bool,
    problems: Collection[str] = (),
) -> Finding:
    """Judge names and presence; `written` are the names in .env, all in lower case."""
    if problems:
        # Parts share settings: the same mistake is found more than once.
        return fault(
            "; ".join(dict.fromkeys(problems)),
            "edit .env; .env.example lists every setting with its unit",
        )
    unknown = [name for name in written if name not in known]
    if unknown:
        return fault(
            "; ".join(_unknown(name, known) for name in unknown), _rename(unknown[0], known)
        )
    have = [name for name in wanted if values.get(name)]
    if not have:
        return fault("no local cloud is running, and nothing is set in .env", START)
    missing = [name.upper() for name in wanted if name not in have]
    place = "by `make run`" if is_running else "in .env or the environment"
    if missing:
        return warning(f"{', '.join(missing)} not set {place}", f"echo {missing[0]}=… >> .env")
    return ok(f"{len(have)} of {len(wanted)} set {place}")


def _unknown(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    meant = f", did you mean {near[0].upper()}?" if near else ""
    return f"{name.upper()} in .env is not a setting{meant}"


def _rename(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"sed -i 's/^{name.upper()}=/{near[0].upper()}=/' .env"
    return f"sed -i '/^{name.upper()}=/d' .env"


async def ask_disk(ground: Ground) -> Finding:
    """Look at the disk on which the settings, and with them the local cloud, lie."""
    return judge_disk(shutil.disk_usage(ground.settings_files[-1].parent).free)


def judge_disk(free_bytes: int) -> Finding:
    """Judge the room left."""
    found = f"{free_bytes / 1e9:,.1f} GB free"
    if free_bytes < DISK_FREE_BYTES_MIN:
        return fault(found)
    return warning(found) if free_bytes < DISK_FREE_BYTES_WARN else ok(found)
