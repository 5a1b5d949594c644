"""Where backups lie: a folder, or a bucket of an S3-compatible service.

Only files named as a backup are ever listed or deleted. Not here: what is in them (backup_file).
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cli.backup_file import NAME
from shared.errors import ConfigError, InvalidRequest, StoreUnavailable

if TYPE_CHECKING:
    from shared.settings import BackupSettings

_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S, _ATTEMPTS = 10, 60, 4
_SCHEME = "s3://"
# gs://…, https://…, and s3:/… by a slip: none is a folder.
_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_LEFTOVER_AGE_S = 24 * 3600


class Place(Protocol):
    """A place for backups; names are those of files."""

    def drafting(self) -> AbstractContextManager[Path]:
        """Return a context with the folder in which a backup is to be written."""

    def store(self, path: Path) -> str:
        """Put a complete backup in its place; return its address."""

    def names(self) -> list[str]:
        """Return the backups here, oldest first."""

    def delete(self, name: str) -> None:
        """Delete a backup."""

    def fetching(self, name: str) -> AbstractContextManager[Path]:
        """Return a context with the path of a backup on this machine."""


def open_place(address: str, settings: BackupSettings) -> Place:
    """Return the place of an address. Raises: InvalidRequest, ConfigError."""
    if not address:
        raise InvalidRequest(
            "expected a folder or s3://bucket/prefix, was nothing",
            hint="name one, or set BACKUP_TARGET in .env",
            field="target",
        )
    if address.startswith(_SCHEME):
        return Bucket(address, settings)
    if _OTHER_SCHEME.match(address):
        raise InvalidRequest(
            f"expected a folder or s3://bucket/prefix, was {address}",
            hint="a folder of such a name: ./ before it",
            field="target",
        )
    return Folder(Path(address))


def prune(place: Place, keep_count: int) -> list[str]:
    """Delete all but the newest backups of a place; return the names deleted."""
    surplus = place.names()[:-keep_count]
    for name in surplus:
        place.delete(name)
    return surplus


class Folder:
    """A folder of this machine, made if it is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    @contextmanager
    def drafting(self) -> Iterator[Path]:
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidRequest(
                f"expected a folder {self._path}, was: {error.strerror}", field="target"
            ) from error
        self._sweep()
        yield self._path

    def _sweep(self) -> None:
        """Delete what backups left behind that were killed; a running one is younger."""
        for path in self._path.glob(".closebell-*.zip.partial"):
            if time.time() - path.stat().st_mtime > _LEFTOVER_AGE_S:
                path.unlink(missing_ok=True)

    def store(self, path: Path) -> str:
        return str(path)

    def names(self) -> list[str]:
        try:
            return sorted(p.name for p in self._path.iterdir() if NAME.fullmatch(p.name))
        except OSError as error:
            raise InvalidRequest(
                f"expected a folder {self._path}, was: {error.strerror}", field="target"
            ) from error

    def delete(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    @contextmanager
    def fetching(self, name: str) -> Iterator[Path]:
        yield self._path / name


class Bucket:
    """Objects of a bucket under a prefix; an object appears when it is complete, or never."""

    def __init__(self, address: str, settings: BackupSettings) -> None:
        self._bucket, _, prefix = address.removeprefix(_SCHEME).partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        if not self._bucket:
            raise InvalidRequest(f"expected s3://bucket/prefix, was {address}", field="target")
        for name in ("backup_s3_access_key_id", "backup_s3_secret_access_key"):
            if not getattr(settings, name):
                raise ConfigError(
                    f"expected {name.upper()}, was not set",
                    hint="set it in the environment or in .env",
                )
        self._client = _connect(settings)

    @contextmanager
    def drafting(self) -> Iterator[Path]:
        # A wrong key or bucket is known now, and not after an hour of dumping.
        with self._translating():
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
        with tempfile.TemporaryDirectory(prefix="closebell-backup-") as folder:
            yield Path(folder)

    def store(self, path: Path) -> str:
        with self._translating():
            self._client.upload_file(str(path), self._bucket, self._prefix + path.name)
        return f"{_SCHEME}{self._bucket}/{self._prefix}{path.name}"

    def names(self) -> list[str]:
        with self._translating():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        names = (key.removeprefix(self._prefix) for key in keys)
        return sorted(name for name in names if NAME.fullmatch(name))

    def delete(self, name: str) -> None:
        with self._translating():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextmanager
    def fetching(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="closebell-backup-") as folder:
            path = Path(folder) / name
            with self._translating():
                self._client.download_file(self._bucket, self._prefix + name, str(path))
            yield path

    @contextmanager
    def _translating(self) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise StoreUnavailable(
                f"expected the bucket {self._bucket} to answer, was: {error}",
                hint="check BACKUP_S3_ENDPOINT, BACKUP_S3_REGION and the two keys",
            ) from error


def _connect(settings: BackupSettings) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise ConfigError(
            "expected boto3 for a bucket, was not installed",
            hint="uv sync --inexact --group backup",
        ) from error
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        # Compatible services do not all know Amazon's newer checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return boto3.client(
            "s3",
            endpoint_url=settings.backup_s3_endpoint or None,
            region_name=settings.backup_s3_region or "us-east-1",
            aws_access_key_id=settings.backup_s3_access_key_id,
            aws_secret_access_key=settings.backup_s3_secret_access_key.get_secret_value(),
            config=config,
        )
    except ValueError as error:
        raise ConfigError(
            f"expected a URL in BACKUP_S3_ENDPOINT, was {settings.backup_s3_endpoint!r}",
            hint="such as https://s3.eu-central-1.amazonaws.com",
        ) from error
