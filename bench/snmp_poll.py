"""SNMP path end to end: poll -> readings -> spool -> rates -> store. ``python bench/snmp_poll.py [--devices N]``.

An object is one value that an agent returned. The responder runs in another process, so its CPU is not counted. The
peer is pysnmp 7 asking the same agents for the same objects, decoding only, with fewer devices at once: with as many it
loses answers.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from pysnmp.hlapi.v1arch.asyncio import (
    CommunityData,
    ObjectIdentity,
    ObjectType,
    SnmpDispatcher,
    UdpTransportTarget,
    get_cmd,
)

from collectors.snmp.gufo import gufo_agent
from collectors.snmp.oids import SYS_UPTIME
from collectors.snmp.plan import plan, port_at
from collectors.snmp.poller import DevicePoller, Timing
from collectors.snmp.readings import Row, to_entry
from collectors.snmp.schedule import targets_of
from inventory.model import Inventory
from inventory.writing import to_json
from link_health.consumer import LinkConsumer
from records.instants import now
from records.secret import Secret
from storage.embedded import EmbeddedStore
from storage.spool import SpoolReader, SpoolWriter
from storage.state import metadata, open_state, writing
from tests.provinces import free_port, many_devices

EPOCH = "2026-11-22T03:00:00Z"
PEER_DEVICES = 20  # pysnmp saturates and loses late answers with more at once


@dataclass
class Spent:
    """CPU seconds of this process by step."""

    seconds: dict[str, float] = field(default_factory=dict)
    objects: int = 0

    def add(self, step: str, since: float) -> float:
        at = time.process_time()
        self.seconds[step] = self.seconds.get(step, 0.0) + at - since
        return at


def responder(inventory: Inventory, folder: Path) -> subprocess.Popen[bytes]:
    file = folder / "inventory.json"
    file.write_text(to_json(inventory), "utf-8")
    command = [sys.executable, "-m", "lab.simulator", "--inventory", str(file), "--epoch", EPOCH]
    process = subprocess.Popen([*command, "--run-folder", str(folder)], cwd=Path(__file__).parent.parent)
    while not (folder / "simulator.json").exists():
        time.sleep(0.1)
        assert process.poll() is None
    return process


async def ours(inventory: Inventory, folder: Path, rounds: int) -> Spent:
    timing = Timing(interval=60, timeout=5)
    pollers = [
        DevicePoller(target, gufo_agent(target.device, lambda _: Secret("public")), timing, run="bench")
        for target in targets_of(inventory).values()
    ]
    state = open_state(f"sqlite:///{folder}/state.db")
    with writing(state) as connection:
        metadata.create_all(connection)
    consumer = LinkConsumer(state, lambda: inventory, interval_seconds=60)
    store = EmbeddedStore(folder / "records", writer=True)
    await poll_all(pollers)  # indexes are learnt and the responder's caches filled
    spent = Spent()
    with SpoolWriter(folder / "spool", "collect") as writer:
        reader, offset = SpoolReader(folder / "spool"), 0
        for _ in range(rounds):
            mark = time.process_time()
            rows, objects = await poll_all(pollers)
            spent.objects += objects
            mark = spent.add("poll", mark)
            writer.append([to_entry(rows, "snmp", now())])
            mark = spent.add("readings and spool", mark)
            batch = list(reader.read("collect", offset, 100))
            offset = batch[-1][0].offset + 1
            step = consumer.process(batch, now())
            mark = spent.add("rates and states", mark)
            for table, found in step.rows:
                store.append(table, found)
            with writing(state) as connection:
                for apply in step.apply:
                    apply(connection)
            spent.add("store", mark)
    store.close()
    return spent


async def poll_all(pollers: list[DevicePoller]) -> tuple[list[Row], int]:
    places = asyncio.Semaphore(64)

    async def one(poller: DevicePoller) -> tuple[list[Row], int]:
        async with places:
            found = await poller.poll()
        assert found.failure is None, found.failure
        return list(found.rows), found.objects

    found = await asyncio.gather(*(one(poller) for poller in pollers))
    return [row for rows, _ in found for row in rows], sum(objects for _, objects in found)


async def peer(inventory: Inventory) -> float:
    """Objects a CPU-second of pysnmp."""
    dispatcher = SnmpDispatcher()
    community = CommunityData("public", mpModel=1)  # noqa: S508 - what the responder speaks
    objects = 0

    async def one(address: str, port: int, count: int) -> None:
        nonlocal objects
        target = await UdpTransportTarget.create((address, port), timeout=30)
        for pdu in plan([port_at("x", 5 + at, 64) for at in range(count)], 48, (SYS_UPTIME,)):
            asked = [ObjectType(ObjectIdentity(oid)) for oid in pdu.oids]
            error, _, _, pairs = await get_cmd(dispatcher, community, target, *asked, lookupMib=False)
            assert not error, error
            objects += len(pairs)

    mark = time.process_time()
    await asyncio.gather(
        *(
            one(device.address, device.snmp.port, len(inventory.interfaces_of_device[device.id]))
            for device in inventory.devices[:PEER_DEVICES]
            if device.snmp
        )
    )
    return objects / (time.process_time() - mark)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=150)
    parser.add_argument("--interfaces", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    inventory = many_devices(given.devices, given.interfaces, free_port())
    with tempfile.TemporaryDirectory() as name:
        process = responder(inventory, Path(name))
        try:
            theirs = asyncio.run(peer(inventory))
            spent = asyncio.run(ours(inventory, Path(name), given.rounds))
            theirs = max(theirs, asyncio.run(peer(inventory)))
        finally:
            process.terminate()
            process.wait(10)
    total = sum(spent.seconds.values())
    for step, seconds in spent.seconds.items():
        print(f"{step:20} {seconds * 1e6 / spent.objects:6.2f} us an object")
    rate = spent.objects / total
    print(
        f"ratio: {rate / theirs:.1f}x pysnmp"
        f" ({rate:,.0f} to {theirs:,.0f} objects a CPU-second, {spent.objects} objects)"
    )


if __name__ == "__main__":
    main()
