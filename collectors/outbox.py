"""The way into the spool: batches of many producers become one append, and a full disk makes them wait, not lose."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from records.spool import Entry
from storage.unavailable import UnavailableError

LARGEST_APPEND = 16 * 2**20  # bytes of payload in one append
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0


class Spool(Protocol):
    """Where entries go; ``storage.spool.SpoolWriter`` is one."""

    def append(self, entries: Sequence[Entry], /) -> object:
        """Keep all entries or none; UnavailableError or OSError if there is no room now."""
        ...


class Outbox:
    """Hands entries to the spool in a thread of its own, so that a slow disk delays no poll.

    Attributes:
        blocked: Why the spool takes nothing at present; empty if it does.
        appended: Entries that the spool has taken.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._waiting: deque[tuple[Sequence[Entry], asyncio.Future[None]]] = deque()
        self._some = asyncio.Event()
        self.blocked = ""
        self.appended = 0

    async def put(self, entries: Sequence[Entry]) -> None:
        """Return once the spool has all entries; they are in its order of arrival. Waits as long as it is full."""
        if not entries:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, done))
        self._some.set()
        await asyncio.shield(done)

    async def run(self) -> None:
        """Move entries until cancelled; a defect of the spool ends it with its exception."""
        while True:
            await self._some.wait()
            await self._move(self._take())
            if not self._waiting:
                self._some.clear()

    @property
    def waiting(self) -> int:
        """Entries that the spool has not taken yet."""
        return sum(len(entries) for entries, _ in self._waiting)

    def _take(self) -> list[tuple[Sequence[Entry], asyncio.Future[None]]]:
        """Batches worth one append, left in the queue until it has happened."""
        taken, size = [], 0
        for batch in self._waiting:
            taken.append(batch)
            size += sum(len(entry.payload) for entry in batch[0])
            if size >= LARGEST_APPEND:
                break
        return taken

    async def _move(self, taken: list[tuple[Sequence[Entry], asyncio.Future[None]]]) -> None:
        entries, pause = _joined(taken), FIRST_PAUSE_SECONDS
        while True:
            appending = asyncio.ensure_future(asyncio.to_thread(self._spool.append, entries))
            try:
                await asyncio.shield(appending)
            except (UnavailableError, OSError) as error:
                self.blocked = str(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except asyncio.CancelledError:
                if await _succeeds(appending):
                    self._settle(taken)
                raise
            else:
                self.blocked = ""
                self._settle(taken)
                return

    def _settle(self, taken: list[tuple[Sequence[Entry], asyncio.Future[None]]]) -> None:
        for entries, done in taken:
            self._waiting.popleft()
            self.appended += len(entries)
            if not done.done():
                done.set_result(None)


def _joined(taken: Sequence[tuple[Sequence[Entry], asyncio.Future[None]]]) -> Sequence[Entry]:
    return taken[0][0] if len(taken) == 1 else [entry for entries, _ in taken for entry in entries]


async def _succeeds(appending: asyncio.Future[object]) -> bool:
    """Wait for an append that cannot be stopped; whether it was done."""
    try:
        await appending
    except (UnavailableError, OSError):
        return False
    return True
