"""What a consumer remembers between batches, kept with the offsets so that both are of the same moment."""

from __future__ import annotations

import sqlalchemy as sa

from storage.state import metadata, reading, upsert

consumer_snapshot = sa.Table(
    "consumer_snapshot",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


def save(connection: sa.Connection, consumer: str, blob: bytes) -> None:
    """Replace the consumer's snapshot; call it in a ``Step.apply``, so that it is committed with the offset."""
    upsert(connection, consumer_snapshot, [{"consumer": consumer, "body": blob}])


def load(engine: sa.Engine, consumer: str) -> bytes | None:
    """The last committed snapshot; None before the first."""
    with reading(engine) as connection:
        body: bytes | None = connection.scalar(
            sa.select(consumer_snapshot.c.body).where(consumer_snapshot.c.consumer == consumer)
        )
    return body
