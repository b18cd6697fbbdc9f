"""Statements inside one transaction of the hot database, and the list of sealed segments."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from records.schemas import Table
from storage.embedded.cells import DAY, to_cells, to_table
from storage.embedded.conditions import Clause, quoted

_CHUNK = 50_000  # rows that stand as Python tuples at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One sealed file of one table and day.

    Attributes:
        day: Days since 1970, UTC.
        number: 0 for the day's first segment; rows that came late make further ones.
        file: Path below the store's folder.
        least: Earliest instant in it, µs since 1970.
        most: Latest.
        columns: Names that the file has; a later version of the table may have more.
    """

    table: str
    day: int
    number: int
    file: str
    rows: int
    least: int
    most: int
    columns: tuple[str, ...]


class View:
    """Statements inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def has(self, table: Table) -> bool:
        """Whether the hot database knows the table."""
        found = self._connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table.name,))
        return found.fetchone() is not None

    def insert(self, table: Table, rows: pa.Table) -> int:
        """Insert rows whose key is new; how many were."""
        names = ", ".join(quoted(name) for name in table.schema.names)
        marks = ", ".join("?" * len(table.schema.names))
        cells = zip(*(to_cells(rows[name]) for name in table.schema.names), strict=True)
        before = self._connection.total_changes
        self._connection.executemany(f"INSERT OR IGNORE INTO {quoted(table.name)} ({names}) VALUES ({marks})", cells)  # noqa: S608 - quoted
        return self._connection.total_changes - before

    def select(self, table: Table, columns: Sequence[str], clause: Clause, tail: str = "") -> pa.Table:
        """Rows that meet the clause; ``tail`` orders and limits them."""
        schema = pa.schema([table.schema.field(name) for name in columns])
        names = ", ".join(quoted(name) for name in columns)
        sql = f"SELECT {names} FROM {self._rows(table)} WHERE {clause.sql} {tail}"  # noqa: S608 - quoted names, bound values
        found = self._connection.execute(sql, clause.values)
        parts = iter(lambda: found.fetchmany(_CHUNK), [])
        return pa.concat_tables([schema.empty_table(), *(to_table(rows, schema) for rows in parts)])

    def _rows(self, table: Table) -> str:
        """The table; columns that only this version knows are NULL until its writer has added them."""
        known = {row[1] for row in self._connection.execute(f"PRAGMA table_info({quoted(table.name)})")}
        missing = ", ".join(f"NULL AS {quoted(name)}" for name in table.schema.names if name not in known)
        return f"(SELECT *, {missing} FROM {quoted(table.name)})" if missing else quoted(table.name)  # noqa: S608 - quoted names

    def count(self, table: Table, clause: Clause) -> int:
        """How many rows meet the clause."""
        sql = f"SELECT count(*) FROM {self._rows(table)} WHERE {clause.sql}"  # noqa: S608 - quoted names, bound values
        return int(self._connection.execute(sql, clause.values).fetchone()[0])

    def delete(self, table: Table, clause: Clause) -> int:
        """Drop rows that were sealed in this transaction."""
        sql = f"DELETE FROM {quoted(table.name)} WHERE {clause.sql}"  # noqa: S608 - quoted names, bound values
        return self._connection.execute(sql, clause.values).rowcount

    def oldest_day(self, table: Table) -> int | None:
        """Day of the oldest hot row."""
        found = self._connection.execute(f"SELECT min({quoted(table.time)}) FROM {quoted(table.name)}")  # noqa: S608 - quoted names
        least = found.fetchone()[0]
        return None if least is None else int(least // DAY)

    def segments(self, table: Table, start: int | None = None, end: int | None = None) -> list[Segment]:
        """Sealed segments that hold rows of [start, end), µs; by day."""
        sql = (
            "SELECT table_name, day, number, file, row_count, least_at, most_at, columns FROM segment "
            "WHERE table_name = ? AND most_at >= ? AND least_at < ? ORDER BY day, number"
        )
        ends = (-(2**63) if start is None else start, 2**63 - 1 if end is None else end)
        return [
            Segment(
                table=name,
                day=day,
                number=number,
                file=file,
                rows=rows,
                least=least,
                most=most,
                columns=tuple(columns.split(" ")),
            )
            for name, day, number, file, rows, least, most, columns in self._connection.execute(
                sql, (table.name, *ends)
            )
        ]

    def next_number(self, table: Table, day: int) -> int:
        """Number of the day's next segment."""
        sql = "SELECT coalesce(max(number), -1) + 1 FROM segment WHERE table_name = ? AND day = ?"
        return int(self._connection.execute(sql, (table.name, day)).fetchone()[0])

    def files(self) -> set[str]:
        """Every listed file."""
        return {file for (file,) in self._connection.execute("SELECT file FROM segment")}

    def list_segment(self, segment: Segment) -> None:
        """Make a file part of the store."""
        values = (segment.table, segment.day, segment.number, segment.file, segment.rows, segment.least, segment.most)
        self._connection.execute(
            "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, " ".join(segment.columns))
        )
