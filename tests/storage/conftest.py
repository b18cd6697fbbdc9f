"""Engines under the contract tests: a second one is one more entry of these tables."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from records.spool import Entry, Kind
from storage.embedded import EmbeddedStore
from storage.migrate import migrate
from storage.port import RecordStore
from storage.spool import SpoolReader, SpoolWriter
from storage.state import open_state
from tests.storage.spooled import MEMORY, NOON

RECORD_STORES: dict[str, Callable[[Path, bool], RecordStore]] = {
    "embedded": lambda folder, writer: EmbeddedStore(folder, writer=writer),
}


@pytest.fixture(params=sorted(RECORD_STORES))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., RecordStore]]:
    """Opens the same store again and again; each one is closed at the end."""
    opened: list[RecordStore] = []

    def open_one(*, writer: bool = False) -> RecordStore:
        opened.append(RECORD_STORES[request.param](tmp_path / "records", writer))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., RecordStore]) -> RecordStore:
    return open_store(writer=True)


@pytest.fixture
def spool() -> Iterator[Path]:
    """A spool in memory where the system has such a folder: hundreds of cases with an fsync each."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder) / "spool"


@pytest.fixture
def writer(spool: Path) -> Iterator[SpoolWriter]:
    with SpoolWriter(spool, "collect") as one:
        yield one


@pytest.fixture
def reader(spool: Path) -> SpoolReader:
    return SpoolReader(spool)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_state(f"sqlite:///{tmp_path / 'state.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def entry() -> Callable[..., Entry]:
    def make(payload: bytes = b"line", kind: Kind = Kind.RAW, source: str = "udp", **more: str) -> Entry:
        return Entry(kind=kind, source=source, received_at=NOON, payload=payload, **more)

    return make
