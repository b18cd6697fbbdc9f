"""A file of logs -> the spool, once: the partition is named by the file's content (CONTRACT §8, ``soc ingest``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from records.spool import Entry, Kind
from soc.consumer import FILE
from soc.files import check_format, read_records, unreadable
from storage.spool import SpoolReader, SpoolWriter

BATCH = 2000
_PREFIX = 24  # hex digits of the digest that name the partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """What a file came to.

    Attributes:
        received: Records in the file.
        added: Records that were not in the spool before; 0 when the file was read already.
        start: Ordinal of the first record that was added.
    """

    partition: str
    received: int
    added: int
    start: int


def file_digest(path: Path) -> str:
    """SM3 of a file's content in hex; UserError if it cannot be read."""
    digest = hashlib.new("sm3")
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def spool_file(path: Path, spool: Path, now: datetime, form: str = "auto", *, fsync_seconds: float = 1.0) -> Spooled:
    """Append the records of a file that its partition lacks: a second time nothing, after a crash the rest."""
    check_format(form)
    digest = file_digest(path)
    partition = f"ingest-{digest[:_PREFIX]}"
    known = _next_record(spool, partition)
    added = received = 0
    with SpoolWriter(spool, partition, fsync_seconds=fsync_seconds) as writer:
        start = writer.end
        batch: list[Entry] = []
        for number, (kind, payload) in enumerate(read_records(path, form)):
            received = number + 1
            if number < known:
                continue
            source = f"{FILE}{digest}:{number}"
            batch.append(Entry(kind=Kind.RAW, source=source, received_at=now, payload=payload, format=kind))
            if len(batch) == BATCH:
                added += len(writer.append(batch))
                batch = []
        added += len(writer.append(batch)) if batch else 0
    return Spooled(partition=partition, received=received, added=added, start=start)


def _next_record(spool: Path, partition: str) -> int:
    """One more than the highest record number that the partition holds."""
    return max((number for number in _numbers(spool, partition)), default=-1) + 1


def _numbers(spool: Path, partition: str) -> Iterator[int]:
    reader = SpoolReader(spool)
    if partition not in reader.partitions():
        return
    offset = 0
    while True:
        scan = reader.scan(partition, offset, 10_000, {Kind.RAW})
        yield from (int(entry.source.rpartition(":")[2]) for _, entry in scan.entries)
        if scan.next == offset:
            return
        offset = scan.next
