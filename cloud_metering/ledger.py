"""The usage ledger (用量台账): every event once, in a chain, with set-based ingest (CONTRACT §3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from cloud_metering.payload import Row, Values, crossing, digests, links, rows_of
from cloud_metering.tables import usage_conflict, usage_event, watermark
from crypto.chain import GENESIS, link_digest

Key = tuple[str, str]
_MICRO = 1_000_000
_EVENT_COLUMNS = tuple(column.name for column in usage_event.columns)
_CONFLICT_COLUMNS = tuple(column.name for column in usage_conflict.columns if column.name != "number")
_VERIFY_ROWS = 20_000
_INCOMING = sa.table("usage_incoming", sa.column("source"), sa.column("event_id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of the rows: their sum is the number of rows posted.

    Attributes:
        stored: New events.
        duplicates: Events that were there with the same payload.
        conflicts: Known ids with another payload, quarantined; counted each time they come.
        conflicting: The quarantined rows, with their payload digests.
    """

    stored: int
    duplicates: int
    conflicts: int
    conflicting: tuple[tuple[Row, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Rows told apart before anything is written; ``marks`` are the payload digests beside ``fresh``."""

    fresh: list[Values]
    marks: list[bytes]
    conflicts: list[tuple[Values, bytes]]
    duplicates: int


def post(connection: sa.Connection, rows: pa.Table, received_at: datetime) -> Posted:
    """Store usage rows whose (source, event_id) is new, chained in row order; call inside a write transaction.

    Args:
        connection: Of ``storage.state.writing``: the write lock keeps the chain in one line.
        rows: ``records.schemas.USAGE``.
        received_at: Stamped on all of them; no part of the payload.
    """
    parsed = rows_of(rows)
    found = sort_out(parsed, _known(connection, parsed))
    _store(connection, found, received_at)
    _quarantine(connection, found.conflicts, received_at)
    return _posted(found)


def preview(connection: sa.Connection, rows: pa.Table) -> Posted:
    """What ``post`` would come to; writes nothing."""
    parsed = rows_of(rows)
    return _posted(sort_out(parsed, _known(connection, parsed)))


def _posted(found: Sorted) -> Posted:
    return Posted(
        stored=len(found.fresh),
        duplicates=found.duplicates,
        conflicts=len(found.conflicts),
        conflicting=tuple((Row(*values), mark) for values, mark in found.conflicts),
    )


def sort_out(rows: Sequence[Values], known: dict[Key, bytes]) -> Sorted:
    """Tell new rows, repetitions and conflicts apart; within the batch the first of an id stays."""
    first = dict(known)
    found = Sorted(fresh=[], marks=[], conflicts=[], duplicates=0)
    for row, mark in zip(rows, digests(rows), strict=True):
        stands = first.setdefault(row[:2], mark)
        if stands is mark:
            found.fresh.append(row)
            found.marks.append(mark)
        elif stands != mark:
            found.conflicts.append((row, mark))
    return replace(found, duplicates=len(rows) - len(found.fresh) - len(found.conflicts))


def _known(connection: sa.Connection, rows: Sequence[Values]) -> dict[Key, bytes]:
    """Payload digests of the ids that the ledger has, by one join with a temporary table."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA cache_size=-65536")  # KiB; ids come in no order: keep their index in memory
    connection.exec_driver_sql("CREATE TEMPORARY TABLE IF NOT EXISTS usage_incoming (source TEXT, event_id TEXT)")
    connection.exec_driver_sql("DELETE FROM usage_incoming")
    insert(connection, "usage_incoming", ("source", "event_id"), [row[:2] for row in rows])
    match = (usage_event.c.source == _INCOMING.c.source) & (usage_event.c.event_id == _INCOMING.c.event_id)
    query = sa.select(usage_event.c.source, usage_event.c.event_id, usage_event.c.payload_sm3)
    found = connection.execute(query.select_from(_INCOMING.join(usage_event, match)))
    return {(source, event_id): bytes(mark) for source, event_id, mark in found}


def insert(
    connection: sa.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, tail: str = ""
) -> None:
    """Bulk insert of driver-ready values: no per-row work but the driver's own."""
    ready = list(rows)
    if not ready:
        return
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join([mark] * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks}) {tail}", ready)  # noqa: S608 - fixed names


def ledger_head(connection: sa.Connection) -> tuple[int, bytes]:
    """Number and chain value of the newest event; (0, 32 zero bytes) for an empty ledger."""
    query = sa.select(usage_event.c.seq, usage_event.c.chain).order_by(usage_event.c.seq.desc()).limit(1)
    found = connection.execute(query).first()
    return (found[0], bytes(found[1])) if found else (0, GENESIS)


def _store(connection: sa.Connection, found: Sorted, received_at: datetime) -> None:
    seq, head = ledger_head(connection)
    at = _micros(received_at)
    crosses = crossing([row[8] for row in found.fresh], [row[9] for row in found.fresh])
    beside = zip(found.fresh, crosses, found.marks, links(head, found.marks), strict=True)
    ready = (
        (number, *row[:8], row[8] * _MICRO, row[9] * _MICRO, row[10], over, at, mark, link)
        for number, (row, over, mark, link) in enumerate(beside, seq + 1)
    )
    insert(connection, "usage_event", _EVENT_COLUMNS, ready)


def _quarantine(connection: sa.Connection, conflicts: Sequence[tuple[Values, bytes]], received_at: datetime) -> None:
    at = _micros(received_at)
    ready = ((*row[:8], row[8] * _MICRO, row[9] * _MICRO, row[10], at, mark) for row, mark in conflicts)
    insert(connection, "usage_conflict", _CONFLICT_COLUMNS, ready, tail="ON CONFLICT DO NOTHING")


def _micros(at: datetime) -> int:
    return round(at.timestamp() * _MICRO)


def verify_chain(connection: sa.Connection) -> list[int]:
    """Numbers of the events whose payload, order or chain value does not hold; empty if the ledger is sound."""
    query = sa.text(
        'SELECT seq, source, event_id, tenant, resource, meter, whole, nano, unit, start, "end", attributes,'
        " payload_sm3, chain FROM usage_event ORDER BY seq"
    )
    head, expected = GENESIS, 1
    broken: list[int] = []
    for rows in connection.execute(query).partitions(_VERIFY_ROWS):
        payloads = ((*row[1:9], row[9] // _MICRO, row[10] // _MICRO, row[11]) for row in rows)
        for row, mark in zip(rows, digests(payloads), strict=True):
            if row[0] != expected or row[12] != mark or link_digest(head, mark) != row[13]:
                broken.append(row[0])
            head, expected = bytes(row[13]), row[0] + 1
    return broken


def advance_watermark(connection: sa.Connection, source: str, complete_until: datetime) -> None:
    """State that a source has delivered everything before that instant; a watermark never goes back."""
    before = connection.execute(sa.select(watermark.c.complete_until).where(watermark.c.source == source)).scalar()
    if before is None:
        connection.execute(watermark.insert().values(source=source, complete_until=complete_until))
    elif before < complete_until:
        connection.execute(watermark.update().where(watermark.c.source == source).values(complete_until=complete_until))


def watermarks(connection: sa.Connection) -> dict[str, datetime]:
    """Source to the instant up to which it has delivered everything."""
    found = connection.execute(sa.select(watermark.c.source, watermark.c.complete_until))
    return {source: until for source, until in found}  # noqa: C416 - a Row is no pair to mypy
