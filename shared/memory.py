"""Keeps the memory that arrays leave for the next ones. Edge: it sets the process's allocator.

A series of 500 symbols is 2 MB. By default glibc gives such memory back to the kernel as soon as it
is free, and every fresh page costs a fault: a third of an evaluation. Called once at the start of a
process that evaluates rules; elsewhere than on glibc nothing happens, and it is only slower.
"""

from __future__ import annotations

import ctypes

# From malloc.h. The first is at its allowed maximum; freed memory beyond the second is given back.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
MMAP_THRESHOLD_BYTES = 32 << 20
KEPT_BYTES_MAX = 256 << 20


def keep_freed_memory() -> bool:
    """Return whether the allocator took the setting."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # One arena: rules are evaluated in threads, and each arena would keep memory of its own.
    settings = (
        (_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES),
        (_M_TRIM_THRESHOLD, KEPT_BYTES_MAX),
        (_M_ARENA_MAX, 1),
    )
    return all(mallopt(name, value) == 1 for name, value in settings)
