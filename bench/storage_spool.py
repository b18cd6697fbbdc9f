"""Spool: entries appended and read per CPU-second, 150-byte raw lines in batches of 500.

python bench/storage_spool.py
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from records.instants import now
from records.spool import Entry, Kind
from storage.spool import SpoolReader, SpoolWriter

ENTRIES, BATCH, LINE = 400_000, 500, 150
APPEND_BAR, READ_BAR = 60_000, 150_000


def append(folder: Path) -> float:
    names = {"kind": Kind.RAW, "source": "udp", "peer": "10.1.2.3", "format": "syslog"}
    batch = [Entry(**names, received_at=now(), payload=os.urandom(LINE)) for _ in range(BATCH)]
    started = time.process_time()
    with SpoolWriter(folder, "collect") as writer:
        for _ in range(ENTRIES // BATCH):
            writer.append(batch)
    return ENTRIES / (time.process_time() - started)


def read(folder: Path) -> float:
    reader, offset = SpoolReader(folder), 0
    started = time.process_time()
    while found := reader.read("collect", offset, 1000):
        offset += len(found)
    assert offset == ENTRIES
    return ENTRIES / (time.process_time() - started)


def reopen(folder: Path) -> float:
    (folder / "collect" / "clean.json").unlink()
    started = time.perf_counter()
    SpoolWriter(folder, "collect").close()
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, rate, bar in (("append", append(folder), APPEND_BAR), ("read", read(folder), READ_BAR)):
            print(f"{what:8} {rate:>10,.0f} entries/CPU-s   {rate / bar:.2f} x the bar of {bar:,}")
        print(f"{'reopen':8} {reopen(folder):>10.2f} s after a kill")


if __name__ == "__main__":
    main()
