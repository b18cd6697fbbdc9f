"""Ledger ingest with unique key, payload digest and SM3 chain: events a CPU-second.

The peer is the plain loop of one statement an event, on the same rows.

Usage: python bench/metering_ingest.py [EVENTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from cloud_metering.ledger import ledger_head, post, verify_chain
from cloud_metering.payload import Row, digests, links, rows_of
from cloud_metering.tables import usage_event
from records.schemas import USAGE
from storage.state import metadata, open_state, writing

BATCH = 50_000
AT = datetime(2026, 8, 1, tzinfo=UTC)


def usage(count: int, first: int = 0) -> pa.Table:
    hour = [1_782_835_200 + 3600 * (i // 1000 % 744) for i in range(first, first + count)]  # collected hour by hour
    columns = {
        "source": pa.array(["prov-cloud"] * count),
        "event_id": pa.array([f"{i * 2654435761 % 2**32:08x}-{i}" for i in range(first, first + count)]),
        "tenant": pa.array([f"tenant-{i % 200}" for i in range(first, first + count)]),
        "resource": pa.array([f"vm-{i % 50_000}" for i in range(first, first + count)]),
        "meter": pa.array([("vcpu", "memory", "disk")[i % 3] for i in range(first, first + count)]),
        "quantity": pa.array([Decimal(i % 64 + 1) for i in range(first, first + count)], pa.decimal128(21, 9)),
        "unit": pa.array([("vcpu*h", "GB*h", "GB*h")[i % 3] for i in range(first, first + count)]),
        "start": pa.array(hour, pa.timestamp("s", tz="UTC")),
        "end": pa.array([at + 3600 for at in hour], pa.timestamp("s", tz="UTC")),
        "attributes": pa.array(['{"class":"std"}'] * count),
    }
    return pa.table(columns, schema=USAGE.schema)


def fresh_state(folder: str) -> sa.Engine:
    engine = open_state(f"sqlite:///{Path(folder) / 'state.db'}")
    metadata.create_all(engine)
    return engine


def ours(count: int) -> float:
    batches = [usage(min(BATCH, count - first), first) for first in range(0, count, BATCH)]
    with tempfile.TemporaryDirectory() as folder:
        engine = fresh_state(folder)
        begin = time.process_time()
        for batch in batches:
            with writing(engine) as connection:
                assert post(connection, batch, AT).stored == batch.num_rows
        spent = time.process_time() - begin
        with writing(engine) as connection:
            begin = time.process_time()
            assert verify_chain(connection) == []
            print(f"verify_chain: {count / (time.process_time() - begin):,.0f} events/CPU-s")
    return count / spent


def naive(count: int) -> float:
    rows = rows_of(usage(count))
    with tempfile.TemporaryDirectory() as folder:
        engine = fresh_state(folder)
        begin = time.process_time()
        with writing(engine) as connection:
            for row in rows:
                _post_one(connection, Row(*row))
        return count / (time.process_time() - begin)


def _post_one(connection: sa.Connection, row: Row) -> None:
    here = (usage_event.c.source == row.source) & (usage_event.c.event_id == row.event_id)
    if connection.execute(sa.select(usage_event.c.payload_sm3).where(here)).first():
        return
    seq, head = ledger_head(connection)
    mark = next(digests([tuple(row)]))
    values = row._asdict() | {"seq": seq + 1, "crosses": False, "received_at": AT, "payload_sm3": mark}
    values |= {name: datetime.fromtimestamp(values[name], UTC) for name in ("start", "end")}
    connection.execute(usage_event.insert().values(**values, chain=next(links(head, [mark]))))


if __name__ == "__main__":
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    fast, slow = ours(events), naive(min(events, 20_000))
    print(f"ingest: {fast:,.0f} events/CPU-s; one statement an event: {slow:,.0f}; ratio {fast / slow:.1f}")
