"""The job: look at start, once an hour, and as soon as a file changes; tell what is new, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from collectors.certificates.changes import Sighting, compare
from collectors.certificates.events import to_entry, to_payload
from collectors.certificates.memory import Memory, load, save
from records.instants import format_instant
from records.spool import Entry

PERIOD = timedelta(hours=1)
TICK_SECONDS = 5.0


class Look(Protocol):
    """Port: what stands under each name at an instant; a certificate that cannot be read is a fault, not an error."""

    def __call__(self, at: datetime, /) -> Sequence[Sighting]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What to watch.

    Attributes:
        look: Reads the certificates.
        marks: Changes when a file that holds one does; asked every few seconds, so it must be cheap.
        memory: The file that outlives a restart.
        status: Kept up to date for each name, for ``collect.json``.
    """

    look: Look
    marks: Callable[[], Hashable]
    memory: Path
    status: MutableMapping[str, object]


async def watch_forever(
    watch: Watch,
    put: Callable[[Sequence[Entry]], Awaitable[None]],
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Watch until cancelled.

    Args:
        watch: What.
        put: Returns once the spool has the entries.
        now: Our clock.
        sleep: Waits that many seconds.
    """
    watcher = _Watcher(watch, put, await asyncio.to_thread(load, watch.memory))
    while True:
        await watcher.step(now())
        await sleep(TICK_SECONDS)


class _Watcher:
    """One watch on its way through time; what changed is on disk before it is told."""

    def __init__(self, watch: Watch, put: Callable[[Sequence[Entry]], Awaitable[None]], memory: Memory) -> None:
        self._watch, self._put, self._memory = watch, put, memory
        self._looked: datetime | None = None
        self._marks: Hashable = None
        self._suspects: frozenset[str] = frozenset()
        self._given = False

    async def step(self, at: datetime) -> None:
        """Settle what is on its way, look if it is time, tell what is new."""
        await self._settle()
        marks = await asyncio.to_thread(self._watch.marks)
        if not self._is_time(at, marks):
            return
        seen = await asyncio.to_thread(self._watch.look, at)
        self._looked, self._marks = at, marks
        self._watch.status.clear()
        self._watch.status.update({one.name: _told(one) for one in seen})
        await self._take(seen, at)

    def _is_time(self, at: datetime, marks: Hashable) -> bool:
        """A clock that was set back does not keep it from looking."""
        if self._looked is None or self._suspects or marks != self._marks:
            return True
        return not self._looked <= at < self._looked + PERIOD

    async def _take(self, seen: Sequence[Sighting], at: datetime) -> None:
        """A fault is told when a second look finds it too: a file that is being replaced is no fault."""
        faults = {one.name for one in seen if one.fault and not self._is_known(one)}
        doubtful = frozenset(faults - self._suspects)
        self._suspects = doubtful
        known, changes = compare(self._memory.known, seen, at, doubtful)
        if changes or known != self._memory.known:
            payloads = tuple(map(to_payload, changes))
            await self._keep(Memory(known=known, pending=(*self._memory.pending, *payloads)))
            await self._send()

    def _is_known(self, one: Sighting) -> bool:
        before = self._memory.known.get(one.name)
        return before is not None and before.level == one.level

    async def _settle(self) -> None:
        """Forget what the spool took a step ago, by now on disk; give it what an earlier process could not."""
        if self._given and self._memory.pending:
            await self._keep(replace(self._memory, pending=()))
        elif self._memory.pending:
            await self._send()

    async def _send(self) -> None:
        await self._put([to_entry(one) for one in self._memory.pending])
        self._given = True

    async def _keep(self, memory: Memory) -> None:
        await asyncio.to_thread(save, memory, self._watch.memory)
        self._memory, self._given = memory, False


def _told(one: Sighting) -> dict[str, object]:
    row = one.row
    return {
        "level": one.level,
        "days_left": row.days_left if row else None,
        "not_after": format_instant(row.not_after) if row else None,
        "file": one.file,
        "why": one.why,
    }
