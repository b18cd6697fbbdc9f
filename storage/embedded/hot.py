"""Hot days in SQLite WAL beside the list of sealed segments: one transaction moves rows from one to the other."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from records.errors import UserError
from records.schemas import TABLES, Table
from storage.embedded.cells import DAY, declared_type, to_cells, to_table
from storage.embedded.conditions import FOLD, Clause, quoted
from storage.unavailable import UnavailableError

LAYOUT = 1
_CHUNK = 50_000  # rows that stand as Python tuples at once
_SEGMENT = """
CREATE TABLE IF NOT EXISTS segment (
  table_name TEXT NOT NULL, day INTEGER NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, row_count INTEGER NOT
  NULL, least_at INTEGER NOT NULL, most_at INTEGER NOT NULL, columns TEXT NOT NULL, PRIMARY KEY (table_name, day,
  number)
) WITHOUT ROWID"""


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


class HotFile:
    """Connections to the hot database, one a thread, and its few statements."""

    def __init__(self, folder: Path, *, writer: bool) -> None:
        self.path = folder / "hot.db"
        self._writer = writer
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        if writer:
            with self._told():
                self._prepare()

    def _prepare(self) -> None:
        connection = self._connect()
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
        if layout > LAYOUT:
            raise UserError(
                "the record store was written by a newer version (layout {layout})",
                "install that version again, or restore a backup made by this one",
                where=str(self.path),
                layout=layout,
            )
        connection.execute(_SEGMENT)
        connection.execute(f"PRAGMA user_version={LAYOUT}")
        for table in TABLES:
            self.declare(table)

    def _connect(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            mode = "rwc" if self._writer else "rw"  # readers of a WAL need its index file, they write nothing else
            uri = f"{self.path.absolute().as_uri()}?mode={mode}"
            found = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=15)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "mmap_size=268435456"):
                found.execute(f"PRAGMA {pragma}")
            found.create_function(FOLD, 1, _fold, deterministic=True)
            self._local.connection = found
            with self._guard:
                self._connections.append(found)
        return found

    def declare(self, table: Table) -> None:
        """Make the table if it is new, and add the columns that a newer version has."""
        connection = self._connect()
        name = quoted(table.name)
        known = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        if not known:
            connection.execute(_create_table(table))
            connection.execute(_create_index(table))
        for field in table.schema if known else ():
            if field.name not in known:
                connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(field.name)} {declared_type(field.type)}")

    @contextmanager
    def reading(self) -> Iterator[View | None]:
        """One consistent view of hot rows and segments; None while there is no store yet."""
        if not self.path.exists():
            yield None
            return
        with self._told():
            connection = self._connect()
            connection.execute("BEGIN")
            try:
                yield View(connection)
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[View]:
        """One write transaction: all of it is kept, durably, or none."""
        with self._told():
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield View(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise UnavailableError(
                "the record store cannot be used: {reason}",
                "check free space and the rights of the folder; nothing was changed, work goes on by itself",
                where=str(self.path),
                reason=str(error),
            ) from error
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise UserError(
                "the record store is damaged: {reason}",
                "run `yw restore`, or move the folder aside and run `yw soc rebuild`",
                where=str(self.path),
                reason=str(error),
            ) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()


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


def _create_table(table: Table) -> str:
    columns = ", ".join(f"{quoted(field.name)} {declared_type(field.type)}" for field in table.schema)
    key = ", ".join(map(quoted, table.key))
    ending = " WITHOUT ROWID" if table.time in table.key else ""  # short rows keyed by series and time; events are long
    return f"CREATE TABLE {quoted(table.name)} ({columns}, PRIMARY KEY ({key})){ending}"


def _create_index(table: Table) -> str:
    names = dict.fromkeys((table.time, *table.key))
    return f"CREATE INDEX {quoted(table.name + '_by_time')} ON {quoted(table.name)} ({', '.join(map(quoted, names))})"


def _fold(text: str | None) -> str | None:
    return None if text is None else text.lower()
