"""Where data came from. A module of its own: settings need the word, and not what frames need."""

from __future__ import annotations

from enum import StrEnum


class Feed(StrEnum):
    """Where data came from; shown on every screen and row."""

    LIVE = "live"
    SIMULATED = "simulated"
    REPLAY = "replay"
