"""The simulator as one process (``python -m lab.simulator``): SNMP agents, log senders, cloud API.

``PAUSE`` in its run folder stops the SNMP port while it exists (``yw lab pause snmp``).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from inventory.model import Inventory
from lab.simulator.faults import Faults
from lab.simulator.logs import Sender, play
from lab.simulator.snmp import SnmpResponder
from lab.story import Story, tell
from lab.traffic import Traffic

PAUSE = "snmp.paused"
LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What is simulated.

    Attributes:
        epoch: When the story begins; keep it over restarts, or counters and story begin anew.
        snmp_ports: Where agents answer; None means the ports that the inventory names, none is no SNMP.
        syslog_tcp: Where log lines go; None and no ``syslog_udp`` either is no logs.
        lines_per_second: Of everyday log lines.
    """

    inventory: Inventory
    epoch: datetime
    community: str = "public"
    snmp_ports: Sequence[int] | None = None
    syslog_tcp: tuple[str, int] | None = None
    syslog_udp: tuple[str, int] | None = None
    lines_per_second: float = 5.0
    run_folder: Path | None = None
    faults: Mapping[str, Faults] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    def story(self) -> Story:
        """The story that is played."""
        return tell(self.inventory, self.epoch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A simulation at work: its parts, for tests that change faults or compare with the truth."""

    story: Story
    traffic: Traffic
    snmp: SnmpResponder
    sender: Sender
    tasks: Sequence[asyncio.Task[None]] = ()


@asynccontextmanager
async def start(simulation: Simulation) -> AsyncIterator[Running]:
    """Run within this event loop until the block ends; OSError if a port is taken."""
    story = simulation.story()
    traffic = Traffic(simulation.inventory, story.cuts)
    responder = SnmpResponder(
        simulation.inventory,
        traffic,
        epoch=simulation.epoch.timestamp(),
        community=simulation.community,
        faults=simulation.faults,
        clock=simulation.clock,
    )
    sender = Sender(simulation.syslog_tcp, simulation.syslog_udp)
    async with AsyncExitStack() as stack:
        stack.callback(sender.close)
        stack.callback(responder.pause)
        responder.start(_ports(simulation))
        tasks = _tasks(simulation, story, responder, sender)
        stack.push_async_callback(_cancel, tasks)
        yield Running(story=story, traffic=traffic, snmp=responder, sender=sender, tasks=tasks)


def _ports(simulation: Simulation) -> Sequence[int]:
    if simulation.snmp_ports is not None:
        return simulation.snmp_ports
    return sorted({device.snmp.port for device in simulation.inventory.devices if device.snmp is not None})


def _tasks(simulation: Simulation, story: Story, responder: SnmpResponder, sender: Sender) -> list[asyncio.Task[None]]:
    tasks = []
    if simulation.syslog_tcp or simulation.syslog_udp:
        playing = play(
            simulation.inventory, story, sender, per_second=simulation.lines_per_second, clock=simulation.clock
        )
        tasks.append(asyncio.create_task(playing, name="logs"))
    if simulation.run_folder is not None:
        tasks.append(asyncio.create_task(_obey(simulation.run_folder, responder), name="control"))
    return tasks


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _obey(folder: Path, responder: SnmpResponder) -> None:
    """Pause and resume SNMP as the file in the run folder comes and goes."""
    paused = False
    while True:
        wanted = (folder / PAUSE).exists()
        if wanted != paused:
            with contextlib.suppress(OSError):  # somebody took the port meanwhile: tried again
                (responder.pause if wanted else responder.resume)()
                paused = wanted
        await asyncio.sleep(LOOK_SECONDS)


def pause_snmp(run_folder: Path) -> None:
    """Make the simulator's agents fall silent: nothing listens on their port any more."""
    (run_folder / PAUSE).touch()


def resume_snmp(run_folder: Path) -> None:
    """Let them answer again."""
    (run_folder / PAUSE).unlink(missing_ok=True)


Part = Callable[[Simulation, Story], contextlib.AbstractAsyncContextManager[object]]


async def run(simulation: Simulation, parts: Sequence[Part] = ()) -> None:
    """Simulate until SIGTERM or SIGINT; ``parts`` are further servers, such as the cloud API, entered after SNMP."""
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(start(simulation))
        for part in parts:
            await stack.enter_async_context(part(simulation, running.story))
        _tell_ready(simulation, running)
        asked = asyncio.create_task(ending.wait())
        done, _ = await asyncio.wait([asked, *running.tasks], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        for task in done - {asked}:
            task.result()  # a part that ended by itself has failed


def _tell_ready(simulation: Simulation, running: Running) -> None:
    """Write ``simulator.json`` into the run folder: pid, ports, since when."""
    if simulation.run_folder is None:
        return
    state = {"pid": os.getpid(), "snmp_ports": list(running.snmp.ports), "since": datetime.now(UTC).isoformat()}
    waiting = simulation.run_folder / "simulator.tmp"
    waiting.write_text(json.dumps(state), "utf-8")
    waiting.replace(simulation.run_folder / "simulator.json")
