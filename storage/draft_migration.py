"""For developers: ``python -m storage.draft_migration 0002 0001 MODULE…`` prints what the tables need beyond 0001.

Read the draft before keeping it as ``storage/migrations/versions/NNNN_name.py``; Alembic sees neither renames nor data.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations import ops

from storage.migrate import migrate
from storage.state import APPEND_ONLY, Instant, metadata, open_state

_IMPORTS = """\
import sqlalchemy as sa
from alembic import op

from storage.state import append_only_trigger
"""
OWN_TABLES = ("storage.driver", "storage.inventory", "storage.snapshot")


def draft(revision: str, before: str | None, modules: Sequence[str]) -> str:
    """Source of a migration from revision ``before`` (None: an empty database) to the tables of these modules."""
    for module in (*OWN_TABLES, *modules):
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        engine = open_state(f"sqlite:///{Path(folder) / 'state.db'}")
        if before is not None:
            migrate(engine)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            upgrade = produce_migrations(context, metadata).upgrade_ops
        engine.dispose()
    assert upgrade is not None  # noqa: S101 - produce_migrations always fills it
    return _source(revision, before, upgrade)


def _source(revision: str, before: str | None, upgrade: ops.UpgradeOps) -> str:
    body = render_python_code(upgrade, sqlalchemy_module_prefix="sa.", render_item=_render, render_as_batch=True)
    body = re.sub(r",\n    info=\{.*\}", "", body)  # ours alone
    created = {one.table_name for one in upgrade.ops if isinstance(one, ops.CreateTableOp)}
    guarded = sorted(name for name in created if metadata.tables[name].info.get(APPEND_ONLY))
    heading = f'revision = "{revision}"\ndown_revision = {before!r}\n\n\ndef upgrade() -> None:\n'
    return f'"""Draft."""\n\n{_IMPORTS}\n{heading}    {body.strip()}\n{_guards(guarded)}'


def _guards(tables: Sequence[str]) -> str:
    lines = (
        f"    for table in {tuple(tables)!r}:",
        '        for verb in ("UPDATE", "DELETE"):',
        "            op.execute(append_only_trigger(table, verb))",
    )
    return "\n".join(lines) + "\n" if tables else ""


def _render(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


if __name__ == "__main__":
    number, last, *names = sys.argv[1:]
    sys.stdout.write(draft(number, None if last == "none" else last, names))
