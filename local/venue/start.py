"""Opening a market with what an earlier start left behind, so that a restart goes on with it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from local.venue.blocks import FileDayStore
from local.venue.market import SimulatedMarket
from local.venue.market_protocol import Market
from local.venue.recording import read_recording
from local.venue.replay import ReplayMarket
from shared.errors import ConfigError

_REPLAY_PREFIX = "replay:"
# Changed when the same seed gives other prices: computed history of older code is not used.
_MODEL_VERSION = 1


class _Started(msgspec.Struct, frozen=True, kw_only=True):
    """`start.json`: when this market was first started (venue clock)."""

    anchor_ms: int


def open_market(
    name: str,
    state_dir: Path,
    *,
    now_ms: int,
    seed: int,
    symbols: int,
    history_days: int,
    history_share: float,
) -> Market:
    """Return the market `simulated` or `replay:<folder>`.

    Raises: ConfigError if there is no such market, folder or recording.
    """
    if name == "simulated":
        if not 1 <= symbols <= 5_000:
            raise ConfigError(f"expected 1 … 5,000 symbols, was {symbols}")
        folder = state_dir / f"simulated-{seed}-{symbols}-v{_MODEL_VERSION}"
        anchor_ms = _anchor_ms(folder, now_ms)
        market = SimulatedMarket(seed, symbols, anchor_ms=anchor_ms, history_days=history_days)
        market.use_store(FileDayStore(folder, len(market.instruments)))
        return market
    if name.startswith(_REPLAY_PREFIX):
        if not 0 <= history_share < 1:
            raise ConfigError(f"expected a history share in [0, 1), was {history_share}")
        recording = read_recording(Path(name.removeprefix(_REPLAY_PREFIX)))
        folder = state_dir / f"replay-{recording.fingerprint}"
        market_at = ReplayMarket(recording, _anchor_ms(folder, now_ms), history_share)
        if market_at.ends_at_ms <= now_ms:
            # It has been played to its end: from the beginning again.
            (folder / "start.json").unlink(missing_ok=True)
            market_at = ReplayMarket(recording, _anchor_ms(folder, now_ms), history_share)
        return market_at
    raise ConfigError(
        f"expected the market `simulated` or `replay:<folder>`, was {name!r}",
        hint="set --market or VENUE_MARKET",
    )


def _anchor_ms(folder: Path, now_ms: int) -> int:
    """Return when the market kept in `folder` was first started; now, if never or later."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "start.json"
    try:
        started = msgspec.json.decode(path.read_bytes(), type=_Started)
        if started.anchor_ms <= now_ms:
            return started.anchor_ms
    except (FileNotFoundError, msgspec.MsgspecError):
        # First start, or a file cut short by a kill: both begin anew.
        pass
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(msgspec.json.encode(_Started(anchor_ms=now_ms)))
    temporary.replace(path)
    return now_ms
