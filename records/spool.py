"""What waits between collecting and judging: one entry of the spool (缓冲队列), DESIGN §4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What an entry holds; bulk kinds carry one Arrow IPC stream in ``payload``."""

    SAMPLES = "samples"  # Arrow: records.schemas.READINGS
    USAGE = "usage"  # Arrow: records.schemas.USAGE
    EVIDENCE = "evidence"
    RAW = "raw"  # one line or datagram as it was read
    EVENT = "event"  # one ECS event, flat dotted names, JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One spooled thing.

    Attributes:
        kind: What the payload is.
        source: Stable name of the sender's stream: listener, device, cloud or file digest.
        received_at: When it entered, aware UTC.
        peer: Address it came from; empty for local producers.
        format: ``syslog``, ``ecs``, ``arrow`` or a parser's name; ``auto`` where the parser shall find out.
        payload: The bytes, never altered.
    """

    kind: Kind
    source: str
    received_at: datetime
    payload: bytes
    peer: str = ""
    format: str = "auto"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where an entry stands: the partition (folder) and its ordinal number there, counted from 0."""

    partition: str
    offset: int
