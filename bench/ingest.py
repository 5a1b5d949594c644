"""Ingest: kline messages a CPU-second, ours against cryptofeed's own handler, same messages.

Both do the same work as their users have it: cryptofeed yields closed candles (its default,
`candle_closed_only`), we yield closed klines to the closer. The messages are those the simulated
venue sends. The two run in turn, in processes of their own; the median of the ratios counts.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, machine

ROUNDS = 5
SYMBOLS = 100
MINUTES = 60
# Pushes a minute of a busy symbol: one every two seconds, the last of them closes.
PUSHES = 30
PEER_PYTHON = Path(".local/bench/bin/python")


def write_messages(path: Path) -> None:
    """Write combined-stream messages of MINUTES minutes, one a line, as the venue spells them."""
    with path.open("w") as file:
        for minute in range(MINUTES):
            for push in range(PUSHES):
                for number in range(SYMBOLS):
                    file.write(_message(minute, push, number) + "\n")


def _message(minute: int, push: int, number: int) -> str:
    symbol = f"S{number:03}USDT"
    opened_ms = 60_000 * minute
    price = 10 + number + minute / 7 + push / 1000
    volume = f"{price * 100 * (push + 1):.8f}"
    kline = {
        "t": opened_ms,
        "T": opened_ms + 59_999,
        "s": symbol,
        "i": "1m",
        "f": 100,
        "L": 200,
        "o": f"{price:.8f}",
        "c": f"{price * 1.001:.8f}",
        "h": f"{price * 1.002:.8f}",
        "l": f"{price * 0.999:.8f}",
        "v": volume,
        "n": 100 + push,
        "x": push == PUSHES - 1,
        "q": volume,
        "V": volume,
        "Q": volume,
        "B": "0",
    }
    data = {"e": "kline", "E": opened_ms + 2000 * (push + 1), "s": symbol, "k": kline}
    message = {"stream": f"{symbol.lower()}@kline_1m", "data": data}
    return json.dumps(message, separators=(",", ":"))


def _install_peer() -> None:
    if not PEER_PYTHON.exists():
        print("  installing cryptofeed into an environment of its own …", flush=True)
        subprocess.run(
            [sys.executable, "-m", "uv", "sync", "--quiet", "--frozen", "--only-group", "bench"],
            check=True,
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(PEER_PYTHON.parents[1])},
        )


def _rate(command: list[str]) -> float:
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    measured = json.loads(answer.stdout)
    expected = SYMBOLS * MINUTES
    assert measured["klines"] == expected, f"expected {expected} closed klines, was {measured}"
    return float(measured["messages"] / measured["cpu_s"])


def measure() -> list[Figure]:
    """Return our rate and the ratio to the peer's."""
    _install_peer()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messages.jsonl"
        write_messages(path)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(_rate([sys.executable, "-m", "bench.ingest_ours", str(path)]))
            theirs.append(_rate([str(PEER_PYTHON), "bench/cryptofeed_peer.py", str(path)]))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return [
        Figure(
            name="ingest",
            value=statistics.median(ours),
            unit="messages per CPU-second",
            baseline=statistics.median(theirs),
            baseline_name="cryptofeed 2.4.1",
            ratio=ratio,
            promise="≥ 4× cryptofeed",
            kept=ratio >= 4,
            conditions=f"{SYMBOLS} symbols, one push in {PUSHES} closes, both yield closed klines, "
            f"median of {ROUNDS} paired runs, {machine()}",
        )
    ]
