"""The sizes of the two images, both built and measured whole: they stand on nothing.

Unpacked is what lies on the machine's disk and what `docker images` shows; that is the promise.
Compressed is what a registry stores and a host pulls.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bench.figures import Figure, machine
from tests.dockerfile import packed_bytes, unpacked_bytes
from tests.images import LIMIT_BYTES, builder


def measure() -> list[Figure]:
    """Return the size of each image, and of what both stand on."""
    folder = Path(tempfile.mkdtemp(prefix="closebell-images-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        images = builder(folder)
        system = unpacked_bytes(images.build("runtime"))
        figures: list[Figure] = []
        for group, limit in LIMIT_BYTES.items():
            stage = images.build(group)
            unpacked, packed = unpacked_bytes(stage), packed_bytes(stage, folder)
            promise = f"< {limit // 1_000_000} MB"
            conditions = f"every layer built and measured; {machine()}"
            figures += [
                Figure(
                    name=f"image_{group}",
                    value=unpacked / 1e6,
                    unit="MB unpacked",
                    promise=promise,
                    kept=unpacked < limit,
                    conditions=f"{system / 1e6:.0f} MB of it system and Python; {conditions}",
                ),
                Figure(
                    name=f"image_{group}_compressed",
                    value=packed / 1e6,
                    unit="MB compressed",
                    promise=promise,
                    kept=packed < limit,
                    conditions=f"one gzipped tar, level 6; {conditions}",
                ),
            ]
        return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)
