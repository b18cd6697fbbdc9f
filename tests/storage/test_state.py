"""The state database: migrations hold what the packages declare, transactions are whole, instants exact."""

from __future__ import annotations

import importlib
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from records.errors import UserError
from storage import inventory
from storage.counting import bump, counter, counters
from storage.migrate import SCRIPTS, current, head, migrate
from storage.state import APPEND_ONLY, metadata, open_state, reading, upsert, writing
from storage.unavailable import UnavailableError

MODULES = (
    "storage.driver",
    "storage.inventory",
    "storage.snapshot",
    "access.tables",
    "cloud_metering.tables",
    "collectors.tables",
    "link_health.tables",
    "notify.tables",
    "soc.tables",
    "workflow.tables",
)
AT = datetime(2026, 10, 5, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def declared() -> None:
    for module in MODULES:
        importlib.import_module(module)


def test_migrations_and_declarations_are_the_same(state: sa.Engine) -> None:
    with state.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_package_with_tables_is_compared() -> None:
    root = SCRIPTS.parent.parent
    found = {f"{path.parent.name}.tables" for path in root.glob("*/tables.py")}
    assert found <= set(MODULES)


def test_append_only_tables_refuse_update_and_delete_after_a_migration(state: sa.Engine) -> None:
    guarded = {table.name for table in metadata.tables.values() if table.info.get(APPEND_ONLY)}
    assert guarded
    with reading(state) as connection:
        triggers = set(connection.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
    assert {f"{name}_refuses_{verb}" for name in guarded for verb in ("update", "delete")} <= triggers


def test_migrating_again_does_nothing_and_does_not_load_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'state.db'}"
    code = "import sys; from storage.migrate import migrate; from storage.state import open_state; "
    code += f"print(migrate(open_state({url!r})), 'alembic' in sys.modules)"
    runs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout for _ in "12"
    ]
    assert runs == ["None True\n", "None False\n"]


def test_an_older_database_is_copied_before_it_is_upgraded(state: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(state) as connection:
        bump(connection, "received", "raw", 7)
    monkeypatch.setattr("storage.migrate.head", lambda: "9999")
    upgraded = []
    monkeypatch.setattr("storage.migrate._upgrade", upgraded.append)
    copy = migrate(state)
    assert copy is not None
    assert upgraded == [state]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sqlite3.connect(copy).execute("SELECT value FROM counter").fetchall() == [(7,)]


def test_a_newer_database_is_refused(state: sa.Engine) -> None:
    with writing(state) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match="newer version"):
        migrate(state)
    assert current(state) == "9999" > head()


def test_garbage_and_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"this is no database" * 1000)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="damaged"):
        migrate(open_state(f"sqlite:///{tmp_path / 'state.db'}"))
    with pytest.raises(UnavailableError, match="cannot be opened"):
        migrate(open_state(f"sqlite:///{tmp_path / 'file' / 'state.db'}"))


def test_a_failed_transaction_leaves_nothing(state: sa.Engine) -> None:
    def fail() -> None:
        with writing(state) as connection:
            bump(connection, "received", "raw", 1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert counters(state) == {}


def test_a_second_writer_waits_and_reads_what_the_first_wrote(state: sa.Engine) -> None:
    with writing(state) as connection:
        bump(connection, "received", "raw", 1)
        other = sqlite3.connect(state.url.database, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        with reading(state) as snapshot:
            assert snapshot.scalar(sa.select(sa.func.count()).select_from(counter)) == 0
    with writing(state) as connection:
        bump(connection, "received", "raw", 2)
    assert counters(state) == {"received": {"raw": 3}}


def test_a_read_only_database_is_told_in_our_words(state: sa.Engine) -> None:
    def write() -> None:
        with writing(state) as connection:
            connection.exec_driver_sql("PRAGMA query_only=ON")
            try:
                bump(connection, "received", "raw", 1)
            finally:
                connection.exec_driver_sql("PRAGMA query_only=OFF")

    with pytest.raises(UnavailableError, match="readonly"):
        write()


def test_instants_are_exact_aware_and_utc(state: sa.Engine) -> None:
    shanghai = AT.astimezone(timezone(timedelta(hours=8)))
    with writing(state) as connection:
        assert inventory.save(connection, "{}", "local:me", shanghai) == 1
    with reading(state) as connection:
        (row,) = connection.execute(sa.select(inventory.inventory_revision))
        stored = connection.scalar(sa.text("SELECT at FROM inventory_revision"))
    assert (row.at, row.at.utcoffset(), stored) == (AT, timedelta(0), 1791201600123456)
    with pytest.raises(sa.exc.StatementError, match="naive"), writing(state) as connection:
        inventory.save(connection, "{}", "local:me", AT.replace(tzinfo=None))


def test_the_inventory_in_force_is_the_newest(state: sa.Engine) -> None:
    assert (inventory.revision(state), inventory.load(state)) == (0, None)
    with writing(state) as connection:
        numbers = [inventory.save(connection, body, "local:me", AT) for body in ('{"a":1}', '{"a":2}')]
    assert (numbers, inventory.revision(state), inventory.load(state)) == ([1, 2], 2, '{"a":2}')


def test_upsert_replaces_adds_or_keeps(state: sa.Engine) -> None:
    row = {"name": "n", "label": "l", "value": 1}
    with writing(state) as connection:
        for more in ({}, {"add": ["value"]}, {"keep": True}):
            upsert(connection, counter, [row | {"value": 5}], **more)
        upsert(connection, counter, [])
    assert counters(state) == {"n": {"l": 10}}
