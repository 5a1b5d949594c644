"""The sizes of the two images: our layers are built and measured, the base image's size is taken
from where it is published.

Compressed is what a registry stores and a host pulls, and what Docker Hub publishes; that is the
promise. Unpacked is what lies on the machine's disk.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bench.figures import Figure, machine
from tests.dockerfile import packed_bytes, unpacked_bytes
from tests.images import BASE_IMAGE, BASE_PACKED_BYTES, LIMIT_PACKED_BYTES, builder


def measure() -> list[Figure]:
    """Return the size of each image and what our layers have in it."""
    folder = Path(tempfile.mkdtemp(prefix="closebell-images-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        images = builder(folder)
        figures: list[Figure] = []
        for group, limit in LIMIT_PACKED_BYTES.items():
            stage = images.build(group)
            ours = packed_bytes(stage, folder)
            total = BASE_PACKED_BYTES + ours
            figures.append(
                Figure(
                    name=f"image_{group}",
                    value=total / 1e6,
                    unit="MB compressed",
                    promise=f"< {limit // 1_000_000} MB",
                    kept=total < limit,
                    conditions=f"our layers measured: {ours / 1e6:.0f} MB compressed,"
                    f" {unpacked_bytes(stage) / 1e6:.0f} MB unpacked; {BASE_IMAGE}:"
                    f" {BASE_PACKED_BYTES / 1e6:.0f} MB compressed as published, not measured;"
                    f" {machine()}",
                )
            )
        return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)
