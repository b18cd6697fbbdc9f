"""Entries that could not be judged (隔离区): kept whole with reason and consumer, and counted as dropped."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from records.spool import Entry, Position
from storage.counting import bump
from storage.spool import SpoolCorruptError
from storage.state import Instant, metadata

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("partition", sa.Text, primary_key=True),
    sa.Column("offset", sa.BigInteger, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("why", sa.Text, nullable=False),  # the exception's class, or "damaged"
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("kind", sa.Text),  # the entry's fields are null where its bytes are damaged
    sa.Column("source", sa.Text),
    sa.Column("received_at", Instant),
    sa.Column("peer", sa.Text),
    sa.Column("format", sa.Text),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)
DAMAGED = "damaged"
SPOOL = "spool"  # stands for the consumer where none was reached
_MOST_REASON = 2000


def put_entry(
    connection: sa.Connection, consumer: str, entry: tuple[Position, Entry], error: Exception, now: datetime
) -> None:
    """Set one entry aside; it counts as received and as dropped, so that the sums hold."""
    position, body = entry
    why = type(error).__name__
    values: dict[str, object] = {
        "why": why,
        "reason": f"{why}: {error}"[:_MOST_REASON],
        "kind": body.kind.value,
        "source": body.source,
        "received_at": body.received_at,
        "peer": body.peer,
        "format": body.format,
        "payload": body.payload,
    }
    _put(connection, consumer, position, values | {"at": now})


def put_damaged(connection: sa.Connection, error: SpoolCorruptError, now: datetime) -> None:
    """Set the damaged bytes of a closed segment aside; one drop, however many consumers meet them."""
    nothing: dict[str, object] = dict.fromkeys(("kind", "source", "received_at", "peer", "format"))
    values = nothing | {"why": DAMAGED, "reason": str(error), "payload": error.raw, "at": now}
    _put(connection, SPOOL, error.position, values)


def _put(connection: sa.Connection, consumer: str, position: Position, values: dict[str, object]) -> None:
    key = {"consumer": consumer, "partition": position.partition, "offset": position.offset}
    known = sa.select(sa.literal(1)).where(*(quarantine.c[name] == value for name, value in key.items()))
    if connection.scalar(known) is None:
        connection.execute(quarantine.insert().values(key | values))
        bump(connection, "received", str(values["kind"] or DAMAGED), 1)
        bump(connection, "dropped", str(values["why"]), 1)
