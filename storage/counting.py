"""Counters that add up (received = stored + dropped + waiting): changed together with what they count."""

from __future__ import annotations

import sqlalchemy as sa

from storage.state import metadata, reading, upsert

counter = sa.Table(
    "counter",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("label", sa.Text, primary_key=True),  # why, source or empty
    sa.Column("value", sa.BigInteger, nullable=False),
)


def bump(connection: sa.Connection, name: str, label: str, by: int) -> None:
    """Add to one counter; call it in a ``Step.apply``."""
    if by:
        upsert(connection, counter, [{"name": name, "label": label, "value": by}], add=["value"])


def counters(engine: sa.Engine) -> dict[str, dict[str, int]]:
    """Name to label to value."""
    found: dict[str, dict[str, int]] = {}
    with reading(engine) as connection:
        for name, label, value in connection.execute(sa.select(counter).order_by(counter.c.name, counter.c.label)):
            found.setdefault(name, {})[label] = value
    return found
