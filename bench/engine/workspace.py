"""The folder that ours and the peers read, and running them on it, one thread each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.engine.formula import formula_of
from bench.engine.ours import Measured

SYMBOLS, BARS = 500, 500
# Whatever linear algebra a side uses, on one thread: processor against processor.
ONE_THREAD = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}
# Columns that a browser screener has: all but trades and taker_buy_volume.
SCREENER_COLUMNS = 6


@contextmanager
def workspace() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="closebell-engine-") as folder:
        yield Path(folder)


def write_rules(folder: Path, rules: Sequence[str], *, with_formulas: bool = False) -> None:
    """Write the rules for ours, and as formulas for the peers."""
    (folder / "rules.json").write_text(json.dumps(list(rules)))
    if with_formulas:
        (folder / "formulas.json").write_text(json.dumps([formula_of(rule) for rule in rules]))


def write_columns(folder: Path, columns: NDArray[np.float64], *, with_json: bool = False) -> None:
    """Write the bars, float64[8, bars, symbols]; for Node also as JSON, [symbol][column][bar]."""
    np.save(folder / "columns.npy", columns)
    if with_json:
        of_symbols = columns[:SCREENER_COLUMNS].transpose(2, 0, 1).tolist()
        (folder / "columns.json").write_text(json.dumps(of_symbols))


def run_ours(folder: Path, rules: int, runs: int, states: Path | None = None) -> Measured:
    """Return what our engine measures on the first rules of the folder."""
    words = [str(folder), str(rules), str(runs), *([str(states)] if states else [])]
    output = run([sys.executable, "-m", "bench.engine.ours", *words])
    return msgspec.json.decode(output, type=Measured)


def run(command: Sequence[str], timeout_s: float | None = None) -> str:
    """Return the last line a command prints.

    Raises: RuntimeError with the end of its standard error if it fails.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, **ONE_THREAD},
        timeout=timeout_s,
    )
    if done.returncode:
        raise RuntimeError(f"{command[:3]} failed: {done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]
