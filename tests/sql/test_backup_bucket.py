"""Backups in a bucket of a real S3 door (moto's server) on loopback."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.sql.backups import SIGNALS_COUNT, back_up, run
from tests.sql.conftest import Server

KEYS = {"aws_access_key_id": "an-id", "aws_secret_access_key": "a-secret-key"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str) -> Any:
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **KEYS)
    client.create_bucket(Bucket="safe")
    yield client
    for item in client.list_objects_v2(Bucket="safe").get("Contents", ()):
        client.delete_object(Bucket="safe", Key=item["Key"])
    client.delete_bucket(Bucket="safe")


@pytest.fixture
def environment(endpoint: str) -> dict[str, str]:
    return {
        "BACKUP_S3_ENDPOINT": endpoint,
        "BACKUP_S3_ACCESS_KEY_ID": "an-id",
        "BACKUP_S3_SECRET_ACCESS_KEY": "a-secret-key",
    }


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that Postgres' own user may enter, too, if the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="closebell-test-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def keys(bucket: Any) -> list[str]:
    return [item["Key"] for item in bucket.list_objects_v2(Bucket="safe").get("Contents", ())]


def test_backup_to_a_bucket_and_back(
    filled_database: str,
    server: Server,
    bucket: Any,
    environment: dict[str, str],
    shared_folder: Path,
) -> None:
    strangers = ["deep/notes.txt", "closebell-20250101T000000Z.zip", "deeper/x"]
    olds = [f"deep/closebell-2025010{day}T000000Z.zip" for day in range(1, 4)]
    for key in strangers + olds:
        bucket.put_object(Bucket="safe", Key=key, Body=b"x")
    # Files on the way are in TMPDIR, and gone afterwards.
    environment = {**environment, "TMPDIR": str(shared_folder)}
    made = back_up(filled_database, "s3://safe/deep/", "--keep", "2", **environment)
    address = made["backup"]["address"]
    assert made["deleted"] == [Path(key).name for key in olds[:2]]
    key = address.removeprefix("s3://safe/")
    assert keys(bucket) == sorted([*strangers, olds[2], key])
    assert os.listdir(shared_folder) == []

    for named, where in ((address, ()), ("s3://safe/deep", ("--scratch", server.dsn()))):
        done = run("restore", named, "--verify", *where, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        tables = {t["name"]: t for t in json.loads(done.stdout)["restored"]["tables"]}
        assert tables["public.signals"]["rows_found"] == SIGNALS_COUNT
    assert os.listdir(shared_folder) == []


def test_a_bucket_that_is_missing_is_said_and_nothing_is_noted(
    filled_database: str, bucket: Any, environment: dict[str, str]
) -> None:
    asked = {**environment, "DATABASE_URL": filled_database}
    done = run("backup", "s3://another/deep", environment=asked)
    assert done.returncode == 1
    assert "expected the bucket another to answer" in done.stderr
    # Asked before a dump is made, which may take an hour.
    assert "NoSuchBucket" in done.stderr and "ListObjectsV2" in done.stderr
    assert "a-secret-key" not in done.stderr
    done = run("restore", "s3://safe/empty", "--verify", environment=asked)
    assert done.returncode == 2
    assert "there is none" in done.stderr


def test_a_bucket_without_keys_or_with_a_wrong_address_is_refused(
    filled_database: str, environment: dict[str, str]
) -> None:
    asked = {**environment, "DATABASE_URL": filled_database}
    done = run("backup", "s3://safe", environment={**asked, "BACKUP_S3_SECRET_ACCESS_KEY": ""})
    assert done.returncode == 1
    assert "expected BACKUP_S3_SECRET_ACCESS_KEY, was not set" in done.stderr
    done = run("backup", "s3://safe", environment={**asked, "BACKUP_S3_ENDPOINT": "nonsense"})
    assert done.returncode == 1
    assert "expected a URL in BACKUP_S3_ENDPOINT" in done.stderr
    done = run("backup", "s3://", environment=asked)
    assert done.returncode == 2
