"""Following clouds through time: each window once, in order, none lost by a failure or a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest

from collectors.openstack import collect_forever
from collectors.openstack.forever import Task
from records.errors import UnreachableError, UserError
from records.schemas import USAGE
from records.spool import Entry, Kind
from tests.collectors.clouds import CLOUD, FakeCloud, bureaus, instant, inventory, usage


class Over(Exception):  # noqa: N818 - an end, no error
    """The story has been told."""


@dataclass
class World:
    """A clock that moves only when somebody sleeps, and a spool in memory; ends after ``hours``."""

    at: datetime
    until: datetime
    entries: list[Entry] = field(default_factory=list)
    status: dict[str, object] = field(default_factory=dict)
    told: list[dict] = field(default_factory=lambda: [usage()])
    failing: Callable[[datetime], UserError | None] = lambda _at: None

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        if self.at > self.until:
            raise Over
        await asyncio.sleep(0)

    async def sink(self, entry: Entry) -> None:
        self.entries.append(entry)

    def connect(self) -> FakeCloud:
        error = self.failing(self.at)
        if error:
            raise error
        return FakeCloud(at=self.at, told=self.told)

    def run(self, **more) -> World:
        task = Task(
            cloud=CLOUD,
            connect=lambda: Live(self),
            inventory=lambda: inventory(*bureaus(1)),
            watermark=more.pop("watermark", lambda: None),
            **more,
        )
        with pytest.raises(ExceptionGroup) as ended:
            asyncio.run(collect_forever([task], self.sink, self.status, now=self.now, sleep=self.sleep))
        assert ended.group_contains(Over)
        return self

    def windows(self) -> list[str]:
        tables = [pa.ipc.open_stream(one.payload).read_all() for one in self.entries]
        rows = [row for table in tables for row in table.to_pylist() if row["meter"] == "vcpu"]
        return [f"{row['start']:%H:%M}" for row in rows]


class Live(FakeCloud):
    """Answers by the world's clock; fails while the world says so."""

    def __init__(self, world: World) -> None:
        super().__init__(at=world.at, told=world.told)
        self.world = world

    def now(self) -> datetime:
        error = self.world.failing(self.world.at)
        if error:
            raise error
        return self.world.at


def world(start: str, until: str, **more) -> World:
    return World(at=instant(start), until=instant(until), **more)


def test_each_window_once_after_its_end_and_grace():
    found = world("11-22T03:10", "11-22T06:30").run()
    assert found.windows() == ["03:00", "04:00", "05:00"]
    received = [f"{one.received_at:%H:%M:%S}" for one in found.entries]
    assert received == ["04:02:00", "05:02:00", "06:02:00"]
    assert found.status[CLOUD] == {
        "state": "ok", "complete_until": "2026-11-22T06:00:00Z", "rows": 9, "rejected": 0, "gaps": 0,
    }  # fmt: skip


def test_the_entry_is_one_arrow_stream_that_tells_its_watermark():
    entry = world("11-22T03:10", "11-22T04:30").run().entries[0]
    table = pa.ipc.open_stream(entry.payload).read_all()
    assert (entry.kind, entry.source, entry.format) == (Kind.USAGE, CLOUD, "arrow")
    assert table.schema.remove_metadata() == USAGE.schema
    assert table.schema.metadata == {b"complete_until": b"2026-11-22T04:00:00Z"}


def test_missed_windows_are_made_up_after_a_restart():
    found = world("11-22T08:30", "11-22T08:31").run(watermark=lambda: instant("11-22T05:00"))
    assert found.windows() == ["05:00", "06:00", "07:00"]


def test_weeks_are_made_up_in_bounded_steps():
    found = world("11-22T08:30", "11-22T08:31").run(since=instant("11-19T08:00"))
    reached = [pa.ipc.open_stream(one.payload).schema.metadata[b"complete_until"] for one in found.entries]
    assert reached == [
        b"2026-11-20T08:00:00Z", b"2026-11-21T08:00:00Z", b"2026-11-22T08:00:00Z",
    ]  # fmt: skip
    assert found.windows() == ["03:00", "04:00", "05:00", "06:00", "07:00"]  # the server lives since 03:00


def test_an_outage_loses_no_window():
    def failing(at: datetime) -> UserError | None:
        return UnreachableError("gone", "wait") if instant("11-22T04:00") < at < instant("11-22T05:40") else None

    found = world("11-22T03:10", "11-22T07:30", failing=failing).run()
    assert found.windows() == ["03:00", "04:00", "05:00", "06:00"]


def test_a_failure_is_told_and_tried_again_later_and_later():
    tries: list[datetime] = []

    def failing(at: datetime) -> UserError:
        tries.append(at)
        return UserError("the cloud refuses the login", "mend it")

    found = world("11-22T04:03", "11-22T06:00", failing=failing).run(since=instant("11-22T03:00"))
    assert found.status[CLOUD] == {
        "state": "failing", "complete_until": "2026-11-22T03:00:00Z", "rows": 0, "rejected": 0, "gaps": 0,
        "error": "the cloud refuses the login", "next": "mend it",
    }  # fmt: skip
    pauses = [(after - before).total_seconds() for before, after in pairwise(tries)]
    assert pauses[:8] == [15, 30, 60, 120, 240, 480, 900, 900]


def test_a_resize_between_two_windows_is_remembered():
    found = world("11-22T03:10", "11-22T05:30")

    async def resize(seconds: float) -> None:
        if found.at > instant("11-22T04:10"):
            found.told[:] = [usage(vcpus=6, started_at="2026-11-22T04:30:00.000000")]
        await World.sleep(found, min(seconds, 900))

    found.sleep = resize
    found.run()
    tables = [pa.ipc.open_stream(one.payload).read_all().to_pylist() for one in found.entries]
    assert [float(row["quantity"]) for rows in tables for row in rows if row["meter"] == "vcpu"] == [2.0, 4.0]


def test_a_full_spool_ends_the_collector():
    async def refuse(_entry: Entry) -> None:
        raise OSError("no space left")

    found = world("11-22T03:10", "11-22T06:30")
    found.sink = refuse
    task = Task(
        cloud=CLOUD, connect=found.connect, inventory=lambda: inventory(*bureaus(1)), watermark=lambda: None,
    )  # fmt: skip
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(collect_forever([task], found.sink, found.status, now=found.now, sleep=found.sleep))
    assert caught.group_contains(OSError, match="no space left")


def test_a_window_that_fills_no_hour_is_refused_at_once():
    found = world("11-22T03:10", "11-22T06:30")
    task = Task(
        cloud=CLOUD, connect=found.connect, inventory=inventory, watermark=lambda: None, window_seconds=7,
    )  # fmt: skip
    with pytest.raises(UserError, match="do not fill an hour"):
        asyncio.run(collect_forever([task], found.sink, found.status, now=found.now, sleep=found.sleep))
