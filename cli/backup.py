"""`closebell backup` and `closebell restore`: the two commands, and what they show.

Not here: how a backup is made (backing_up) and restored (restoring).
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import JsonOption
from cli.output import print_json, reporting
from shared.errors import InvalidRequest

if TYPE_CHECKING:
    from pathlib import Path

    from cli.backing_up import Tell
    from cli.backup_file import Manifest
    from cli.restoring import Restored
    from shared.settings import BackupSettings


def backup(
    target: Annotated[
        str,
        typer.Argument(
            metavar="[FOLDER|s3://BUCKET/PREFIX]", help="Where it goes; else BACKUP_TARGET."
        ),
    ] = "",
    keep: Annotated[
        int, typer.Option("--keep", min=0, help="Newest backups to keep there; 0 keeps all.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Write everything the system holds into one file: a dump, traders as files, checksums.

    Example: closebell backup /var/backups/closebell --keep 14
    """
    with reporting(as_json):
        _clean_up_when_told_to_end()
        began_s = time.monotonic()
        with _progress() as tell:
            from cli.backing_up import make_backup
            from cli.backup_places import open_place, prune

            settings = _backup_settings()
            place = open_place(target or settings.backup_target, settings)
            made = make_backup(place, tell)
            pruned = prune(place, keep) if keep else []
        took_s = round(time.monotonic() - began_s, 1)
        if as_json:
            print_json({"backup": made, "deleted": pruned, "took_s": took_s})
            return
        typer.echo(f"✓ {made.address}")
        typer.echo(f"  {_summary(made.manifest)}")
        typer.echo(f"  {made.bytes / 1e6:,.1f} MB in {took_s:,.1f} s, sha256 {made.checksum}")
        if pruned:
            typer.echo(f"  deleted, {keep} newest kept: {', '.join(pruned)}")


def restore(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A backup; of a folder or s3://bucket/prefix the newest one.",
        ),
    ],
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Restore into a scratch database, compare, drop it."),
    ] = False,
    into: Annotated[
        str,
        typer.Option(
            "--into",
            metavar="DATABASE_URL",
            help="Restore into this migrated database, for use.",
        ),
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="With --into: delete the rows that are there.")
    ] = False,
    scratch: Annotated[
        str,
        typer.Option(
            "--scratch",
            metavar="DATABASE_URL",
            help="With --verify: make the scratch database on this server, not on a private one.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Verify a backup, or restore it; a file that does not match its checksums is refused.

    Example: closebell restore /var/backups/closebell --verify
    """
    with reporting(as_json):
        if verify == bool(into):
            raise InvalidRequest(
                "expected either --verify or --into DATABASE_URL",
                hint="--verify changes nothing anywhere",
            )
        if (replace and not into) or (scratch and not verify):
            raise InvalidRequest("expected --replace with --into, and --scratch with --verify")
        from cli.database import checked_dsn

        # Before a large file is fetched.
        for option, dsn in (("--into", into), ("--scratch", scratch)):
            checked_dsn(dsn, option)
        _clean_up_when_told_to_end()
        began_s = time.monotonic()
        with _progress() as tell, _fetched(file) as path:
            from cli.backup_file import opened_backup
            from cli.restoring import restore_backup, verify_backup

            tell("checksums of the file")
            with opened_backup(path) as archive:
                if verify:
                    done = verify_backup(archive, scratch or None, tell)
                else:
                    done = restore_backup(archive, into, tell, replace=replace)
        took_s = round(time.monotonic() - began_s, 1)
        if as_json:
            shown = {"file": path.name, "verified": verify, "restored": done}
            print_json({**shown, "took_s": took_s})
            return
        typer.echo("\n".join(_lines_of(done, path, verify, took_s)))


@contextmanager
def _fetched(address: str) -> Iterator[Path]:
    """Yield a backup on this machine: the file named, or the newest of a folder or bucket."""
    from pathlib import Path

    from cli.backup_file import NAME
    from cli.backup_places import open_place

    folder, _, name = address.rpartition("/")
    is_bucket = address.startswith("s3://")
    if not is_bucket and not Path(address).is_dir():
        yield Path(address)
        return
    settings = _backup_settings()
    if is_bucket and NAME.fullmatch(name):
        place = open_place(folder, settings)
    else:
        place = open_place(address, settings)
        names = place.names()
        if not names:
            raise InvalidRequest(f"expected a backup in {address}, there is none")
        name = names[-1]
    with place.fetching(name) as path:
        yield path


def _backup_settings() -> BackupSettings:
    from cli.settings import read_settings
    from shared.settings import BackupSettings

    return read_settings(BackupSettings)


def _summary(manifest: Manifest) -> str:
    counts = manifest.tables
    named = ", ".join(
        f"{name} {counts[f'public.{name}'].rows:,}"
        for name in ("traders", "signals")
        if f"public.{name}" in counts
    )
    return (
        f"{manifest.made_at:%Y-%m-%d %H:%M:%S} UTC · users {manifest.users_count:,}, {named},"
        f" {manifest.rows_count:,} rows in {len(counts)} tables"
    )


def _lines_of(done: Restored, path: Path, verify: bool, took_s: float) -> list[str]:
    manifest = done.manifest
    newest = (manifest.schema_versions or ["none"])[-1]
    lines = [
        f"✓ {path.name}: {'restored into a scratch database' if verify else 'restored'},"
        " every count and checksum as in its manifest",
        f"  {_summary(manifest)}",
        f"  schema {newest}, PostgreSQL {manifest.server_version}, in {took_s:,.1f} s",
    ]
    if verify:
        width = max(len(table.name) for table in done.tables)
        lines += [
            f"  {t.name:{width}}  {t.rows_found:>12,} row{'' if t.rows_found == 1 else 's'}"
            for t in done.tables
        ]
        return lines
    if done.users_added:
        lines.append(
            f"  users added without a password: {done.users_added:,};"
            ' they sign in by "forgot password"'
        )
    lines.append("  addresses in ops.settings are the target's own; next: closebell doctor")
    return lines


def _clean_up_when_told_to_end() -> None:
    """Let SIGTERM end the command as Ctrl-C does: no half file, no scratch server stays behind."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


@contextmanager
def _progress() -> Iterator[Tell]:
    """Yield a function that shows what is being done, on a terminal, until it is done."""
    if not sys.stderr.isatty():
        yield lambda words: None
        return
    from cli.output import make_console

    with make_console(stderr=True).status("beginning …") as status:

        def tell(words: str) -> None:
            status.update(f"{words} …")

        yield tell
