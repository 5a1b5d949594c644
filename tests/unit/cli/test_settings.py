"""The quick way to a setting finds what the checked one finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.settings import NAME, PROJECT, read_values, require
from shared.errors import ConfigError
from shared.settings import OperatorSettings, known_names, load_settings


def test_values_are_those_of_the_checked_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment wins over .env, .env over a running cloud; an empty one counts as not set."""
    running, written = tmp_path / "operator.env", tmp_path / ".env"
    running.write_text("FUNCTIONS_URL=http://a\nSUPABASE_URL=http://b\nDASHBOARD_URL=http://c\n")
    written.write_text("supabase_url='http://d' # quoted\nDASHBOARD_URL=\nCOLLECTOR_URL=http://e\n")
    monkeypatch.setenv("COLLECTOR_URL", "http://f")
    files = (running, written, tmp_path / "nothing.env")
    checked = load_settings(OperatorSettings, files)
    values = read_values(files)
    for name in ("functions_url", "supabase_url", "dashboard_url", "collector_url"):
        assert values.get(name, "") == getattr(checked, name)
    assert values["supabase_url"] == "http://d"
    assert values["collector_url"] == "http://f"
    assert "dashboard_url" not in values


def test_missing_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="expected NO_SUCH_SETTING, was not set") as missing:
        require("no_such_setting")
    assert "make run" in missing.value.hint


def test_name_in_env_that_is_no_setting_is_refused_before_one_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    file = tmp_path / ".env"
    file.write_text("DATABASE_URI=postgresql://x\nuniverse_size=5\n")
    with pytest.raises(
        ConfigError, match=r"expected known settings in \.env, was DATABASE_URI "
    ) as e:
        require("database_url", [file])
    assert e.value.hint == "did you mean DATABASE_URL?"
    file.write_text("DATABASE_URL=postgresql://x\nuniverse_size=5\n")
    assert require("database_url", [file]) == "postgresql://x"


def test_the_page_of_all_settings_has_the_name_of_each() -> None:
    assert set(NAME.findall((PROJECT / ".env.example").read_text())) == set(known_names())
