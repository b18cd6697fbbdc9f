"""One collecting process (``yw collect run``): poller, listeners and further jobs at work until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectors.outbox import Outbox, Spool
from collectors.snmp.gufo import Resolve
from collectors.snmp.poller import Timing
from collectors.snmp.schedule import GetInventory, SnmpPlan, poll_forever
from collectors.status import CollectorStatus, status_file, write_forever, write_status
from collectors.syslog import Listen, SyslogReceiver
from records.spool import Entry

STOP_SECONDS = 4.0
JOB_PAUSE_SECONDS = 10.0

Put = Callable[[Sequence[Entry]], Awaitable[None]]
Job = Callable[[Put], Awaitable[None]]
"""Something else that collects, such as cloud usage: runs until cancelled and hands its entries to what it is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectPlan:
    """What one process does.

    Attributes:
        run_folder: Where ``collect.json`` is written.
        shard: (i, n); a shard of several polls its devices only. Give listeners and jobs to one of them.
        listens: Syslog listeners, by address or by socket.
        clouds: What a usage job writes about its clouds; shown in the status.
        certificates: The same of the job that looks at certificates.
    """

    run_folder: Path
    timing: Timing = field(default_factory=Timing)
    shard: tuple[int, int] = (0, 1)
    listens: Sequence[Listen] = ()
    clouds: MutableMapping[str, object] = field(default_factory=dict)
    certificates: MutableMapping[str, object] = field(default_factory=dict)


async def run(
    plan: CollectPlan,
    inventory: GetInventory,
    resolve: Resolve,
    sink: Spool,
    jobs: Mapping[str, Job] | None = None,
    *,
    stop: asyncio.Event | None = None,
) -> CollectorStatus:
    """Collect until SIGTERM, SIGINT or ``stop``; then spool what was read and return within five seconds.

    Args:
        plan: What to do.
        inventory: Gives revision and inventory; asked about once a second, in a thread.
        resolve: From ``secret:…`` to the secret.
        sink: The spool's writer; the caller closes it.
        jobs: Name to job. One that fails is told in the status and begun anew.
        stop: For tests and embedding; with it no signal handlers are set.
    """
    ending = stop or _stop_on_signals()
    _raise_file_limit()
    outbox = Outbox(sink)
    status = CollectorStatus(
        shard=plan.shard, clouds=plan.clouds, certificates=plan.certificates, blocked=lambda: outbox.blocked
    )
    receiver = SyslogReceiver(outbox, status)
    file = status_file(plan.run_folder, plan.shard)
    snmp = SnmpPlan(timing=plan.timing, shard=plan.shard)
    work = [
        asyncio.create_task(poll_forever(snmp, inventory, resolve, outbox.put, status), name="snmp"),
        asyncio.create_task(receiver.serve(plan.listens), name="syslog"),
        *(asyncio.create_task(_keep(name, job, outbox, status), name=name) for name, job in (jobs or {}).items()),
    ]
    moving = asyncio.create_task(outbox.run(), name="spool")
    writing = asyncio.create_task(write_forever(status, file, receiver.count_kernel_drops), name="status")
    try:
        await _until(ending, [*work, moving, writing])
    finally:
        await _end(work, moving, writing)
        if outbox.waiting:
            status.lost("spool_blocked_at_stop", outbox.waiting)
        with contextlib.suppress(OSError):  # a full disk does not hinder the end
            write_status(status, file)
    return status


async def _until(ending: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the end; a task that ends by itself has failed, and its exception is raised here."""
    asked = asyncio.create_task(ending.wait())
    done, _ = await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    for task in done - {asked}:
        task.result()


async def _end(work: Sequence[asyncio.Task[None]], moving: asyncio.Task[None], writing: asyncio.Task[None]) -> None:
    """Stop the producers, let the spool take what they still brought, stop the rest."""
    for task in (*work, writing):
        task.cancel()
    await asyncio.wait([*work, writing], timeout=STOP_SECONDS)  # while the spool is full they would wait for ever
    moving.cancel()
    await asyncio.wait([moving], timeout=0.5)


async def _keep(name: str, job: Job, outbox: Outbox, status: CollectorStatus) -> None:
    """Run a job for good: what it raises is told in the status, and it begins anew after a pause."""
    while True:
        status.jobs[name] = "running"
        try:
            await job(outbox.put)
        except Exception as error:  # noqa: BLE001 - one job must not end the others; its error is shown
            status.jobs[name] = f"failed: {error}"
        else:
            status.jobs[name] = "done"
        await asyncio.sleep(JOB_PAUSE_SECONDS)


def _stop_on_signals() -> asyncio.Event:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    return ending


def _raise_file_limit() -> None:
    """A session a device and a socket a sender: the usual soft limit of 1024 files is too few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
