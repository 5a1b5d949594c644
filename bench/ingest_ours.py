"""Our half of the ingest benchmark: `python -m bench.ingest_ours FILE`, as bench/cryptofeed_peer.

What collector/session.py does with a message: a glance, and a full reading of what has closed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import msgspec

from collector.venues.binance.parse import parse_message, read_glance
from shared.market.kline import Kline


def main(lines: list[bytes]) -> None:
    """Take every line and print the CPU seconds it took."""
    heard: set[str] = set()
    klines = 0

    note_heard = heard.add

    def take(raw: bytes) -> None:
        nonlocal klines
        try:
            event = read_glance(raw).data
            if not event.kline.is_closed:
                note_heard(event.symbol)
                return
        except msgspec.DecodeError:
            pass
        message = parse_message(raw, time.time_ns() // 1_000_000)
        assert isinstance(message, Kline)
        note_heard(message.symbol)
        klines += message.is_closed

    for line in lines[:2000]:
        take(line)
    klines = 0
    began_s = time.process_time()
    for line in lines:
        take(line)
    cpu_s = time.process_time() - began_s
    print(json.dumps({"messages": len(lines), "klines": klines, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes().splitlines())
