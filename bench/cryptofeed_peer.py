"""The ingest peer, run with its own interpreter: cryptofeed's own handler over the same messages.

`python bench/cryptofeed_peer.py FILE`: FILE holds one combined-stream message a line. Prints
{"messages", "klines", "cpu_s"} as JSON. Imports nothing of ours: its environment has none of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from cryptofeed.defines import CANDLES
from cryptofeed.exchanges.binance import Binance
from cryptofeed.symbols import Symbols


async def main(lines: list[str]) -> None:
    """Feed every line to the handler and print the CPU seconds it took."""
    symbols = sorted({json.loads(line)["data"]["s"] for line in lines})
    # The mapping it would load over the network; its own spelling is BASE-QUOTE.
    names = {f"{symbol[:-4]}-{symbol[-4:]}": symbol for symbol in symbols}
    Symbols.set(Binance.id, names, {"instrument_type": dict.fromkeys(names, "spot")})
    klines = 0

    async def count(candle: object, receipt_timestamp: float) -> None:
        nonlocal klines
        klines += 1

    feed = Binance(
        symbols=list(names),
        channels=[CANDLES],
        callbacks={CANDLES: count},
        candle_closed_only=True,
    )
    for line in lines[:2000]:
        await feed.message_handler(line, None, 0.0)
    klines = 0
    began_s = time.process_time()
    for line in lines:
        await feed.message_handler(line, None, 0.0)
    cpu_s = time.process_time() - began_s
    print(json.dumps({"messages": len(lines), "klines": klines, "cpu_s": cpu_s}))


asyncio.run(main(Path(sys.argv[1]).read_text().splitlines()))
