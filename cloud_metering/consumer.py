"""Metering at work in the worker: usage from the spool goes into the ledger, and becomes events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from fractions import Fraction

import pyarrow as pa
import sqlalchemy as sa

from cloud_metering.bursts import TRAILING, Window, amounts_of, bursts, history
from cloud_metering.events import burst_entry, conflict_entry
from cloud_metering.ledger import advance_watermark, post, preview
from inventory.model import Inventory
from records.instants import parse_instant
from records.schemas import USAGE
from records.spool import Entry, Kind, Position
from storage.consumer import Apply, Step
from storage.counting import bump
from storage.state import reading

NAME = "cloud_metering"
COMPLETE_UNTIL = b"complete_until"  # of the Arrow schema's metadata: the sender has delivered everything before it


class MeteringConsumer:
    """Consumer of kind ``usage``; it remembers nothing, the ledger does.

    Args:
        state: The state database.
        inventory: The inventory in force; asked for each batch.
    """

    name = NAME
    kinds = frozenset({Kind.USAGE})

    def __init__(self, state: sa.Engine, inventory: Callable[[], Inventory]) -> None:
        self._state = state
        self._inventory = inventory

    def process(self, batch: Sequence[tuple[Position, Entry]], now: datetime) -> Step:
        """Post each entry's rows; conflicts and bursts become events."""
        tables = [(entry, read_usage_batch(entry.payload)) for _, entry in batch]
        rows = pa.concat_tables([table for _, table in tables])
        return Step(events=self._events(rows, now), apply=[_posting(entry, table) for entry, table in tables])

    def tick(self, now: datetime) -> Step:  # noqa: ARG002 - the protocol's signature
        """Nothing follows from time alone."""
        return Step()

    def _events(self, rows: pa.Table, now: datetime) -> list[Entry]:
        inventory, fresh = self._inventory(), amounts_of(rows)
        with reading(self._state) as connection:
            conflicts = preview(connection, rows).conflicting
            before = _history_of(connection, [start for _, start, _ in fresh])
        found = [conflict_entry(row, mark, inventory, now) for row, mark in conflicts]
        return found + [burst_entry(one, inventory, now) for one in bursts(fresh, before)]


def _history_of(connection: sa.Connection, starts: Sequence[datetime]) -> dict[Window, Fraction]:
    return history(connection, min(starts) - TRAILING, max(starts)) if starts else {}


def read_usage_batch(payload: bytes) -> pa.Table:
    """An Arrow IPC stream as USAGE with its metadata; raises pyarrow.ArrowInvalid for anything else."""
    with pa.ipc.open_stream(payload) as stream:
        table = stream.read_all()
    kept = table.schema.metadata
    return table.select(USAGE.schema.names).cast(USAGE.schema).replace_schema_metadata(kept)


def _posting(entry: Entry, table: pa.Table) -> Apply:
    def apply(connection: sa.Connection) -> None:
        posted = post(connection, table, entry.received_at)
        until = (table.schema.metadata or {}).get(COMPLETE_UNTIL)
        if until is not None:
            advance_watermark(connection, entry.source, parse_instant(until.decode()))
        bump(connection, "received", Kind.USAGE.value, table.num_rows)
        bump(connection, "stored", Kind.USAGE.value, posted.stored)
        bump(connection, "dropped", "usage_duplicate", posted.duplicates)
        bump(connection, "dropped", "usage_conflict", posted.conflicts)

    return apply
