"""What Alembic runs for each upgrade: inside the transaction that ``storage.migrate`` holds."""

from __future__ import annotations

from alembic import context

from storage.state import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
