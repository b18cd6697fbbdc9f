"""Runs a consumer over the spool, in the order of ``storage.consumer``; an entry that fails is set aside alone."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from records.spool import Entry, Position
from storage.consumer import Consumer, Step
from storage.counting import bump, counters
from storage.port import RecordStore
from storage.quarantine import put_damaged, put_entry
from storage.spool import Scan, SpoolCorruptError, SpoolReader, SpoolWriter
from storage.state import metadata, reading, upsert, writing
from storage.unavailable import UnavailableError

__all__ = ["Driver", "bump", "counters", "drain", "offsets"]

consumer_offset = sa.Table(
    "consumer_offset",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("partition", sa.Text, primary_key=True),
    sa.Column("offset", sa.BigInteger, nullable=False),  # ordinal of the next entry to judge
)

# Not the entry's fault: time or a person heals these, the batch is tried again.
_SURROUNDINGS = (
    UnavailableError,
    OSError,
    MemoryError,
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sqlite3.OperationalError,
)
_log = logging.getLogger(__name__)


class Driver:
    """One consumer at work.

    Args:
        make: Makes the consumer from its snapshot; called again after any exception.
        reader: Used by the driver's own thread only.
        writer: Takes derived events.
    """

    def __init__(
        self,
        make: Callable[[], Consumer],
        reader: SpoolReader,
        writer: SpoolWriter,
        store: RecordStore,
        state: sa.Engine,
    ) -> None:
        self._make, self._reader, self._writer, self._store, self._state = make, reader, writer, store, state
        self._renew()

    def drain(self, now: datetime, limit: int) -> int:
        """One batch of at most ``limit`` entries of every partition; returns how many were judged or set aside.

        Raises:
            UnavailableError, OSError, sqlalchemy.exc.OperationalError: Disk or database; nothing is skipped, call
            again.
        """
        return sum(self._drain_partition(name, now, limit) for name in self._reader.partitions())

    def tick(self, now: datetime) -> None:
        """Let the consumer act on time alone; a defect in it is logged and counted under ``errors``."""
        try:
            self._perform(self._consumer.tick(now), None)
        except _SURROUNDINGS:
            self._renew()
            raise
        except Exception:  # noqa: BLE001 - whatever a judging package raises
            name = self._consumer.name
            _log.exception("tick of %s failed", name)
            self._renew()
            with writing(self._state) as connection:
                bump(connection, "errors", f"{name}.tick", 1)

    def _renew(self) -> None:
        self._consumer = self._make()
        self._committed = {
            partition: at for (name, partition), at in offsets(self._state).items() if name == self._consumer.name
        }
        self._reached = dict(self._committed)

    def _drain_partition(self, partition: str, now: datetime, limit: int) -> int:
        offset = self._reached.get(partition, 0)
        try:
            scan = self._reader.scan(partition, offset, limit, self._consumer.kinds)
        except SpoolCorruptError as error:
            damaged = error  # the name of an except clause ends with it
            self._set_aside(partition, error.resume, lambda connection: put_damaged(connection, damaged, now))
            return int(error.resume > offset)
        if scan.entries:
            self._judge(scan.entries, (partition, scan.next), now)
        else:
            self._skip(partition, offset, scan)
        return len(scan.entries)

    def _skip(self, partition: str, offset: int, scan: Scan) -> None:
        """Pass entries of other kinds. That is committed once the end is reached, not with every look."""
        self._reached[partition] = scan.next
        if scan.next == offset and self._committed.get(partition, 0) != offset:
            with writing(self._state) as connection:
                self._commit_offset(connection, (partition, offset))
            self._committed[partition] = offset

    def _judge(self, batch: Sequence[tuple[Position, Entry]], after: tuple[str, int], now: datetime) -> None:
        """Perform the batch and commit the offset ``after``; on a failure halve it until the guilty entry is alone."""
        try:
            self._perform(self._consumer.process(batch, now), after)
        except _SURROUNDINGS:
            self._renew()
            raise
        except Exception as error:  # noqa: BLE001 - whatever a judging package raises
            self._renew()
            if len(batch) == 1:
                _log.exception("%s set an entry aside: %s", self._consumer.name, batch[0][0])
                name, guilty = self._consumer.name, error
                self._set_aside(*after, lambda connection: put_entry(connection, name, batch[0], guilty, now))
                return
            middle = len(batch) // 2
            self._judge(batch[:middle], (after[0], batch[middle][0].offset), now)
            self._judge(batch[middle:], after, now)

    def _perform(self, step: Step, after: tuple[str, int] | None) -> None:
        for table, rows in step.rows:
            self._store.append(table, rows)
        if step.events:
            self._writer.append(step.events)
            self._writer.sync()  # the offset below is durable, so what it led to must be before it
        if after is None and not step.apply:
            return
        with writing(self._state) as connection:
            for apply in step.apply:
                apply(connection)
            if after is not None:
                self._commit_offset(connection, after)
        if after is not None:
            self._committed[after[0]] = self._reached[after[0]] = after[1]

    def _set_aside(self, partition: str, offset: int, put: Callable[[sa.Connection], None]) -> None:
        with writing(self._state) as connection:
            put(connection)
            self._commit_offset(connection, (partition, offset))
        self._committed[partition] = self._reached[partition] = offset

    def _commit_offset(self, connection: sa.Connection, after: tuple[str, int]) -> None:
        row = {"consumer": self._consumer.name, "partition": after[0], "offset": after[1]}
        upsert(connection, consumer_offset, [row])


def drain(
    consumer: Consumer,
    reader: SpoolReader,
    writer: SpoolWriter,
    store: RecordStore,
    state: sa.Engine,
    now: datetime,
    limit: int,
) -> int:
    """One batch of every partition through one consumer object that is not made again."""
    return Driver(lambda: consumer, reader, writer, store, state).drain(now, limit)


def offsets(engine: sa.Engine) -> dict[tuple[str, str], int]:
    """(consumer, partition) to the ordinal of the next entry to judge."""
    with reading(engine) as connection:
        return {(name, partition): offset for name, partition, offset in connection.execute(sa.select(consumer_offset))}
