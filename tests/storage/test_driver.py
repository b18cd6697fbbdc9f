"""The driver: offsets with results, a guilty entry set aside alone, nothing skipped for a full disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from records.schemas import EVENTS
from records.spool import Entry, Kind, Position
from storage import snapshot
from storage.consumer import Step
from storage.counting import bump
from storage.driver import Driver, counters, drain, offsets
from storage.port import RecordStore
from storage.quarantine import quarantine
from storage.spool import SpoolReader, SpoolWriter
from storage.spool.segments import list_segments
from storage.state import reading
from storage.unavailable import UnavailableError

NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
Make = Callable[..., Entry]


class Adder:
    """Adds numbers, remembers the sum in its snapshot; chokes on ``poison``."""

    name = "adder"
    kinds = frozenset({Kind.RAW})

    def __init__(self, state: sa.Engine) -> None:
        self.total = int(snapshot.load(state, self.name) or b"0")
        self.ticks = 0

    def process(self, batch: Sequence[tuple[Position, Entry]], _now: datetime) -> Step:
        for _, entry in batch:
            if entry.payload == b"disk full":
                raise UnavailableError("no room", "wait")
            self.total += int(entry.payload)  # a poison entry leaves a half-changed object behind
        return Step(rows=[(EVENTS, event_rows(batch))], events=derived(batch), apply=[self._save, counting(len(batch))])

    def tick(self, _now: datetime) -> Step:
        self.ticks += 1
        if self.ticks == 2:
            raise KeyError("a defect")
        return Step(apply=[counting(100)])

    def _save(self, connection: sa.Connection) -> None:
        snapshot.save(connection, self.name, b"%d" % self.total)


def counting(number: int) -> Callable[[sa.Connection], None]:
    return lambda connection: bump(connection, "received", "raw", number)


def event_rows(batch: Sequence[tuple[Position, Entry]]) -> pa.Table:
    rows = [dict.fromkeys(EVENTS.schema.names) | {"id": f"{at.partition}/{at.offset}", "at": NOW} for at, _ in batch]
    return pa.Table.from_pylist(rows, schema=EVENTS.schema)


def derived(batch: Sequence[tuple[Position, Entry]]) -> list[Entry]:
    return [Entry(kind=Kind.EVENT, source="adder", received_at=NOW, payload=entry.payload) for _, entry in batch]


@pytest.fixture
def work(spool: Path) -> SpoolWriter:
    with SpoolWriter(spool, "work") as one:
        yield one


@pytest.fixture
def driver(reader: SpoolReader, work: SpoolWriter, store: RecordStore, state: sa.Engine) -> Driver:
    return Driver(lambda: Adder(state), reader, work, store, state)


def total(state: sa.Engine) -> int:
    return int(snapshot.load(state, "adder") or b"0")


def test_a_batch_commits_rows_events_state_and_offset(
    driver: Driver, writer: SpoolWriter, reader: SpoolReader, store: RecordStore, state: sa.Engine, entry: Make
) -> None:
    writer.append([entry(b"%d" % n) for n in range(10)])
    assert [driver.drain(NOW, 6), driver.drain(NOW, 6), driver.drain(NOW, 6)] == [6, 4, 0]
    assert (total(state), store.count(EVENTS), reader.end("work")) == (45, 10, 10)
    assert offsets(state)["adder", "collect"] == 10
    assert counters(state) == {"received": {"raw": 10}}


def test_derived_events_are_on_disk_before_the_offset_is(
    driver: Driver, writer: SpoolWriter, state: sa.Engine, entry: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict] = []
    monkeypatch.setattr(
        SpoolWriter, "sync", lambda one: seen.append(offsets(state)) if one.partition == "work" else None
    )
    writer.append([entry(b"1")])
    driver.drain(NOW, 9)
    assert seen == [{}]
    assert offsets(state) == {("adder", "collect"): 1}


def test_entries_of_other_kinds_are_passed_and_the_end_is_committed(
    driver: Driver, writer: SpoolWriter, state: sa.Engine, entry: Make
) -> None:
    writer.append([entry(b"x", Kind.USAGE) for _ in range(500)])
    assert driver.drain(NOW, 10) == 0
    assert driver.drain(NOW, 10) == 0
    assert offsets(state) == {("adder", "collect"): 500}


def test_every_partition_has_its_turn(driver: Driver, spool: Path, state: sa.Engine, entry: Make) -> None:
    for name in ("a", "b"):
        with SpoolWriter(spool, name) as writer:
            writer.append([entry(b"1") for _ in range(50)])
    assert driver.drain(NOW, 5) == 10
    assert {name: at for (_, name), at in offsets(state).items()} == {"a": 5, "b": 5}


def test_a_poison_entry_is_set_aside_alone_and_counted(
    driver: Driver, writer: SpoolWriter, store: RecordStore, state: sa.Engine, entry: Make
) -> None:
    writer.append([entry(b"poison" if n == 7 else b"%d" % n, peer="10.0.0.1") for n in range(20)])
    assert driver.drain(NOW, 100) == 20
    assert (total(state), store.count(EVENTS)) == (sum(range(20)) - 7, 19)
    assert counters(state) == {"received": {"raw": 20}, "dropped": {"ValueError": 1}}
    with reading(state) as connection:
        (row,) = connection.execute(sa.select(quarantine)).mappings()
    assert (row["consumer"], row["partition"], row["offset"], row["why"]) == ("adder", "collect", 7, "ValueError")
    assert (row["kind"], row["source"], row["peer"], row["payload"], row["received_at"]) == (
        "raw",
        "udp",
        "10.0.0.1",
        b"poison",
        NOW,
    )
    assert "invalid literal" in row["reason"]


def test_a_full_disk_is_nobodys_fault(driver: Driver, writer: SpoolWriter, state: sa.Engine, entry: Make) -> None:
    writer.append([entry(b"1"), entry(b"disk full")])
    for _ in range(2):
        with pytest.raises(UnavailableError):
            driver.drain(NOW, 100)
    assert (total(state), offsets(state), counters(state)) == (0, {}, {})


def test_a_crash_between_events_and_state_repeats_the_batch(
    writer: SpoolWriter,
    reader: SpoolReader,
    work: SpoolWriter,
    store: RecordStore,
    state: sa.Engine,
    entry: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer.append([entry(b"5")])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("storage.driver.writing", die)
        with pytest.raises(KeyboardInterrupt):
            Driver(lambda: Adder(state), reader, work, store, state).drain(NOW, 9)
    assert (total(state), store.count(EVENTS)) == (0, 1)
    assert drain(Adder(state), reader, work, store, state, NOW, 9) == 1
    assert (total(state), store.count(EVENTS)) == (5, 1)


def test_damaged_bytes_are_set_aside_once_for_all_consumers(
    spool: Path, reader: SpoolReader, work: SpoolWriter, store: RecordStore, state: sa.Engine, entry: Make
) -> None:
    with SpoolWriter(spool, "collect") as writer:
        writer.append([entry(b"1"), entry(b"2"), entry(b"4")])
        writer.roll()
    path = list_segments(spool / "collect")[0].path
    data = path.read_bytes()
    path.write_bytes(data.replace(b"auto2", b"auto3"))

    class Second(Adder):
        name = "second"

    for make in (Adder, Second):
        driver = Driver(lambda make=make: make(state), reader, work, store, state)
        while driver.drain(NOW, 10):
            pass
    assert total(state) == 5
    assert counters(state)["dropped"] == {"damaged": 1}
    with reading(state) as connection:
        (payload,) = connection.scalars(sa.select(quarantine.c.payload))
    assert payload in path.read_bytes()


def test_a_defect_in_tick_is_counted_and_the_consumer_made_again(driver: Driver, state: sa.Engine) -> None:
    for _ in range(3):
        driver.tick(NOW)
    assert counters(state) == {"errors": {"adder.tick": 1}, "received": {"raw": 200}}
