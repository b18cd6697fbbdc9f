"""A poller and a responder on one machine, under a clock that tests set."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from collectors.snmp.gufo import gufo_agent
from collectors.snmp.poller import Clock, DevicePoller, Target, Timing
from collectors.snmp.readings import as_values
from inventory.model import Inventory
from lab.simulator.faults import Faults
from lab.simulator.snmp import SnmpResponder
from lab.traffic import Traffic
from records.secret import Secret
from tests.provinces import free_port, small_province

EPOCH = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
QUICK = Timing(interval=6.0, timeout=0.25, retries=2, first=2.0)


@dataclass
class Time:
    """Seconds since the epoch, set by hand; real time goes on beside it for time-outs."""

    seconds: float = 0.0
    monotonic: int = field(default=0)

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    def unix(self) -> float:
        return EPOCH.timestamp() + self.seconds


@dataclass
class Bench:
    """What a test plays with."""

    inventory: Inventory
    traffic: Traffic
    responder: SnmpResponder
    time: Time
    community: str = "public"
    timing: Timing = QUICK

    def poller(self, device: str = "north", interfaces: tuple[str, ...] | None = None) -> DevicePoller:
        wanted = interfaces or self.inventory.interfaces_of_device[device]
        target = Target(device=self.inventory.device[device], interfaces=wanted)
        agent = gufo_agent(target.device, lambda _reference: Secret(self.community))
        return DevicePoller(target, agent, self.timing, run="test", clock=Clock(wall=self.time.wall))

    async def poll(self, poller: DevicePoller, seconds: float) -> Mapping[str, dict]:
        """Rows by interface at a second after the epoch."""
        self.time.seconds = seconds
        found = await poller.poll()
        return {row["interface"]: row for row in as_values(found.rows)}


@asynccontextmanager
async def bench(faults: Mapping[str, Faults] | None = None, cuts=(), make=small_province):
    """A responder for a province on a free port."""
    port, time = free_port(), Time()
    inventory = make(port)
    traffic = Traffic(inventory, cuts)
    responder = SnmpResponder(inventory, traffic, epoch=EPOCH.timestamp(), faults=faults, clock=time.unix)
    responder.start([port])
    try:
        yield Bench(inventory, traffic, responder, time)
    finally:
        responder.pause()


def play(story, faults: Mapping[str, Faults] | None = None, **more):
    """Run a coroutine function on a bench and give back what it returns."""

    async def run():
        async with bench(faults, **more) as one:
            return await story(one)

    return asyncio.run(run())
