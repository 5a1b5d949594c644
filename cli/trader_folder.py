"""A folder of trader files against the traders of a user: what differs, and how it is made equal.

A trader is known by its name within its user; two of one name cannot be told apart and are
refused. Not here: what a file says (trader_files), what is stored (stored_traders).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from cli.trader_files import (
    FILE_BYTES_MAX,
    Trader,
    diff_of,
    read_trader,
    slugs_of,
    write_trader,
)
from shared.errors import InvalidRequest, InvalidRule

FILES_MAX = 100_000
_ENDINGS = (".yaml", ".yml")
_PROBLEMS_SHOWN = 20


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done for one trader; `file` its file's name, `id` its row, if there is one."""

    kind: Literal["added", "changed", "same", "removed"]
    name: str
    file: str | None
    before: Trader | None
    after: Trader | None
    id: int | None = None

    @property
    def shown_name(self) -> str:
        """Return the name as a terminal may show it: what does not print is escaped."""
        return self.name if self.name.isprintable() else repr(self.name)

    @property
    def diff(self) -> str:
        """Return how the text of its file changes."""
        return diff_of(self.before, self.after, self.file or self.shown_name)

    def document(self) -> dict[str, Any]:
        """Return the change for programs."""
        return {"kind": self.kind, "name": self.name, "file": self.file, "diff": self.diff}


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A trader as it is stored."""

    id: int
    trader: Trader


def read_folder(folder: Path) -> dict[str, Trader]:
    """Return the traders of a folder's files by file name.

    Raises: InvalidRequest naming every file that is wrong, and files of one trader, or without any.
    """
    traders: dict[str, Trader] = {}
    problems: list[str] = []
    names = _file_names(folder)
    if not names:
        # With --delete a folder that was named by mistake would delete every trader.
        raise InvalidRequest(
            f"expected files of traders (*.yaml) in {folder}, there is none", field="folder"
        )
    for name in names:
        try:
            traders[name] = read_trader(_read_text(folder / name))
        except InvalidRequest as error:
            problems.append(f"{name}: {error}")
    owners = Counter(trader.name for trader in traders.values())
    problems += [
        f"{name}: expected a name of its own, {trader.name!r} is that of another file, too"
        for name, trader in traders.items()
        if owners[trader.name] > 1
    ]
    _refuse(problems)
    return traders


def _file_names(folder: Path) -> list[str]:
    try:
        names = sorted(p.name for p in folder.iterdir() if p.suffix in _ENDINGS and p.is_file())
    except OSError as error:
        raise InvalidRequest(
            f"expected a folder {folder}, was: {error.strerror}", field="folder"
        ) from error
    if len(names) > FILES_MAX:
        raise InvalidRequest(f"expected at most {FILES_MAX:,} files, were {len(names):,}")
    return names


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise InvalidRequest(f"expected at most {FILE_BYTES_MAX:,} bytes")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"expected a file, was: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest("expected text in UTF-8, was binary") from error


def check_rules(traders: Mapping[str, Trader]) -> None:
    """Check every rule and cadence as save_trader does. Raises: InvalidRequest naming the files."""
    problems = []
    for name, trader in traders.items():
        try:
            _check_rule(trader)
        except InvalidRule as error:
            place = f"rule, line {error.line}, column {error.column}"
            excerpt = str(error.context.get("excerpt", "")).split("\n")
            problems.append("\n      ".join((f"{name}: {place}: {error}", *excerpt)))
        except InvalidRequest as error:
            problems.append(f"{name}: {error.field}: {error}")
    _refuse(problems)


def _check_rule(trader: Trader) -> None:
    from shared.market.interval import Interval
    from shared.rules import parse_rule
    from shared.runs import Trigger, check_cadence

    for field, words in (("interval", Interval), ("trigger", Trigger)):
        if getattr(trader, field) not in set(words):
            expected = f"expected one of {', '.join(words)}, was {getattr(trader, field)}"
            raise InvalidRequest(expected, field=field)
    interval = Interval(trader.interval)
    rule = parse_rule(trader.rule, interval=interval)
    check_cadence(trader.cadence, interval, Trigger(trader.trigger), rule.bars_needed)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        shown = list(problems[:_PROBLEMS_SHOWN])
        if len(problems) > len(shown):
            shown.append(f"… and {len(problems) - len(shown)} more")
        raise InvalidRequest("\n  ".join(("nothing was stored", *shown)), field="folder")


def plan_import(files: Mapping[str, Trader], stored: Sequence[Stored]) -> list[Change]:
    """Return what makes the stored traders those of the files.

    Raises: InvalidRequest if a file's name is that of several stored traders.
    """
    counts = Counter(row.trader.name for row in stored)
    _refuse(
        [
            f"{file}: {counts[trader.name]} stored traders are named {trader.name!r};"
            " rename all but one"
            for file, trader in files.items()
            if counts[trader.name] > 1
        ]
    )
    by_name = {row.trader.name: row for row in stored}
    changes = []
    for file, trader in files.items():
        row = by_name.get(trader.name)
        before = row.trader if row else None
        changes.append(
            Change(
                kind="added" if row is None else "same" if before == trader else "changed",
                name=trader.name,
                file=file,
                before=before,
                after=trader,
                id=row.id if row else None,
            )
        )
    named = {trader.name for trader in files.values()}
    for row in stored:
        if row.trader.name not in named:
            changes.append(
                Change(
                    kind="removed",
                    name=row.trader.name,
                    file=None,
                    before=row.trader,
                    after=None,
                    id=row.id,
                )
            )
    return changes


def plan_export(stored: Sequence[Stored], folder: Path) -> list[Change]:
    """Return what makes the files of a folder those of the stored traders.

    A trader keeps the file it has, whatever its name; files that are no trader's are left alone.
    """
    found = _readable_files(folder)
    files_of: dict[str, list[str]] = {}
    for file in sorted(found, key=lambda file: (len(file), file)):
        files_of.setdefault(found[file].name, []).append(file)
    kept = [files.pop(0) if (files := files_of.get(row.trader.name)) else None for row in stored]
    fresh = [row.trader.name for row, file in zip(stored, kept, strict=True) if file is None]
    # Some file systems take RSI-low.yaml and rsi-low.yaml for one file.
    taken = {path.stem.lower() for path in folder.iterdir()} if folder.is_dir() else set()
    slugs = iter(slugs_of(fresh, taken))
    changes = []
    for row, kept_file in zip(stored, kept, strict=True):
        file = kept_file or f"{next(slugs)}.yaml"
        before = found.pop(file, None)
        text = write_trader(row.trader)
        is_same = before is not None and (folder / file).read_bytes() == text.encode()
        changes.append(
            Change(
                kind="added" if before is None else "same" if is_same else "changed",
                name=row.trader.name,
                file=file,
                before=before,
                after=row.trader,
            )
        )
    for file, trader in found.items():
        changes.append(
            Change(kind="removed", name=trader.name, file=file, before=trader, after=None)
        )
    return changes


def _readable_files(folder: Path) -> dict[str, Trader]:
    """Return the traders of those files of a folder that are a trader's."""
    if not folder.exists():
        return {}
    traders = {}
    for name in _file_names(folder):
        try:
            traders[name] = read_trader(_read_text(folder / name))
        except InvalidRequest:
            # Somebody else's file: not ours to replace, nor to judge.
            continue
    return traders


def write_files(changes: Sequence[Change], folder: Path, *, delete: bool) -> None:
    """Carry out an export; each file is replaced whole. Raises: InvalidRequest."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for change in changes:
            if change.file is None:
                continue
            path = folder / change.file
            if change.kind == "removed":
                if delete:
                    path.unlink(missing_ok=True)
            elif change.kind != "same" and change.after is not None:
                draft = path.with_name(f".{path.name}.partial")
                draft.write_text(write_trader(change.after), "utf-8")
                os.replace(draft, path)
    except OSError as error:
        raise InvalidRequest(
            f"expected to write into {folder}, was: {error.strerror}", field="folder"
        ) from error
