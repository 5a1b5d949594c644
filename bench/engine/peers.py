"""The peers: what each is, what it lacks, how it is installed and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.engine.formula import Formula, functions_of
from bench.engine.workspace import run

SOURCE = Path("bench/peers")
PYTHON_HOME = Path(".local/bench-peers")
NODE_HOME = Path(".local/bench-node")


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A peer; `program` of bench/peers writes its verdicts to FOLDER/`verdicts`.

    `promise`: the ratio the design promises, None for what is only shown. `lacks`: functions it
    does not have, or defines otherwise: rules with them are left out on both sides. `rounding`:
    how near to its threshold it may judge otherwise than we (absolute), for a peer that rounds.
    `knows_unknown`: it tells false and unknown apart. `runs_max`: the most repetitions.
    """

    name: str
    title: str
    way: str
    program: str
    verdicts: str
    promise: float | None = None
    lacks: frozenset[str] = frozenset()
    rounding: float = 0.0
    knows_unknown: bool = True
    runs_max: int = 7
    arguments: tuple[str, ...] = ()


CANDLES = frozenset({"doji", "hammer", "morning_star", "bullish_engulfing", "bearish_engulfing"})
# What goes from bar to bar in a loop of Python here, and in C there.
RECURSIONS = frozenset({"adx", "supertrend", "psar"})
PEERS = (
    Peer(
        name="talib_once",
        title="TA-Lib, each distinct node once",
        way="bars only as many as a function looks at, or a stream handle, whichever is faster",
        program="talib_once.py",
        verdicts="talib_once.npy",
        promise=30,
    ),
    Peer(
        name="talib_once_without_recursions",
        title="the same, without the traders of ADX, Supertrend and PSAR",
        way="bars only as many as a function looks at, or a stream handle, whichever is faster",
        program="talib_once.py",
        verdicts="talib_once.npy",
        lacks=RECURSIONS,
    ),
    Peer(
        name="talib_loops",
        title="TA-Lib called by every trader",
        way="an indicator when it is first needed; and, or stop early",
        program="talib_loops.py",
        verdicts="talib_loops.npy",
        promise=500,
        runs_max=5,
    ),
    Peer(
        name="talib_loops_eager",
        title="the same, all indicators before the test",
        way="every indicator of the rule, then the test",
        program="talib_loops.py",
        verdicts="talib_loops.npy",
        promise=500,
        runs_max=3,
        arguments=("eager",),
    ),
    Peer(
        name="technicalindicators",
        title="technicalindicators 3.1.0 (npm)",
        way="calculate() for every trader and symbol; and, or stop early",
        program="screener.mjs",
        verdicts="screener.bin",
        promise=2_000,
        lacks=CANDLES | {"supertrend"},
        rounding=0.005,
        runs_max=3,
    ),
    Peer(
        name="freqtrade",
        title="freqtrade 2026.9 analyze_ticker",
        way="a strategy a trader, a dataframe a pair; making both is not counted",
        program="freqtrade_peer.py",
        verdicts="freqtrade.npy",
        promise=10_000,
        knows_unknown=False,
        runs_max=1,
    ),
    Peer(
        name="talib_handles",
        title="TA-Lib stream handles kept between closes",
        way="another task: it remembers more than the window, and must have been running",
        program="talib_handles.py",
        verdicts="talib_handles.npy",
    ),
)


def install() -> None:
    """Install the peers, each of its own lock, into folders of their own; quick if they are."""
    print("  installing the peers into environments of their own …", flush=True)
    sync = ("uv", "sync", "--quiet", "--frozen", "--project", str(SOURCE))
    home = {"UV_PROJECT_ENVIRONMENT": str(PYTHON_HOME.resolve()), "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run(
        [sys.executable, "-m", *sync, "--python", sys.executable],
        check=True,
        env={**os.environ, **home},
    )
    NODE_HOME.mkdir(parents=True, exist_ok=True)
    lock = "package-lock.json"
    current = NODE_HOME / "node_modules" / lock
    if not current.exists() or current.read_bytes() != (SOURCE / lock).read_bytes():
        for name in ("package.json", lock):
            shutil.copy(SOURCE / name, NODE_HOME / name)
        npm = Path(sys.executable).parent / "npm"
        subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE_HOME, check=True
        )
        shutil.copy(SOURCE / lock, current)


def run_peer(peer: Peer, folder: Path, rules: int, runs: int) -> list[float]:
    """Return the seconds of each run of the first rules of the folder."""
    words = [str(folder), str(rules), str(runs), *peer.arguments]
    program = SOURCE / peer.program
    if program.suffix == ".mjs":
        # A module finds its packages from its own place.
        shutil.copy(program, NODE_HOME / program.name)
        node = Path(sys.executable).parent / "node"
        output = run([str(node), str(NODE_HOME / program.name), *words])
    else:
        output = run([str(PYTHON_HOME / "bin/python"), "-m", f"bench.peers.{program.stem}", *words])
    return [float(second) for second in json.loads(output)["seconds"]]


def verdicts_of(peer: Peer, folder: Path, symbols: int) -> NDArray[np.int8]:
    """Return what the peer found, int8[rules, symbols]."""
    path = folder / peer.verdicts
    if path.suffix == ".bin":
        return np.fromfile(path, dtype=np.int8).reshape(-1, symbols)
    found: NDArray[np.int8] = np.load(path)
    return found


def can_express(peer: Peer, formula: Formula) -> bool:
    """Return whether the peer has all functions of a rule."""
    return not functions_of(formula) & peer.lacks
