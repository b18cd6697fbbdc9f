"""The collect process's part of metering: after each window its usage, after a stop the windows that were missed."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
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
    """Follow all clouds until cancelled; one that fails is tried again after growing pauses and stops no other.

    Args:
        tasks: The clouds.
        sink: Takes the entries into the spool; what it raises ends the collector, for nothing may be lost.
        status: Kept up to date for each cloud: ``state`` (``ok`` or ``failing``), ``complete_until``, ``rows``,
            ``rejected``, ``gaps``; and ``error`` with ``next`` while it fails.
        now: Our clock.
        sleep: Waits that many seconds.
    """
    for task in tasks:
        check_window(task.window_seconds)
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(_Follower(task, sink, status, now, sleep).follow())


class _Follower:
    """One cloud on its way through time; ``reached`` moves only after the sink has taken the rows before it."""

    def __init__(
        self,
        task: Task,
        sink: Sink,
        status: Status,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._task, self._sink, self._status, self._now, self._sleep = task, sink, status, now, sleep
        self._reached = task.watermark() or task.since or _floor(now(), task.window_seconds)
        self._memory = Memory()
        self._api: ComputeApi | None = None
        self._pause = _FIRST_PAUSE_SECONDS
        self._counts = Counter(rows=0, rejected=0, gaps=0)

    async def follow(self) -> None:
        while True:
            wait = (_due(self._task, self._reached) - self._now()).total_seconds()
            if wait > 0:
                await self._sleep(wait)
                continue
            try:
                found = await asyncio.to_thread(self._read)
            except UserError as error:
                await self._fail(error)
            else:
                await self._take(found)

    def _read(self) -> Collected:
        task, at = self._task, self._now()
        self._api = self._api or task.connect()
        end = min(at - timedelta(seconds=task.grace_seconds), self._reached + _LONGEST_SPAN)
        return collect(
            self._api, task.cloud, task.inventory(), self._reached, end,
            now=at, window_seconds=task.window_seconds, memory=self._memory,
        )  # fmt: skip

    async def _take(self, found: Collected) -> None:
        if found.complete_until <= self._reached:  # the cloud's clock has not passed the window yet
            await self._sleep(_FIRST_PAUSE_SECONDS)
            return
        payload = to_ipc(found)
        entry = Entry(
            kind=Kind.USAGE, source=self._task.cloud, received_at=self._now(), payload=payload, format="arrow"
        )
        await self._sink(entry)
        self._counts.update(rows=found.rows.num_rows, rejected=len(found.rejected), gaps=len(found.gaps))
        self._reached, self._pause = found.complete_until, _FIRST_PAUSE_SECONDS
        self._tell("ok", {})

    async def _fail(self, error: UserError) -> None:
        """Tell it, log in anew the next time, wait longer each time."""
        first = error.problems[0]
        self._tell("failing", {"error": first.text(), "next": first.advice()})
        self._api = None
        await self._sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)

    def _tell(self, state: str, more: Mapping[str, str]) -> None:
        reached = format_instant(self._reached)
        self._status[self._task.cloud] = {"state": state, "complete_until": reached, **self._counts, **more}


def _due(task: Task, reached: datetime) -> datetime:
    """When the first window after ``reached`` may be asked for."""
    begin = _floor(reached - timedelta(microseconds=1), task.window_seconds) + timedelta(seconds=task.window_seconds)
    return begin + timedelta(seconds=task.window_seconds + task.grace_seconds)


def _floor(at: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def to_ipc(found: Collected) -> bytes:
    """An Arrow IPC stream of the rows, with ``complete_until`` among the schema's metadata."""
    metadata = {"complete_until": format_instant(found.complete_until)}
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, found.rows.schema.with_metadata(metadata)) as writer:
        writer.write_table(found.rows.replace_schema_metadata(metadata))
    return stream.getvalue()
