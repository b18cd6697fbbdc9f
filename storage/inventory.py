"""The inventory as it is in force: kept in the state database, so that every process reads the same one."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from storage.state import Instant, metadata, reading

inventory_revision = sa.Table(
    "inventory_revision",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),  # from 1 without a gap
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # the whole inventory in the file's own shape, canonical JSON
)
_LATEST = sa.func.coalesce(sa.func.max(inventory_revision.c.number), 0)


def save(connection: sa.Connection, body: str, actor: str, at: datetime) -> int:
    """Put an inventory in force, inside a write transaction; returns its revision number. Older revisions stay."""
    number = int(connection.scalar(sa.select(_LATEST)) or 0) + 1
    connection.execute(inventory_revision.insert().values(number=number, at=at, actor=actor, body=body))
    return number


def revision(engine: sa.Engine) -> int:
    """Number of the revision in force; 0 before the first. Cheap: ask before ``load``."""
    with reading(engine) as connection:
        return int(connection.scalar(sa.select(_LATEST)) or 0)


def load(engine: sa.Engine) -> str | None:
    """Canonical JSON of the inventory in force; None before the first."""
    newest = sa.select(inventory_revision.c.body).order_by(inventory_revision.c.number.desc()).limit(1)
    with reading(engine) as connection:
        body: str | None = connection.scalar(newest)
    return body
