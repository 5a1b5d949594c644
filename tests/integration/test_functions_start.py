"""The functions' process: it refuses to start without its settings and names what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from shared.settings import FunctionsSettings

PROJECT = Path(__file__).resolve().parents[2]
COMPLETE = {
    "SUPABASE_URL": "http://127.0.0.1:9",
    "SUPABASE_SECRET_KEY": "sb_secret_of_a_test",
    "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
    "UPSTASH_REDIS_REST_TOKEN": "a-token",
    "FUNCTIONS_URL": "http://127.0.0.1:9",
    "FUNCTION_SECRET": "a-secret-of-sixteen-characters",
}


def start(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Import the target as the host does, in a folder without an .env."""
    known = {name.upper() for name in FunctionsSettings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name not in known}
    return subprocess.run(
        [sys.executable, "-c", "import functions.main"],
        cwd=folder,
        env=environment | settings | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_process_with_all_settings_starts(tmp_path: Path) -> None:
    result = start(tmp_path, COMPLETE)
    assert (result.returncode, result.stderr) == (0, "")


def test_process_without_a_setting_refuses_to_start_and_names_it(tmp_path: Path) -> None:
    settings = {name: value for name, value in COMPLETE.items() if name != "SUPABASE_SECRET_KEY"}
    result = start(tmp_path, settings)
    assert result.returncode == 1
    assert "SUPABASE_SECRET_KEY" in result.stderr
    assert "Traceback" not in result.stderr
