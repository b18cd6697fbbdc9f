"""The collect process's part of metering: after each window its usage, and after a stop the windows that were missed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from collectors.openstack.api import ComputeApi
from collectors.openstack.collect import Collected, collect
from collectors.openstack.lives import Memory
from collectors.openstack.windows import check_window
from inventory.model import Inventory
from records.errors import UserError
from records.instants import format_instant
from records.spool import Entry, Kind

Sink = Callable[[Entry], Awaitable[None]]
Status = MutableMapping[str, object]

_LONGEST_SPAN = timedelta(days=1)  # of one pass: bounds memory while weeks are caught up
_FIRST_PAUSE_SECONDS = 15.0
_LONGEST_PAUSE_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One cloud to follow.

    Attributes:
        cloud: Its inventory id, the rows' source.
        connect: Opens its API; raises UserError, for instance if the secret is missing. Called anew after each failure.
        inventory: The inventory in force now.
        watermark: Up to where its usage is complete; None if nothing was ever collected.
        window_seconds: Length of a window.
        grace_seconds: How long after a window's end it is asked for: more than the clocks may differ.
        since: Where to begin when there is no watermark; None: with the window that runs.
    """

    cloud: str
    connect: Callable[[], ComputeApi]
    inventory: Callable[[], Inventory]
    watermark: Callable[[], datetime | None]
    window_seconds: int = 3600
    grace_seconds: float = 120
    since: datetime | None = None


async def collect_forever(
    tasks: Sequence[Task],
    sink: Sink,
    status: Status,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Follow all clouds until cancelled; one that fails is tried again with growing pauses and does not stop the others.

    Args:
        tasks: The clouds.
        sink: Takes the entries into the spool; what it raises ends the collector, for nothing may be lost.
        status: Kept up to date for each cloud: ``state`` (``ok`` or ``failing``), ``complete_until``, ``rows``, ``rejected``, and ``error`` with
            ``next`` while it fails.
        now: Our clock.
        sleep: Waits that many seconds.
    """
    for task in tasks:
        check_window(task.window_seconds)
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(_follow(task, sink, status, now, sleep))


async def _follow(
    task: Task, sink: Sink, status: Status, now: Callable[[], datetime], sleep: Callable[[float], Awaitable[None]]
) -> None:
    reached = task.watermark() or task.since or _floor(now(), task.window_seconds)
    memory, api, pause = Memory(), None, _FIRST_PAUSE_SECONDS
    counts = {"rows": 0, "rejected": 0}
    while True:
        wait = (_due(task, reached) - now()).total_seconds()
        if wait > 0:
            await sleep(wait)
            continue
        try:
            api = api or await asyncio.to_thread(task.connect)
            found = await asyncio.to_thread(_read, task, api, reached, now(), memory)
        except UserError as error:
            status[task.cloud] = {
                "state": "failing",
                "complete_until": format_instant(reached),
                **counts,
                **_told(error),
            }
            api = None
            await sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            continue
        if found.complete_until == reached:  # the cloud's clock has not passed the window yet
            await sleep(_FIRST_PAUSE_SECONDS)
            continue
        await _hand_over(task.cloud, found, sink, now())
        counts = {"rows": counts["rows"] + found.rows.num_rows, "rejected": counts["rejected"] + len(found.rejected)}
        reached, pause = found.complete_until, _FIRST_PAUSE_SECONDS
        status[task.cloud] = {"state": "ok", "complete_until": format_instant(reached), **counts}


def _due(task: Task, reached: datetime) -> datetime:
    """When the first window after ``reached`` may be asked for."""
    begin = _floor(reached - timedelta(microseconds=1), task.window_seconds) + timedelta(seconds=task.window_seconds)
    return begin + timedelta(seconds=task.window_seconds + task.grace_seconds)


def _floor(at: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def _read(task: Task, api: ComputeApi, reached: datetime, at: datetime, memory: Memory) -> Collected:
    end = min(at - timedelta(seconds=task.grace_seconds), reached + _LONGEST_SPAN)
    inventory = task.inventory()
    return collect(api, task.cloud, inventory, reached, end, now=at, window_seconds=task.window_seconds, memory=memory)


async def _hand_over(cloud: str, found: Collected, sink: Sink, at: datetime) -> None:
    """The rows as one entry; a span without rows gives one too, for it moves the watermark."""
    await sink(Entry(kind=Kind.USAGE, source=cloud, received_at=at, payload=to_ipc(found), format="arrow"))


def to_ipc(found: Collected) -> bytes:
    """An Arrow IPC stream of the rows, with ``complete_until`` among the schema's metadata."""
    metadata = {"complete_until": format_instant(found.complete_until)}
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, found.rows.schema.with_metadata(metadata)) as writer:
        writer.write_table(found.rows.replace_schema_metadata(metadata))
    return stream.getvalue()


def _told(error: UserError) -> dict[str, str]:
    first = error.problems[0]
    return {"error": first.text(), "next": first.advice()}
