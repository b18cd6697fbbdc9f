"""Hot days in SQLite WAL beside the list of sealed segments: one transaction moves rows from one to the other."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from records.errors import UserError
from records.schemas import TABLES, Table
from storage.embedded.cells import declared_type
from storage.embedded.conditions import FOLD, quoted
from storage.embedded.view import View
from storage.unavailable import UnavailableError

LAYOUT = 1
_SEGMENT = """
CREATE TABLE IF NOT EXISTS segment (
  table_name TEXT NOT NULL, day INTEGER NOT NULL, number INTEGER NOT NULL, file TEXT NOT NULL, row_count INTEGER NOT
  NULL, least_at INTEGER NOT NULL, most_at INTEGER NOT NULL, columns TEXT NOT NULL, PRIMARY KEY (table_name, day,
  number)
) WITHOUT ROWID"""


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
        for statement in () if known else _create_statements(table):
            connection.execute(statement)
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
                "stop `yw up` and put {folder} back from a backup; without one move it aside: new records are kept from"
                " then on, and what was collected stays in the spool",
                where=str(self.path),
                folder=self.path.parent,
                reason=str(error),
            ) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()


def _create_statements(table: Table) -> list[str]:
    """Short rows keyed by series and time stand in order of arrival: a round of polls fills few pages.

    Long rows, such as events, are found by key and by time through an index each.
    """
    name = quoted(table.name)
    columns = ", ".join(f"{quoted(field.name)} {declared_type(field.type)}" for field in table.schema)
    by_time = ", ".join(map(quoted, dict.fromkeys((table.time, *table.key))))
    if table.time in table.key:
        return [f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({by_time})) WITHOUT ROWID"]
    key = ", ".join(map(quoted, table.key))
    index = f"CREATE INDEX {quoted(table.name + '_by_time')} ON {name} ({by_time})"
    return [f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({key}))", index]


def _fold(text: str | None) -> str | None:
    return None if text is None else text.lower()
