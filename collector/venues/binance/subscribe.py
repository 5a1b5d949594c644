"""Which streams go over which connection. Pure.

Called by collector/stream.py through the wiring. The streams are named in the URL of the
connection, so no control message is ever sent and none can be sent too fast (the venue closes
a connection after 5 incoming messages a second; pongs count).

Source: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams,
checked 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from shared.market.interval import Interval

# The venue's limit a connection.
STREAMS_PER_CONNECTION_MAX = 1024
# Proxies and servers commonly refuse request lines beyond 8 KiB.
URL_LENGTH_MAX = 8000


def stream_name(symbol: str, interval: Interval) -> str:
    """Return the stream of a symbol's klines: `btcusdt@kline_1m`."""
    return f"{symbol.lower()}@kline_{interval}"


def stream_groups(symbols: Sequence[str], streams_per_connection: int) -> list[tuple[str, ...]]:
    """Return the symbols in groups of nearly equal size, each within every limit.

    Neighbours in the ranking go to different groups, so that each has busy symbols and silence
    of a whole connection means that the connection is dead.
    """
    if not symbols:
        return []
    size = min(streams_per_connection, STREAMS_PER_CONNECTION_MAX)
    count = -(-len(symbols) // size)
    while True:
        groups = [tuple(symbols[start::count]) for start in range(count)]
        if all(len(stream_url("", group, Interval.M1)) <= URL_LENGTH_MAX for group in groups):
            return groups
        count += 1


def stream_url(base_url: str, symbols: Sequence[str], interval: Interval) -> str:
    """Return the URL of the combined stream of these symbols' klines.

    A few symbols hold characters beyond ASCII: they travel percent-encoded.
    """
    names = "/".join(quote(stream_name(symbol, interval), safe="@") for symbol in symbols)
    return f"{base_url}/stream?streams={names}"
