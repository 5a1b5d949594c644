"""The simulated or replayed venue as one process: Binance's REST and sockets on one port.

    python -m local.venue.server --port 8428 --market simulated
    python -m local.venue.server --port 8428 --market replay:recordings/monday

Flags (environment in brackets):
  --port N               port of REST and sockets, 0 = any; printed at start [VENUE_PORT, 8428]
  --host A               address to bind [VENUE_HOST, 127.0.0.1]
  --market M             `simulated` or `replay:<folder>` [VENUE_MARKET, simulated]
  --state-dir D          keeps the market's start and computed history, so that a restart goes on
                         with the same market [VENUE_STATE_DIR; default: a temporary folder]
  --seed N, --symbols N  of the simulated market [VENUE_SEED, 1; VENUE_SYMBOLS, 500]
  --history-days N       how far back it reaches [VENUE_HISTORY_DAYS, 120]
  --history-share X      share of a recording that is history [VENUE_HISTORY_SHARE, 0.8]
  --speed X              venue seconds per real second [VENUE_SPEED, 1]
  --start-ms N           venue time at the start [VENUE_START_MS; default: now]
  --stepped              time moves only by POST /control/step [VENUE_STEPPED=1]
  --push-interval-s X    real seconds between forming klines of a symbol [VENUE_PUSH_INTERVAL_S, 2]
  --close-jitter-ms A-B  real delay of closing klines [VENUE_CLOSE_JITTER_MS, 20-150]
  --weight-per-minute N  request weight before 429; the real venue has 6000
                         [VENUE_WEIGHT_PER_MINUTE, 60000]
  --connection-life-s X  age at which a socket is closed [VENUE_CONNECTION_LIFE_S, 86400]

Wiring only. SIGTERM and SIGINT end it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import msgspec
import structlog
from aiohttp import web

from local.venue.clock import RunningClock, SteppedClock, VenueClock, real_now_ms
from local.venue.control import add_control_routes
from local.venue.market_protocol import Market
from local.venue.options import VenueOptions
from local.venue.rest import WARMING, WEIGHTS, Weights, add_rest_routes
from local.venue.sockets import VENUE, add_socket_routes
from local.venue.start import open_market
from local.venue.venue import Venue
from local.venue.warm import Warming
from shared.errors import ConfigError
from shared.logs import configure_logs

log = structlog.get_logger()

# A request line with 1,024 streams is about 24 kB.
_LINE_BYTES_MAX = 65_536


class RunningVenue(msgspec.Struct, frozen=True, eq=False):
    """A venue that serves: its object and its address without a path."""

    venue: Venue
    url: str
    socket_url: str


def build_app(venue: Venue, warming: Warming) -> web.Application:
    """Return the application: REST, sockets, control."""
    app = web.Application(client_max_size=65_536)
    app[VENUE] = venue
    app[WARMING] = warming
    app[WEIGHTS] = Weights(venue.options.weight_per_minute)
    add_rest_routes(app)
    add_socket_routes(app)
    add_control_routes(app)
    return app


@asynccontextmanager
async def running_venue(
    market: Market,
    clock: VenueClock,
    options: VenueOptions | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    monotonic_s: Callable[[], float] = time.monotonic,
) -> AsyncIterator[RunningVenue]:
    """Serve `market` on `port` (0: any free one) until the block ends."""
    venue = Venue(market, clock, VenueOptions() if options is None else options, monotonic_s)
    warming = Warming(market, clock.now_ms())
    runner = web.AppRunner(
        build_app(venue, warming),
        access_log=None,
        max_line_size=_LINE_BYTES_MAX,
        handler_cancellation=True,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    tasks: list[asyncio.Task[None]] = []
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound_port = runner.addresses[0][1]
        tasks = [asyncio.create_task(venue.run()), asyncio.create_task(warming.run())]
        for task in tasks:
            task.add_done_callback(_end_on_error)
        yield RunningVenue(venue, f"http://{host}:{bound_port}", f"ws://{host}:{bound_port}")
    finally:
        venue.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(venue.hub.connections):
            connection.abort()
        await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; return the exit code."""
    options = _parser().parse_args(arguments)
    configure_logs("venue")
    try:
        with _state_dir(options.state_dir) as state_dir:
            asyncio.run(_serve(options, state_dir))
    except (ConfigError, OSError) as error:
        log.error("venue_refused", message=str(error))
        return 1
    return 0


@contextmanager
def _state_dir(name: str) -> Iterator[Path]:
    """Yield the folder of that name, or without one a folder that lives as long as the block."""
    if name:
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="venue-") as temporary:
        yield Path(temporary)


async def _serve(options: argparse.Namespace, state_dir: Path) -> None:
    jitter_ms = _jitter_ms(options.close_jitter_ms)
    if options.speed <= 0 or options.push_interval_s <= 0:
        raise ConfigError("expected a speed and a push interval above 0")
    start_ms = real_now_ms() if options.start_ms is None else options.start_ms
    clock: VenueClock
    if options.stepped:
        clock = SteppedClock(start_ms)
    else:
        clock = RunningClock(options.speed, options.start_ms)
    market = open_market(
        options.market,
        state_dir,
        now_ms=clock.now_ms(),
        seed=options.seed,
        symbols=options.symbols,
        history_days=options.history_days,
        history_share=options.history_share,
    )
    venue_options = VenueOptions(
        push_interval_s=options.push_interval_s,
        close_jitter_ms=jitter_ms,
        weight_per_minute=options.weight_per_minute,
        connection_life_s=options.connection_life_s,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with running_venue(
        market, clock, venue_options, host=options.host, port=options.port
    ) as running:
        log.info(
            "venue_started",
            url=running.url,
            feed=market.feed,
            symbols=len(market.instruments),
            speed=clock.speed,
            stepped=clock.stepped,
        )
        await stop.wait()
        log.info("venue_stopping")


def _jitter_ms(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not (low.isdecimal() and (high or low).isdecimal() and int(low) <= int(high or low)):
        raise ConfigError(f"expected a jitter like 20-150, was {text!r}")
    return int(low), int(high or low)


def _end_on_error(task: asyncio.Task[None]) -> None:
    """A venue whose heart has stopped must not look alive: log and end the process."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("venue_failed", exc_info=error)
        with suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGTERM)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.venue.server",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def add(name: str, kind: type, default: object) -> None:
        variable = "VENUE_" + name.upper().replace("-", "_")
        text = os.environ.get(variable)
        # A text default is parsed by `type`, as a flag would be.
        parser.add_argument(f"--{name}", type=kind, default=text if text else default)

    add("port", int, 8428)
    add("host", str, "127.0.0.1")
    add("market", str, "simulated")
    add("state-dir", str, "")
    add("seed", int, 1)
    add("symbols", int, 500)
    add("history-days", int, 120)
    add("history-share", float, 0.8)
    add("speed", float, 1.0)
    add("start-ms", int, None)
    add("push-interval-s", float, 2.0)
    add("close-jitter-ms", str, "20-150")
    add("weight-per-minute", int, 60_000)
    add("connection-life-s", float, 86_400.0)
    stepped = os.environ.get("VENUE_STEPPED", "") not in ("", "0")
    parser.add_argument("--stepped", action="store_true", default=stepped)
    return parser


if __name__ == "__main__":
    sys.exit(main())
