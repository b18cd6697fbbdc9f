"""Syslog line -> parsed, enriched, detected, stored event: events per CPU-second of one worker process.

Run: ``python bench/syslog_stored.py [LINES]``. The lines lie in a spool; the worker's own driver reads them, the
embedded store keeps them. Parsing alone runs interleaved on the same lines, for the ratio.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inventory.model import Host, Inventory, Organisation
from records.schemas import EVENTS
from records.spool import Entry, Kind
from soc.consumer import SocConsumer
from soc.parse import Raw, parse
from storage.driver import Driver
from storage.embedded import EmbeddedStore
from storage.migrate import migrate
from storage.spool import SpoolReader, SpoolWriter
from storage.state import open_state
from yunwang.worker import calm_collector

BATCH = 5000
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def line(number: int) -> bytes:
    """A mixed stream: logins, timers, web requests, devices; now and then a failure."""
    at = NOW + timedelta(milliseconds=number)
    host, kind = f"host-{number % 50}", number % 10
    stamp = f"{at:%b %d %H:%M:%S}"
    if kind < 4:
        request = f'"GET /i?q={number} HTTP/1.1" 200 {number % 9000} "-" "Mozilla/5.0"'
        text = f"10.40.{number % 200}.{number % 250} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] {request}"
        return f"<190>{stamp} {host} nginx: {text}".encode()
    if kind < 7:
        return f"<78>{stamp} {host} CRON[{number}]: (root) CMD (/usr/lib/sysstat/sa1 1 1)".encode()
    if kind < 8:
        text = f"%%01NTP/5/CLOCK_SYNC(l)[{number}]:The clock is in step with 10.20.30.1."
        return f"<188>{at:%b %d %Y %H:%M:%S} pe{number % 9} {text}".encode()
    said = "Failed password" if number % 100 == 9 else "Accepted publickey"
    text = f"{said} for ops from 10.9.8.{number % 250} port {1024 + number % 60000} ssh2"
    return f"<38>1 {at:%Y-%m-%dT%H:%M:%S}Z {host} sshd {number} - - {text}".encode()


def entries(lines: list[bytes]) -> list[Entry]:
    return [Entry(kind=Kind.RAW, source="udp", received_at=NOW, payload=one, peer="127.0.0.1:9") for one in lines]


def main(count: int) -> None:
    lines = [line(number) for number in range(count)]
    inventory = Inventory(
        organisations=(Organisation(id="o", name="o", region="230000"),),
        hosts=tuple(
            Host(id=f"host-{one}", address=f"127.0.3.{one}", os="linux", organisation="o") for one in range(50)
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with SpoolWriter(place / "spool", "syslog") as writer:
            for start in range(0, count, BATCH):
                writer.append(entries(lines[start : start + BATCH]))
        state = open_state(f"sqlite:///{place / 'state.db'}")
        migrate(state)
        store = EmbeddedStore(place / "records", writer=True)
        with SpoolWriter(place / "spool", "work") as writer:
            driver = Driver(
                lambda: SocConsumer(state, lambda: inventory), SpoolReader(place / "spool"), writer, store, state
            )
            calm_collector()  # as the worker does
            whole = parsed = 0.0
            done = 0
            while done < count:
                start = time.process_time()
                done += driver.drain(NOW, BATCH)
                whole += time.process_time() - start
                start = time.process_time()
                for one in lines[done - BATCH : done]:
                    parse(Raw(payload=one, received_at=NOW))
                parsed += time.process_time() - start
        stored = store.count(EVENTS)
        store.close()
    assert stored == count
    fast, slow = count / parsed, count / whole
    print(f"stored {slow:,.0f} events per CPU-second; parsing alone {fast:,.0f}; ratio {slow / fast:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
