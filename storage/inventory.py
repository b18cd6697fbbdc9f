"""The inventory as it is in force: kept in the state database, so that every process reads the same one."""

from __future__ import annotations

import sqlalchemy as sa

from inventory.model import Inventory
from storage.state import Instant, metadata

inventory_revision = sa.Table(
    "inventory_revision",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # the whole inventory in the file's own shape, canonical JSON
)
