"""Small things that the tests of the spool share: numbered entries, what a reader gets, the bytes of a frame."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from records.spool import Entry, Kind
from storage.spool import SpoolReader, SpoolWriter
from storage.spool.framing import FRAME_BYTES, HEADER_BYTES

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # many fsyncs
FRAME = FRAME_BYTES + 15 + len("sauto") + len(b"line 0")
"""Bytes of the frame of a numbered entry with one digit."""


def bodies(reader: SpoolReader, partition: str = "collect") -> list[bytes]:
    return [entry.payload for _, entry in reader.read(partition, 0, 10**6)]


def ordinals(reader: SpoolReader, partition: str = "collect") -> list[int]:
    return [position.offset for position, _ in reader.read(partition, 0, 10**6)]


def numbered(*numbers: int) -> list[Entry]:
    return [Entry(kind=Kind.RAW, source="s", received_at=NOON, payload=b"line %d" % n) for n in numbers]


def frame_bytes(number: int) -> bytes:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        with SpoolWriter(Path(folder), "p") as writer:
            writer.append(numbered(number))
        return (Path(folder) / "p" / f"{0:020d}.seg").read_bytes()[HEADER_BYTES:]
