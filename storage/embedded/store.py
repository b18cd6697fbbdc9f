"""The embedded record store behind ``storage.port.RecordStore``."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from records.errors import UserError
from records.instants import microseconds
from records.schemas import TABLES, Table
from storage.embedded.batches import conform, ordered_days
from storage.embedded.cells import DAY
from storage.embedded.conditions import Clause, duckdb_clause, sqlite_clause, window
from storage.embedded.hot import HotFile
from storage.embedded.order import instants_of, sorted_by
from storage.embedded.paging import behind, decode_cursor, decoded, encode_cursor, merge, narrowed, order_by, walk
from storage.embedded.sealed import SealedFiles, hash_keys
from storage.embedded.view import Segment, View
from storage.port import Page, Where
from storage.unavailable import UnavailableError


class EmbeddedStore:
    """Rows by key in one folder. One process writes (``writer=True``), any number read, each from any thread.

    Args:
        folder: Holds ``hot.db`` and a folder of segments for each table.
        writer: Whether this process may append and seal; a second writer is refused.
    """

    def __init__(self, folder: Path, *, writer: bool = False) -> None:
        self._folder = folder
        self._lock = _lock(folder) if writer else None
        self._changing = threading.RLock()
        self._declared = {table.name for table in TABLES}
        self._hot = HotFile(folder, writer=writer)
        self._sealed = SealedFiles(folder)
        if writer:
            with self._hot.writing() as view:
                listed = view.files()
            self._sealed.remove_unlisted(listed)

    def append(self, table: Table, rows: pa.Table) -> int:
        """Store rows whose key is new, sealed keys included; durable when it returns.

        Raises:
            ValueError: The rows are not of the table's schema, or a key or time is missing.
            UnavailableError: The disk is full or read-only; nothing was stored.
        """
        rows = conform(table, rows)
        with self._changing:
            self._declare(table)
            with self._hot.writing() as view:
                return view.insert(table, self._unsealed(view, table, rows))

    def read(
        self,
        table: Table,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Sequence[Where] = (),
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        wanted = list(columns) if columns is not None else table.schema.names
        needed = list(dict.fromkeys((*wanted, *table.series, table.time)))
        conditions = [*window(table, start, end), *where]
        hot, segments = self._look(table, start, end, needed, sqlite_clause(table, conditions))
        sealed = self._sealed.select(table, segments, needed, duckdb_clause(table, conditions)) if segments else None
        rows = hot if sealed is None else sealed if not len(hot) else pa.concat_tables((sealed, hot))
        return sorted_by(rows, (*table.series, table.time)).select(wanted)

    def page(
        self,
        table: Table,
        *,
        limit: int,
        cursor: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        where: Sequence[Where] = (),
        newest_first: bool = True,
    ) -> Page:
        if limit < 1:
            raise ValueError(f"a page holds at least one row, not {limit}")
        conditions = [*window(table, start, end), *where]
        clauses = [sqlite_clause(table, conditions), duckdb_clause(table, conditions)]
        bounds = _bounds(start, end)
        if cursor is not None:
            last = decode_cursor(table, cursor, newest_first=newest_first)
            forms = (list(last.values()), decoded(table, last))
            clauses = [
                _both(clause, behind(table, last, newest_first=newest_first, values=form))
                for clause, form in zip(clauses, forms, strict=True)
            ]
            bounds = narrowed(table, last, bounds, newest_first=newest_first)
        rows = self._first(table, limit + 1, clauses, bounds, newest_first=newest_first)
        shown = rows.slice(0, limit)
        return Page(
            rows=shown, next=encode_cursor(table, shown, newest_first=newest_first) if len(rows) > limit else None
        )

    def count(
        self, table: Table, *, start: datetime | None = None, end: datetime | None = None, where: Sequence[Where] = ()
    ) -> int:
        conditions = [*window(table, start, end), *where]
        bounds = _bounds(start, end)
        with self._hot.reading() as view:
            if view is None or not view.has(table):
                return 0
            total = view.count(table, sqlite_clause(table, conditions))
            segments = view.segments(table, *bounds)
        whole = [segment for segment in segments if not where and _inside(segment, *bounds)]
        rest = [segment for segment in segments if segment not in whole]
        total += sum(segment.rows for segment in whole)
        return total + (self._sealed.count(table, rest, duckdb_clause(table, conditions)) if rest else 0)

    def seal(self, before: datetime) -> int:
        edge = microseconds(before) // DAY
        moved = 0
        with self._hot.reading() as view:
            names = [table for table in TABLES if view is not None and view.has(table)]
        for table in names:
            while (rows := self._seal_day(table, edge)) is not None:
                moved += rows
        return moved

    def load_sealed(self, table: Table, rows: pa.Table) -> int:
        rows = conform(table, rows)
        with self._changing:
            self._declare(table)
            with self._hot.writing() as view:
                days = ordered_days(table, self._loadable(view, table, rows))
                for day, part in days:
                    view.list_segment(self._sealed.write(table, part, day=day, number=0))
                return sum(len(part) for _, part in days)

    def close(self) -> None:
        self._hot.close()
        self._sealed.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _declare(self, table: Table) -> None:
        if table.name not in self._declared:
            self._hot.declare(table)
            self._declared.add(table.name)

    def _look(
        self, table: Table, start: datetime | None, end: datetime | None, columns: Sequence[str], clause: Clause
    ) -> tuple[pa.Table, list[Segment]]:
        """Hot rows and the segments to read beside them, from one snapshot: a row stands in one of the two."""
        with self._hot.reading() as view:
            if view is None or not view.has(table):
                return pa.schema([table.schema.field(name) for name in columns]).empty_table(), []
            return view.select(table, columns, clause), view.segments(table, *_bounds(start, end))

    def _first(
        self,
        table: Table,
        limit: int,
        clauses: Sequence[Clause],
        bounds: tuple[int | None, int | None],
        *,
        newest_first: bool,
    ) -> pa.Table:
        """The first rows in page order, from the hot rows and as few segments as decide it."""
        names, tail = table.schema.names, order_by(table, newest_first=newest_first, limit=limit)
        with self._hot.reading() as view:
            if view is None or not view.has(table):
                return table.schema.empty_table()
            hot = view.select(table, names, clauses[0], tail)
            segments = view.segments(table, *bounds)
        segments.sort(key=(lambda one: -one.most) if newest_first else (lambda one: one.least))

        def enough(rows: pa.Table, segment: Segment) -> bool:
            if len(rows) < limit:
                return False
            last = int(instants_of(table, rows.slice(limit - 1, 1))[0])
            return last > segment.most if newest_first else last < segment.least

        return walk(
            segments,
            hot,
            lambda some: self._sealed.select(table, some, names, clauses[1], tail),
            lambda parts: merge(table, parts, newest_first=newest_first, limit=limit),
            enough,
        )

    def _unsealed(self, view: View, table: Table, rows: pa.Table) -> pa.Table:
        """Rows whose key stands in no sealed segment."""
        if not len(rows):
            return rows
        if table.time in table.key:
            instants = instants_of(table, rows)
            segments = view.segments(table, int(instants.min()), int(instants.max()) + 1)
        else:
            segments = view.segments(table)
            if segments:
                segments = self._sealed.suspects(segments, hash_keys(rows, table.key))
        return rows.filter(pa.array(~self._sealed.known(table, segments, rows))) if segments else rows

    def _seal_day(self, table: Table, edge: int) -> int | None:
        """Move the oldest day, if it is older than day ``edge``; None if there is none."""
        with self._changing, self._hot.writing() as view:
            day = view.oldest_day(table)
            if day is None or day >= edge:
                return None
            clause = Clause(f'"{table.time}" >= ? AND "{table.time}" < ?', (day * DAY, (day + 1) * DAY))
            rows = sorted_by(view.select(table, table.schema.names, clause), (*table.series, table.time))
            view.list_segment(self._sealed.write(table, rows, day=day, number=view.next_number(table, day)))
            return view.delete(table, clause)

    def _loadable(self, view: View, table: Table, rows: pa.Table) -> pa.Table:
        """Rows of days without a segment, whose key the store does not hold."""
        if not len(rows):
            return rows
        sealed_days = sorted({segment.day for segment in view.segments(table)})
        fresh = ~np.isin(instants_of(table, rows) // DAY, sealed_days)
        if not fresh.all():
            rows = rows.filter(pa.array(fresh))
        if not len(rows):
            return rows
        instants = instants_of(table, rows)
        clause = Clause("TRUE")
        if table.time in table.key:
            clause = Clause(f'"{table.time}" BETWEEN ? AND ?', (int(instants.min()), int(instants.max())))
        if view.count(table, clause):
            rows = rows.join(view.select(table, table.key, clause), list(table.key), join_type="left anti")
        return self._unsealed(view, table, rows)


def _both(one: Clause, other: Clause) -> Clause:
    return Clause(f"({one.sql}) AND {other.sql}", (*one.values, *other.values))


def _bounds(start: datetime | None, end: datetime | None) -> tuple[int | None, int | None]:
    return (None if start is None else microseconds(start), None if end is None else microseconds(end))


def _inside(segment: Segment, start: int | None, end: int | None) -> bool:
    """Whether every row of the segment is in [start, end)."""
    return (start is None or start <= segment.least) and (end is None or segment.most < end)


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnavailableError(
            "cannot write the record store: {reason}",
            "give this account the right to write there, or choose another data folder with --data DIR",
            where=str(folder),
            reason=error.strerror or str(error),
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UserError(
            "another process writes this record store",
            "end that process first; `yw status` names it",
            where=str(folder),
        ) from None
    return descriptor
