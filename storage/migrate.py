"""Brings the state database to this version's tables. Costs one look when there is nothing to do."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from records.errors import UserError
from records.instants import now
from storage.state import writing
from storage.unavailable import UnavailableError

SCRIPTS = Path(__file__).parent / "migrations"


def head() -> str:
    """The newest revision: migrations are one line, numbered by their file names."""
    return max(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py"))


def current(engine: sa.Engine) -> str | None:
    """Revision of the database; None if it is empty."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def migrate(engine: sa.Engine) -> Path | None:
    """Create or upgrade all tables; returns the copy that was made before an upgrade, if one was.

    Raises:
        UserError: The database was written by a newer version.
        UnavailableError: It cannot be written.
    """
    with _alone(engine):
        have, want = _look(engine), head()
        if have == want:
            return None
        if have is not None and have > want:
            raise UserError(
                "the state database is of a newer version ({have}; this one knows {want})",
                "install that version again, or restore a backup made by this one",
                where=str(engine.url.database),
                have=have,
                want=want,
            )
        copy = _copy(engine, have) if have is not None else None
        _upgrade(engine)
        return copy


def _look(engine: sa.Engine) -> str | None:
    try:
        return current(engine)
    except sa.exc.OperationalError as error:
        raise _unwritable(engine, str(error.orig)) from error
    except sa.exc.DatabaseError as error:
        raise UserError(
            "the state database is damaged: {reason}",
            "stop `yw up` and put the file back from a backup; an upgrade leaves one beside it, {file}.*.bak",
            where=str(engine.url.database),
            file=Path(engine.url.database or "").name,
            reason=str(error.orig),
        ) from error


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command  # noqa: PLC0415 - 0.1 s that only an upgrade pays
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _copy(engine: sa.Engine, revision: str) -> Path | None:
    """A whole copy beside the database, named by its revision; SQLite only, PostgreSQL has its own backups."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    database = Path(engine.url.database)
    copy = database.with_name(f"{database.name}.{revision}-{now():%Y%m%dT%H%M%SZ}.bak")
    with engine.connect() as connection:
        connection.connection.cursor().execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)
    return copy


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """Only one process of a data folder upgrades; the others wait and then find nothing to do."""
    if engine.dialect.name != "sqlite" or not engine.url.database or engine.url.database == ":memory:":
        yield
        return
    path = Path(engine.url.database).with_suffix(".migrate.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(engine, error.strerror or str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unwritable(engine: sa.Engine, reason: str) -> UnavailableError:
    return UnavailableError(
        "the state database cannot be opened: {reason}",
        "give this account the right to write there, or choose another data folder with --data DIR",
        where=str(engine.url.database),
        reason=reason,
    )
