"""The state database (状态库): ledger, alerts, users, offsets. SQLAlchemy Core on SQLite WAL, PostgreSQL later.

Every package declares its tables on ``metadata``; ``storage/migrations`` holds the same as Alembic steps, and a test
compares the two. Writers take the write lock at once (``BEGIN IMMEDIATE``), so that a read-then-write never fails
half-way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeDecorator

from records.instants import microseconds
from storage.unavailable import UnavailableError

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BUSY_SECONDS = 15
APPEND_ONLY = "append_only"  # key of Table.info
_LOCK = "yunwang_lock"  # execution option: how a transaction begins
_HEALABLE = ("disk is full", "readonly database", "unable to open database", "database is locked", "disk I/O error")


class Instant(TypeDecorator[datetime]):
    """Aware UTC in and out; stored as whole microseconds since 1970, so that it sorts and compares on every engine."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None:
            return None
        return datetime.fromtimestamp(value // 1_000_000, tz=UTC).replace(microsecond=value % 1_000_000)


def _configure(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN " + connection.get_execution_options().get(_LOCK, "DEFERRED"))


def open_state(url: str) -> sa.Engine:
    """An engine for ``sqlite:///PATH`` or a PostgreSQL URL. Opens nothing until first use; does not migrate."""
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _configure)
        sa.event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One write transaction, locked at once: all of it is kept or none; UnavailableError if the disk refuses."""
    with _told(engine), engine.connect() as connection:
        connection.execution_options(**{_LOCK: "IMMEDIATE"})
        with connection.begin():
            yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One consistent snapshot; never waits for a writer."""
    with _told(engine), engine.connect() as connection:
        connection.begin()
        yield connection  # leaving the block rolls back


@contextmanager
def _told(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        reason = str(error.orig)
        if not any(sign in reason for sign in _HEALABLE):
            raise
        raise UnavailableError(
            "the state database cannot be used: {reason}",
            "check free space and the rights of the folder; nothing was changed, try again then",
            where=engine.url.database or str(engine.url),
            reason=reason,
        ) from error


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, object]],
    *,
    add: Sequence[str] = (),
    keep: bool = False,
) -> None:
    """Insert rows; a known key replaces the row, sums its ``add`` columns, or with ``keep`` changes nothing."""
    if not rows:
        return
    insert = _insert(connection, table)
    key = [column.name for column in table.primary_key]
    new = {
        name: table.c[name] + insert.excluded[name] if name in add else insert.excluded[name]
        for name in rows[0]
        if name not in key
    }
    known = (
        insert.on_conflict_do_nothing(index_elements=key)
        if keep
        else insert.on_conflict_do_update(index_elements=key, set_=new)
    )
    connection.execute(known, list(rows))


def _insert(connection: sa.Connection, table: sa.Table) -> Any:
    """The dialect's own statement, for ON CONFLICT is in no standard."""
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a twentieth of every command's start

    return postgresql.insert(table)


def append_only(table: sa.Table) -> None:
    """Make SQLite refuse UPDATE and DELETE on a table, CONTRACT §7; the migrations run the same text."""
    table.info[APPEND_ONLY] = True
    for verb in ("UPDATE", "DELETE"):
        trigger = sa.DDL(append_only_trigger(table.name, verb))  # type: ignore[no-untyped-call]  # SQLAlchemy's gap
        sa.event.listen(table, "after_create", trigger.execute_if(dialect="sqlite"))


def append_only_trigger(table: str, verb: str) -> str:
    """The SQLite trigger that refuses ``verb``; the migrations use the same text."""
    return (
        f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
