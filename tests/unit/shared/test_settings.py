"""Settings: what is missing, impossible or unknown refuses the start; the pages are whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from docs.settings import ENV_EXAMPLE, PAGE, render_env_example, render_page
from local.settings import LocalSettings
from shared import settings
from shared.errors import ConfigError
from shared.settings import (
    DEPLOYED_SECRETS,
    KINDS,
    CollectorSettings,
    DeploySettings,
    FunctionsSettings,
    OperatorSettings,
    known_names,
    load_settings,
)

NEEDED = {
    "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:1",
    "UPSTASH_REDIS_REST_TOKEN": "a token",
    "FUNCTIONS_URL": "http://127.0.0.1:2",
    "FUNCTION_SECRET": "a secret of sixteen",
    "SUPABASE_URL": "http://127.0.0.1:3",
    "SUPABASE_SECRET_KEY": "sb_secret_x",
}


def env_file(folder: Path, values: dict[str, str]) -> Path:
    file = folder / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return file


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in known_names():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("missing", sorted(NEEDED))
def test_start_without_a_needed_setting_is_refused_by_its_name(
    tmp_path: Path, missing: str
) -> None:
    values = {name: value for name, value in NEEDED.items() if name != missing}
    with pytest.raises(ConfigError, match=rf"was {missing} \(Field required\)"):
        load_settings(FunctionsSettings, [env_file(tmp_path, values)])


def test_impossible_value_is_refused_by_its_name(tmp_path: Path) -> None:
    file = env_file(tmp_path, NEEDED | {"UNIVERSE_SIZE": "5000", "FRAME_WAIT_S": "soon"})
    with pytest.raises(ConfigError, match=r"UNIVERSE_SIZE \(Input should be less than or equal to"):
        load_settings(CollectorSettings, [file])
    with pytest.raises(ConfigError, match=r"FRAME_WAIT_S \(Input should be a valid number"):
        load_settings(FunctionsSettings, [file])


def test_unknown_name_in_the_file_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    file = env_file(tmp_path, {"UPSTASH_REDIS_REST_TOKE": "x"})
    with pytest.raises(ConfigError) as caught:
        load_settings(OperatorSettings, [file])
    assert caught.value.message == "expected known settings in .env, was UPSTASH_REDIS_REST_TOKE"
    assert caught.value.hint == "did you mean UPSTASH_REDIS_REST_TOKEN?"


def test_unknown_name_unlike_any_other_points_at_the_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(OperatorSettings, [env_file(tmp_path, {"ZZZ": "x", "QQQ": "y"})])
    assert caught.value.message.endswith("was ZZZ, QQQ")
    assert caught.value.hint == "docs/settings.md lists them all"


def test_names_of_other_parts_are_no_mistake_and_case_does_not_matter(tmp_path: Path) -> None:
    file = env_file(tmp_path, NEEDED | {"fly_app": "mine", "UNIVERSE_SIZE": "7"})
    assert load_settings(CollectorSettings, [file]).universe_size == 7
    assert load_settings(DeploySettings, [file]).fly_app == "mine"


def test_every_kind_is_listed_and_local_settings_have_no_name_of_their_own() -> None:
    kinds = {
        kind
        for kind in vars(settings).values()
        if isinstance(kind, type) and issubclass(kind, BaseSettings) and kind is not BaseSettings
    }
    names = {name.upper() for kind in kinds for name in kind.model_fields}
    assert names == set(known_names())
    assert {name.upper() for name in LocalSettings.model_fields} <= names
    assert set(DEPLOYED_SECRETS) <= names
    assert len(KINDS) == len(set(KINDS))


def test_env_example_and_the_page_are_what_the_settings_say() -> None:
    assert ENV_EXAMPLE.read_text() == render_env_example(), "python -m docs.settings"
    assert PAGE.read_text() == render_page(), "python -m docs.settings"
