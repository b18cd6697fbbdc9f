"""When devices are polled: a fixed cadence, spread, sharded, following the inventory."""

import asyncio
import time
from dataclasses import replace
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.outbox import Outbox
from collectors.snmp import schedule
from collectors.snmp.poller import Timing
from collectors.snmp.schedule import SnmpPlan, next_tick, phase_of, poll_forever, stable_hash, targets_of
from collectors.status import CollectorStatus
from records.schemas import READINGS
from records.secret import Secret
from records.spool import Kind
from tests.collectors.polling import bench
from tests.provinces import many_devices, small_province, without

QUICK = Timing(interval=0.5, timeout=0.2, retries=0, first=0.2)


@settings(deadline=None)
@given(st.floats(0, 1e7), st.floats(0, 0.999), st.floats(0.1, 3600))
def test_the_next_tick_is_later_and_on_the_grid(after: float, share: float, interval: float) -> None:
    phase = share * interval
    tick = next_tick(after, phase, interval)
    assert after < tick <= after + interval * (1 + 1e-6)
    ticks = (tick - phase) / interval
    assert abs(ticks - round(ticks)) < 1e-5


def test_a_cadence_never_drifts() -> None:
    tick = next_tick(1000.0, 3.0, 60.0)
    for _ in range(100_000):
        tick = next_tick(tick, 3.0, 60.0)
    assert tick == 1023.0 + 100_000 * 60.0


def test_phases_are_spread_and_stable() -> None:
    assert stable_hash("hlj-pe1") == 13415098750134609004
    phases = sorted(phase_of(f"device-{number}", 60.0) for number in range(600))
    tenths = [sum(at <= phase < at + 6 for phase in phases) for at in range(0, 60, 6)]
    assert min(tenths) > 30


def test_every_device_belongs_to_one_shard() -> None:
    inventory = many_devices(50, 1, 1161)
    shards = [set(targets_of(inventory, (index, 3))) for index in range(3)]
    assert set.union(*shards) == set(inventory.device)
    assert sum(map(len, shards)) == 50
    assert all(shards)


def test_only_devices_with_snmp_and_links_are_polled() -> None:
    inventory = without(small_province(), "mill")
    silent = replace(inventory, devices=(replace(inventory.devices[0], snmp=None), *inventory.devices[1:]))
    assert set(targets_of(silent)) == {"core2", "city1", "city2", "north", "south"}
    assert targets_of(silent)["north"].interfaces == ("ge0/0/1", "ge0/0/2")


class Kept:
    """A spool in memory."""

    def __init__(self) -> None:
        self.entries = []

    def append(self, entries) -> None:
        self.entries += entries

    def rows(self) -> list[dict]:
        return [row for entry in self.entries for row in pa.ipc.open_stream(entry.payload).read_all().to_pylist()]


async def polling(inventory, seconds: float, monkeypatch) -> tuple[Kept, CollectorStatus]:
    """Poll for some seconds; ``inventory`` is called as the poller calls it."""
    monkeypatch.setattr(schedule, "INVENTORY_SECONDS", 0.1)
    monkeypatch.setattr(schedule, "FLUSH_SECONDS", 0.1)
    kept, status = Kept(), CollectorStatus()
    outbox = Outbox(kept)
    moving = asyncio.create_task(outbox.run())
    plan = SnmpPlan(timing=QUICK)
    task = asyncio.create_task(poll_forever(plan, inventory, lambda _: Secret("public"), outbox.put, status))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    moving.cancel()
    return kept, status


def test_every_poll_of_every_interface_becomes_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run():
        async with bench() as one:
            return await polling(lambda: (1, one.inventory), 2.2, monkeypatch)

    kept, status = asyncio.run(run())
    rows = kept.rows()
    assert {entry.kind for entry in kept.entries} == {Kind.SAMPLES}
    assert pa.ipc.open_stream(kept.entries[0].payload).schema == READINGS.schema
    wanted = small_province().interfaces_of_device
    polls = {name: sum(row["device"] == name for row in rows) / len(wanted[name]) for name in wanted}
    assert all(count == int(count) for count in polls.values())
    assert (len(rows), status.polls) == (status.received["snmp"], sum(polls.values()))
    assert {row["status"] for row in rows} == {"ok"}
    north = [row["elapsed_ns"] for row in rows if (row["device"], row["interface"]) == ("north", "ge0/0/1")]
    gaps = [(later - earlier) / 1e9 for earlier, later in pairwise(north[1:])]
    assert len(north) >= 4
    assert gaps == pytest.approx([0.5] * len(gaps), abs=0.15)
    assert len({row["run"] for row in rows}) == 1


def test_a_changed_inventory_is_followed_within_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run():
        async with bench() as one:
            begun = time.monotonic()
            smaller = without(one.inventory, "mill")

            def inventory():
                return (1, one.inventory) if time.monotonic() < begun + 1.0 else (2, smaller)

            kept, status = await polling(inventory, 2.5, monkeypatch)
            return kept.rows(), status, begun

    rows, status, begun = asyncio.run(run())
    assert "mill" not in status.devices
    mill = [row["elapsed_ns"] / 1e9 - begun for row in rows if row["device"] == "mill"]
    assert mill
    assert max(mill) < 1.5
    later = {row["interface"] for row in rows if row["device"] == "north" and row["elapsed_ns"] / 1e9 > begun + 1.7}
    assert later == {"ge0/0/1", "ge0/0/2"}
