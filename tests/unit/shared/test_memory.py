"""The allocator keeps what arrays leave: counted in page faults, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, threading
import numpy as np
from shared.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        arrays = [np.ones((500, 512)) for _ in range(8)]
        del arrays
    found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

found = []
faults()
thread = threading.Thread(target=faults)
thread.start()
thread.join()
print(*found)
"""


def count_faults(choice: str) -> list[int]:
    """Return page faults of 400 arrays of 2 MB, in the first thread and in another."""
    command = [sys.executable, "-c", PROGRAM, choice]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [int(word) for word in shown.stdout.split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has this setting")
def test_freed_memory_is_used_again_in_every_thread() -> None:
    default, kept = count_faults("default"), count_faults("keep")
    assert all(after < before / 5 for before, after in zip(default, kept, strict=True)), (
        default,
        kept,
    )
