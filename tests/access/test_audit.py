"""The audit log: kept with its change, chained, and a change of any record is named."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from access import audit
from access.tables import audit_log
from storage.state import append_only_trigger, writing

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def five(engine: sa.Engine) -> sa.Engine:
    with writing(engine) as connection:
        for number in range(5):
            audit.record(connection, "admin", "user.lock", f"u{number}", "success", {"why": "离职", "n": number}, AT)
    return engine


def rewrite(engine: sa.Engine, statement: str) -> None:
    """What somebody with the file in hand can do: drop the trigger, write, put the trigger back."""
    with engine.begin() as connection:
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(f"DROP TRIGGER audit_log_refuses_{verb.lower()}")
        connection.exec_driver_sql(statement)
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(append_only_trigger("audit_log", verb))


def problems(engine: sa.Engine) -> list[str]:
    return [one.text() for one in audit.verify(engine)]


def test_an_untouched_log_verifies(five: sa.Engine) -> None:
    assert problems(five) == []


def test_an_empty_log_verifies(engine: sa.Engine) -> None:
    assert problems(engine) == []


def test_chain_is_that_of_the_contract(five: sa.Engine) -> None:
    """h(0) is 32 zero bytes, h(n) = SM3(h(n-1) || SM3(payload)): recomputed here from the stored columns alone."""
    before = bytes(32)
    with five.connect() as connection:
        rows = connection.execute(sa.select(audit_log).order_by(audit_log.c.number)).mappings().all()
    for row in rows:
        payload = {name: value for name, value in row.items() if name != "chain"} | {"at": "2026-11-22T03:00:00Z"}
        text = json.dumps(payload, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        before = hashlib.new("sm3", before + hashlib.new("sm3", text.encode()).digest()).digest()
        assert row["chain"] == before.hex()


@pytest.mark.parametrize("verb", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"])
def test_database_refuses_changes(five: sa.Engine, verb: str) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), five.begin() as connection:
        connection.exec_driver_sql(verb)


@pytest.mark.parametrize(
    "column",
    ["at = at + 1", "actor = 'nobody'", "action = 'x'", "object = 'x'", "outcome = 'failure'", "detail = '{}'"],
)
def test_a_changed_column_names_its_record(five: sa.Engine, column: str) -> None:
    rewrite(five, f"UPDATE audit_log SET {column} WHERE number = 3")  # noqa: S608 - the test's own words
    assert problems(five) == ["audit record 3 does not fit the chain"]


def test_a_changed_chain_value_names_the_record_and_its_successor(five: sa.Engine) -> None:
    rewrite(five, f"UPDATE audit_log SET chain = '{'0' * 64}' WHERE number = 2")  # noqa: S608 - the test's own words
    assert problems(five) == ["audit record 2 does not fit the chain", "audit record 3 does not fit the chain"]


def test_a_removed_record_is_named(five: sa.Engine) -> None:
    rewrite(five, "DELETE FROM audit_log WHERE number = 2")
    assert problems(five) == ["audit records 2 to 2 are missing", "audit record 3 does not fit the chain"]


def test_a_record_and_its_change_stand_or_fall_together(engine: sa.Engine) -> None:
    def broken() -> None:
        with writing(engine) as connection:
            audit.record(connection, "admin", "user.lock", "x", "success", {}, AT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(audit_log)).scalar() == 0
