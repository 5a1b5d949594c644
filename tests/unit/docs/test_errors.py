"""docs/errors.md explains every code that Python or Postgres raises, and no code that is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import shared.errors
from shared.errors import ClosebellError
from shared.store.database import REFUSALS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "errors.md").read_text("utf-8")
CODES = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
# Groups of the tree, never raised themselves.
GROUPS = {"ClosebellError", "FeedError", "StoreError", "RunError"}


def tree(kind: type[ClosebellError] = ClosebellError) -> Iterator[type[ClosebellError]]:
    """Yield the tree; a stand-in's own answers, loaded by other tests, are no part of it."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == shared.errors.__name__:
            yield from tree(below)


def sql_codes() -> dict[str, list[str]]:
    """Return SQLSTATE → files of sql/ that raise it by themselves."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "sql").rglob("*.sql")):
        if path.name == "schema.sql":
            continue
        text = path.read_text("utf-8")
        for code in re.findall(r"(?:raise\s+sqlstate|errcode\s*=)\s*'(\w{5})'", text):
            found.setdefault(code, []).append(path.name)
        assert not re.search(r"raise\s+exception\s+'", text), (
            f"{path.name}: an error without a code"
        )
    return found


def reply_codes() -> set[str]:
    """Return the codes that the functions write themselves."""
    return {
        code
        for path in (ROOT / "functions").rglob("*.py")
        for code in re.findall(r'"code": "(\w+)"', path.read_text("utf-8"))
    }


def test_every_leaf_of_the_tree_is_explained() -> None:
    leaves = {kind.__name__ for kind in tree()} - GROUPS
    assert len(leaves) >= 17
    assert leaves - CODES == set()


def test_the_tree_is_drawn_whole() -> None:
    drawing = (shared.errors.__doc__ or "").split("```")[1]
    assert {kind.__name__ for kind in tree()} == set(re.findall(r"[A-Z]\w+", drawing))


def test_every_code_of_a_reply_is_explained() -> None:
    assert {"InternalError", "MethodNotAllowed"} <= reply_codes()
    assert reply_codes() - CODES == set()


def test_every_sqlstate_is_explained() -> None:
    raised = sql_codes()
    assert {"PT400", "PT403", "PT404", "PT409", "PT500", "PT503"} <= set(raised)
    assert {code: files for code, files in raised.items() if code not in CODES} == {}


def test_page_says_what_the_functions_make_of_an_sqlstate() -> None:
    for code, kind in REFUSALS.items():
        (row,) = re.findall(rf"^\| `{code}` \|.*$", PAGE, re.MULTILINE)
        assert f"`{kind.__name__}`" in row, code


def test_page_explains_no_code_that_is_gone() -> None:
    known = {kind.__name__ for kind in tree()} | reply_codes() | set(sql_codes()) | set(REFUSALS)
    platform = set(re.findall(r"^\| `(\d\w{4})` \|", PAGE, re.MULTILINE))
    assert CODES - known - platform == set()
