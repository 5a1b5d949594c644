"""Run benchmarks by name, or all: `python -m bench [NAME …]`."""

from __future__ import annotations

import sys
import time

from bench import figures


def main(names: list[str]) -> int:
    """Run the named benchmarks, print and store their figures; return the exit code."""
    # Imported here: each benchmark pulls in a different half of the project.
    from bench import ingest, latency, memory, redis_write

    known = {
        "redis_write": redis_write.measure,
        "ingest": ingest.measure,
        "memory": memory.measure,
        "latency": latency.measure,
    }
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"expected one of {', '.join(known)}, was {', '.join(unknown)}", file=sys.stderr)
        return 2
    for name in names or known:
        began_s = time.monotonic()
        print(f"{name} …", flush=True)
        measured = known[name]()
        figures.store(measured)
        for figure in measured:
            mark = {None: " ", True: "✓", False: "✗"}[figure.kept]
            print(f"  {mark} {figure.name}: {figure.value:,.4g} {figure.unit}")
        print(f"  ({time.monotonic() - began_s:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
