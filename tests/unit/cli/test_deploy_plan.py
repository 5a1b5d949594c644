"""What a deployment does again: only where what it deploys has changed."""

from __future__ import annotations

from pathlib import Path

from cli.deploy_plan import image_sources


def test_image_is_of_every_source_and_of_nothing_that_was_built(tmp_path: Path) -> None:
    names = ("rules/a.py", "rules/compiled.c", "rules/compile.sh", "cost/prices.toml")
    built = (
        "rules/libcompiled.so",
        "rules/libcompiled.so.new",
        "rules/__pycache__/a.cpython-311.pyc",
    )
    for name in (*names, *built):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    found = {str(path.relative_to(tmp_path)) for path in image_sources(tmp_path)}
    assert found == set(names)
