"""``yw lab``: the simulated province; in the demo the supervisor runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from records.errors import UsageError
from yunwang.children import die_with_supervisor
from yunwang.cli.output import emit
from yunwang.sockets import split_address
from yunwang.wiring import Site, open_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lab.simulator.run import Part, Simulation
    from lab.story import Story

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
PARTS = ("snmp",)
DryRun = Annotated[bool, typer.Option("--dry-run", help="tell what would come of it, change nothing")]


@app.command("run")
def run(
    syslog_tcp: str = typer.Option("", "--syslog-tcp", help="HOST:PORT that log lines are sent to"),
    syslog_udp: str = typer.Option("", "--syslog-udp", help="the same over UDP"),
) -> None:
    """Play the demo's story over SNMP, syslog and the cloud's API until SIGINT or SIGTERM."""
    die_with_supervisor()
    import asyncio  # noqa: PLC0415 - the simulator's own weight

    from lab.simulator.run import Simulation  # noqa: PLC0415
    from lab.simulator.run import run as simulate  # noqa: PLC0415
    from yunwang import demo  # noqa: PLC0415

    site = open_site(demo=True)
    simulation = Simulation(
        inventory=site.inventory,
        epoch=demo.epoch(site),
        community=site.resolve(f"secret:{demo.COMMUNITY}").reveal(),
        syslog_tcp=split_address(syslog_tcp, "--syslog-tcp") if syslog_tcp else None,
        syslog_udp=split_address(syslog_udp, "--syslog-udp") if syslog_udp else None,
        run_folder=site.place.run,
    )
    asyncio.run(simulate(simulation, [_cloud(site)]))


def _cloud(site: Site) -> Part:
    """The cloud's API as one more part of the simulation."""
    import json  # noqa: PLC0415 - beside its only use
    from contextlib import asynccontextmanager  # noqa: PLC0415

    from lab.simulator.cloud import CloudServer  # noqa: PLC0415
    from lab.simulator.cloud_answers import SimulatedCloud  # noqa: PLC0415
    from yunwang import demo  # noqa: PLC0415

    password = json.loads(site.resolve(f"secret:{demo.CLOUD_SECRET}").reveal())["password"]

    @asynccontextmanager
    async def part(simulation: Simulation, story: Story) -> AsyncIterator[object]:
        bursts = [story.burst] if story.burst else []
        cloud = SimulatedCloud(simulation.inventory, simulation.inventory.clouds[0].id, bursts=bursts)
        server = CloudServer(cloud, password=password, username=demo.CLOUD_USER, port=demo.facts(site)["cloud"])
        server.start()
        try:
            yield server
        finally:
            server.stop()

    return part


@app.command("pause")
def pause(part: str = typer.Argument(help="snmp"), dry_run: DryRun = False) -> None:
    """Let a part of the simulation fall silent: its port is closed."""
    from lab.simulator.run import pause_snmp  # noqa: PLC0415 - beside its only use

    site = _checked(part)
    if not dry_run:
        pause_snmp(site.place.run)
    emit({"part": part, "state": "paused"})


@app.command("resume")
def resume(part: str = typer.Argument(help="snmp"), dry_run: DryRun = False) -> None:
    """Let it answer again."""
    from lab.simulator.run import resume_snmp  # noqa: PLC0415 - beside its only use

    site = _checked(part)
    if not dry_run:
        resume_snmp(site.place.run)
    emit({"part": part, "state": "running"})


def _checked(part: str) -> Site:
    if part not in PARTS:
        raise UsageError(
            "unknown part '{part}'", "use one of {parts}", where="yw lab", part=part, parts=", ".join(PARTS)
        )
    return open_site(demo=True)
