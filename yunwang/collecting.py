"""The collect process put together: pollers, listeners, cloud usage, certificates, into one partition of the spool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from records.instants import now
from yunwang import sockets
from yunwang.wiring import Site

if TYPE_CHECKING:
    from collectors.openstack.api import ComputeApi
    from collectors.openstack.collect import Collected
    from collectors.openstack.forever import Task
    from collectors.run import CollectPlan, Job, Put
    from collectors.snmp.poller import Timing
    from collectors.syslog import Listen, Protocol
    from inventory.model import Cloud


def timing(site: Site) -> Timing:
    """The configured seconds of a poll."""
    from collectors.snmp.poller import Timing  # noqa: PLC0415 - gufo on first use

    settings = site.settings.collect
    return Timing(interval=settings.snmp_interval_seconds, timeout=settings.snmp_timeout_seconds)


def run(site: Site, shard: tuple[int, int] = (0, 1)) -> None:
    """Collect until SIGTERM or SIGINT."""
    import asyncio  # noqa: PLC0415 - the collect process's own weight

    from collectors.run import CollectPlan  # noqa: PLC0415
    from collectors.run import run as collect  # noqa: PLC0415
    from storage.spool import SpoolWriter  # noqa: PLC0415

    index, count = shard
    partition = "collect" if count == 1 else f"collect-{index}"
    first = index == 0
    plan = CollectPlan(
        run_folder=site.place.run, timing=timing(site), shard=shard, listens=_listens(site) if first else ()
    )
    jobs = _jobs(site, plan) if first else {}
    with SpoolWriter(site.place.spool, partition, fsync_seconds=site.settings.spool.fsync_seconds) as writer:
        asyncio.run(collect(plan, site.inventory_revision, site.resolve, writer, jobs))


def _listens(site: Site) -> Sequence[Listen]:
    """Sockets that the supervisor handed down; a process by itself binds the configured addresses."""
    import os  # noqa: PLC0415 - beside its only use

    from collectors.syslog import Listen  # noqa: PLC0415 - asyncio on first use

    found = []
    supervised = "YW_SUPERVISOR_PID" in os.environ
    protocols: tuple[Protocol, ...] = ("udp", "tcp")
    for protocol in protocols:
        address = getattr(site.settings.collect, f"syslog_{protocol}")
        opened = sockets.inherited(f"syslog_{protocol}")
        if opened is not None or (address and not supervised):
            found.append(Listen(protocol=protocol, address=address, opened=opened))
    return found


def _jobs(site: Site, plan: CollectPlan) -> Mapping[str, Job]:
    jobs: dict[str, Job] = {"certificates": partial(_watch_certificates, site, plan)}
    if any(cloud.kind == "openstack" for cloud in site.inventory.clouds):
        jobs["clouds"] = partial(_follow_clouds, site, plan)
    return jobs


async def _watch_certificates(site: Site, plan: CollectPlan, put: Put) -> None:
    from collectors.certificates import Watch, watch_forever  # noqa: PLC0415 - asyncio on first use
    from yunwang.certificates import look, marks  # noqa: PLC0415 - crypto on first use

    watch = Watch(
        look=partial(look, site),
        marks=partial(marks, site),
        memory=site.place.run / "certificates.json",
        status=plan.certificates,
    )
    await watch_forever(watch, put, now=now)


async def _follow_clouds(site: Site, plan: CollectPlan, put: Put) -> None:
    from collectors.openstack import collect_forever  # noqa: PLC0415 - the cloud's SDK on first use

    tasks = [_task(site, cloud) for cloud in site.inventory.clouds if cloud.kind == "openstack"]
    await collect_forever(tasks, lambda entry: put([entry]), plan.clouds, now=now)


def _task(site: Site, cloud: Cloud) -> Task:
    from collectors.openstack.forever import Task  # noqa: PLC0415 - the cloud's SDK on first use

    return Task(
        cloud=cloud.id,
        connect=partial(connect, site, cloud),
        inventory=lambda: site.inventory,
        watermark=partial(watermark, site, cloud.id),
        window_seconds=site.settings.collect.usage_window_seconds,
        grace_seconds=min(120.0, site.settings.collect.usage_window_seconds / 4),
    )


def connect(site: Site, cloud: Cloud) -> ComputeApi:
    """The API of a cloud of the inventory; UserError if its credentials are missing or wrong."""
    from collectors.openstack import connect as open_api  # noqa: PLC0415 - the cloud's SDK on first use
    from collectors.openstack import parse_credentials  # noqa: PLC0415

    secret = site.resolve(cloud.credentials or f"secret:{cloud.id}")
    return open_api(cloud, parse_credentials(secret, f"clouds.{cloud.id}.credentials"))


def collect_span(site: Site, cloud: Cloud, start: datetime, end: datetime) -> Collected:
    """Usage of a span in the windows that the ledger has of it, else in the configured ones; ends at the first gap."""
    import pyarrow as pa  # noqa: PLC0415 - beside its only use

    from cloud_metering.spans import spans  # noqa: PLC0415
    from collectors.openstack import collect  # noqa: PLC0415 - the cloud's SDK on first use
    from collectors.openstack.collect import Collected  # noqa: PLC0415
    from storage.state import reading  # noqa: PLC0415

    with reading(site.state) as connection:
        parts = spans(connection, cloud.id, start, end, window_seconds=site.settings.collect.usage_window_seconds)
    api, inventory, found = connect(site, cloud), site.inventory, []
    for part in parts:
        seconds = part.window_seconds
        found.append(collect(api, cloud.id, inventory, part.start, part.end, now=now(), window_seconds=seconds))
        if found[-1].complete_until < part.end:
            break
    return Collected(
        rows=pa.concat_tables([one.rows for one in found]),
        rejected=tuple(problem for one in found for problem in one.rejected),
        complete_until=found[-1].complete_until,
        gaps=tuple(gap for one in found for gap in one.gaps),
    )


def watermark(site: Site, source: str) -> datetime | None:
    """Up to where the ledger has this source whole."""
    from cloud_metering.ledger import watermarks  # noqa: PLC0415 - beside its only use
    from storage.state import reading  # noqa: PLC0415

    with reading(site.state) as connection:
        return watermarks(connection).get(source)
