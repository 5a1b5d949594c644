"""Which market data `make run` shows: live, simulated, or a recording played again.

The default is live when the venue answers within a moment, else simulated; the choice and its
reason are printed, and every screen and row carries the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.errors import ConfigError
from shared.market.frame import Feed

PROBE_TIMEOUT_S = 3.0
PROBE_PATH = "/api/v3/time"
REPLAY_PREFIX = "replay:"


@dataclass(frozen=True)
class FeedChoice:
    """The data to show, and why these."""

    feed: Feed
    reason: str
    folder: Path | None = None
    """The recording, for a replay."""

    @property
    def argument(self) -> str:
        """Return the choice as it is typed after `FEED=`."""
        return f"{REPLAY_PREFIX}{self.folder}" if self.folder else str(self.feed)


async def choose_feed(text: str, rest_url: str) -> FeedChoice:
    """Return the feed that `text` asks for; an empty text means the default.

    Raises: ConfigError for an unknown word or a recording that is not there.
    """
    if text == "":
        refusal = await probe_venue(rest_url)
        if refusal == "":
            return FeedChoice(Feed.LIVE, f"{rest_url} answers")
        return FeedChoice(Feed.SIMULATED, f"{rest_url} {refusal}")
    if text.startswith(REPLAY_PREFIX):
        return FeedChoice(Feed.REPLAY, "as asked", _find_recording(text))
    if text in (Feed.LIVE, Feed.SIMULATED):
        return FeedChoice(Feed(text), "as asked")
    raise ConfigError(
        f"expected FEED to be live, simulated or replay:<folder>, was {text!r}",
        hint="make run FEED=simulated",
    )


def _find_recording(text: str) -> Path:
    folder = Path(text.removeprefix(REPLAY_PREFIX)).expanduser()
    if not folder.is_dir() or not any(folder.iterdir()):
        raise ConfigError(
            f"expected a folder with a recording at {folder}, was not there or empty",
            hint="make run FEED=simulated",
        )
    return folder.resolve()


async def probe_venue(rest_url: str) -> str:
    """Return an empty text if the venue answers, else what it does instead."""
    try:
        async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S) as client:
            answer = await client.get(f"{rest_url}{PROBE_PATH}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"does not answer ({type(error).__name__})"
    return "" if answer.status_code == 200 else f"refuses with status {answer.status_code}"
