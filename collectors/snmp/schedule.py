"""When which device is polled: a fixed cadence each, spread over the interval, following the inventory."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from collectors.snmp.gufo import Resolve, gufo_agent
from collectors.snmp.poller import DevicePoller, Poll, Target, Timing
from collectors.snmp.port import Agent
from collectors.snmp.readings import Row, to_entry
from inventory.model import Device, Inventory
from records.instants import now
from records.spool import Entry

QUICK_START_SECONDS = 5.0  # the first polls after a start are spread over no more than this
FLUSH_SECONDS = 0.5  # rows of all devices that answered meanwhile travel in one batch
MOST_ROWS = 400_000  # kept while the spool takes nothing; about 200 MB
INVENTORY_SECONDS = 1.0

GetInventory = Callable[[], tuple[int, Inventory]]
Put = Callable[[Sequence[Entry]], Awaitable[None]]
MakeAgent = Callable[[Device], Agent]


class Observer(Protocol):
    """What the poller tells as it goes; ``collectors.status`` keeps it for the status page."""

    def polled(self, poll: Poll, lag_seconds: float) -> None:
        """A device was polled, that late."""
        ...

    def spooled(self, source: str, count: int) -> None:
        """The spool has that many more readings."""
        ...

    def forgotten(self, device: str) -> None:
        """A device is not polled any more."""
        ...

    def lost(self, why: str, count: int) -> None:
        """Readings were thrown away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpPlan:
    """How this process polls.

    Attributes:
        shard: (i, n): this process polls the devices whose stable hash modulo n is i.
        at_once: Devices that may be waited for at the same time.
        source: Name of the stream in the spool.
    """

    timing: Timing = field(default_factory=Timing)
    shard: tuple[int, int] = (0, 1)
    at_once: int = 512
    source: str = "snmp"
    run: str = field(default_factory=lambda: f"{time.time_ns():x}")


def stable_hash(text: str) -> int:
    """The same 64-bit number for a text in every process and release."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def phase_of(device: str, interval: float) -> float:
    """Seconds into the interval at which a device is polled."""
    return stable_hash(device) / 2**64 * interval


def next_tick(after: float, phase: float, interval: float) -> float:
    """The first instant later than ``after`` that is ``phase`` modulo ``interval``: not summed up, so no drift."""
    tick = (math.floor((after - phase) / interval) + 1) * interval + phase
    return tick if tick > after else tick + interval


def targets_of(inventory: Inventory, shard: tuple[int, int] = (0, 1)) -> Mapping[str, Target]:
    """Devices of this shard that speak SNMP and on which links end."""
    index, count = shard
    found: dict[str, Target] = {}
    for device in inventory.devices:
        interfaces = inventory.interfaces_of_device.get(device.id, ())
        if device.snmp is not None and interfaces and stable_hash(device.id) % count == index:
            found[device.id] = Target(device=device, interfaces=interfaces)
    return found


class Scheduler:
    """One task a device, so that a slow one delays nobody; rows of all leave in batches."""

    def __init__(self, plan: SnmpPlan, make_agent: MakeAgent, put: Put, observer: Observer) -> None:
        self._plan = plan
        self._make_agent = make_agent
        self._put = put
        self._observer = observer
        self._places = asyncio.Semaphore(plan.at_once)
        self._tasks: dict[str, tuple[Target, asyncio.Task[None]]] = {}
        self._rows: list[Row] = []

    def follow(self, targets: Mapping[str, Target]) -> None:
        """Poll exactly these from now on; a device whose entry changed begins anew."""
        for name, (target, task) in list(self._tasks.items()):
            if targets.get(name) != target:
                task.cancel()
                del self._tasks[name]
                if name not in targets:
                    self._observer.forgotten(name)
        for name, target in targets.items():
            if name not in self._tasks:
                self._tasks[name] = (target, asyncio.create_task(self._poll_device(target), name=f"poll {name}"))

    async def _poll_device(self, target: Target) -> None:
        timing = self._plan.timing
        poller = DevicePoller(target, self._make_agent(target.device), timing, run=self._plan.run)
        phase = phase_of(target.device.id, timing.interval)
        tick = time.monotonic() + phase * min(1.0, QUICK_START_SECONDS / timing.interval)
        while True:
            await asyncio.sleep(tick - time.monotonic())
            async with self._places:
                lag = time.monotonic() - tick
                poll = await poller.poll()
            self._keep(poll.rows)
            self._observer.polled(poll, lag)
            tick = next_tick(max(tick + timing.interval / 2, time.monotonic()), phase, timing.interval)

    def _keep(self, rows: Sequence[Row]) -> None:
        self._rows.extend(rows)
        if len(self._rows) > MOST_ROWS:
            lost = len(self._rows) - MOST_ROWS
            del self._rows[:lost]
            self._observer.lost("readings_overflow", lost)

    async def flush(self) -> None:
        """Hand the rows so far to the spool; returns when it has them."""
        if self._rows:
            rows, self._rows = self._rows, []
            await self._put([to_entry(rows, self._plan.source, now())])
            self._observer.spooled(self._plan.source, len(rows))

    async def stop(self) -> None:
        """End all polls, then hand over what they brought."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.flush()


async def poll_forever(
    plan: SnmpPlan,
    inventory: GetInventory,
    resolve: Resolve,
    put: Put,
    observer: Observer,
) -> None:
    """Poll until cancelled; a changed inventory is followed within about a second."""
    scheduler = Scheduler(plan, lambda device: gufo_agent(device, resolve), put, observer)
    flushing = asyncio.create_task(_flush_forever(scheduler))
    try:
        await _follow_forever(scheduler, plan, inventory)
    finally:
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
        await scheduler.stop()


async def _flush_forever(scheduler: Scheduler) -> None:
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        await asyncio.shield(asyncio.ensure_future(scheduler.flush()))


async def _follow_forever(scheduler: Scheduler, plan: SnmpPlan, inventory: GetInventory) -> None:
    known: int | None = None
    while True:
        revision, found = await asyncio.to_thread(inventory)
        if revision != known:
            known = revision
            scheduler.follow(targets_of(found, plan.shard))
        await asyncio.sleep(INVENTORY_SECONDS)
