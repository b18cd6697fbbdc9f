"""A state database with the tables of access."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from access import passwords, users
from storage.state import metadata, open_state, writing

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PASSWORD = "Frost-River-2026"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_state(f"sqlite:///{tmp_path}/state.db")
    metadata.create_all(opened)
    yield opened
    opened.dispose()


@pytest.fixture(autouse=True)
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id with the least cost: the tests make dozens of hashes."""
    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords.dummy_hash.cache_clear()


@pytest.fixture
def add(engine: sa.Engine) -> Callable[[str], None]:
    def make(name: str) -> None:
        with writing(engine) as connection:
            users.add_user(connection, "test", name, PASSWORD, AT, must_change=False)

    return make
