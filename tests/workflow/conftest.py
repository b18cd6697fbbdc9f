"""A state database with the tables of workflow and access, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import access.tables  # noqa: F401 - the audit log
import workflow.tables  # noqa: F401 - declares its tables
from storage.state import metadata, open_state

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    opened = open_state(f"sqlite:///{tmp_path}/state.db")
    metadata.create_all(opened)
    yield opened
    opened.dispose()
