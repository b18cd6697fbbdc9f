"""Where a delivery stands."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Queued and claimed go on; every delivery ends in one of the others."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    UNKNOWN = "unknown"  # the process died between sending and writing down what came of it


ENDED = frozenset({State.DELIVERED, State.FAILED, State.SUPPRESSED, State.UNKNOWN})
