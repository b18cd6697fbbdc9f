"""Tokens that may be used from some addresses only, and where they were used from."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; known tokens may be used from everywhere, as before."""
    op.add_column("api_token", sa.Column("addresses", sa.Text(), nullable=False, server_default=""))
    op.add_column("api_token", sa.Column("used_from", sa.Text(), nullable=True))
