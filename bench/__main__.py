"""Run benchmarks by name, or all but the engine's: `python -m bench [NAME …]`.

`python -m bench engine [PART …]` runs the engine's, or some parts of it: traders, growth,
backtest, peers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence

from bench import figures, page


def main(names: list[str]) -> int:
    """Run the named benchmarks, print and store their figures; return the exit code."""
    # Imported here and below: each benchmark pulls in a different half of the project.
    if names[:1] == ["engine"]:
        from bench.engine import run

        if not _are_known(names[1:], run.PARTS):
            return 2
        for name in names[1:] or run.PARTS:
            _measure(name, run.PARTS[name].measure, run.PARTS[name].replaces)
        return 0
    from bench import (
        cli_start,
        control_room,
        cost,
        function_memory,
        images,
        ingest,
        latency,
        logs,
        memory,
        redis_write,
    )

    known = {
        "redis_write": redis_write.measure,
        "ingest": ingest.measure,
        "memory": memory.measure,
        "function_memory": function_memory.measure,
        "images": images.measure,
        "latency": latency.measure,
        "control_room": control_room.measure,
        "logs": logs.measure,
        "cost": cost.measure,
        "cli_start": cli_start.measure,
    }
    if not _are_known(names, known):
        return 2
    for name in names or known:
        _measure(name, known[name])
    return 0


def _are_known(names: Iterable[str], known: Iterable[str]) -> bool:
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"expected one of {', '.join(known)}, was {', '.join(unknown)}", file=sys.stderr)
    return not unknown


def _measure(
    name: str, measure: Callable[[], list[figures.Figure]], replaces: Sequence[str] = ()
) -> None:
    began_s = time.monotonic()
    print(f"{name} …", flush=True)
    measured = measure()
    figures.store(measured, replaces)
    page.write()
    for figure in measured:
        mark = {None: " ", True: "✓", False: "✗"}[figure.kept]
        shown = f"{figure.value:,.4g} {figure.unit}"
        if figure.ratio is not None:
            shown = f"{page.digits(figure.ratio)}× {figure.baseline_name}"
        print(f"  {mark} {figure.name}: {shown} {figure.promise or ''}".rstrip())
    print(f"  ({time.monotonic() - began_s:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
