"""Live refresh: one event stream a tab tells which topics changed; the page fetches its own fragment again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from console import people
from console.visit import Visit, visiting

POLL_SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
STREAMS_PER_USER = 6  # what a browser opens to one host over HTTP/1.1
_LONGEST_SECONDS = 600.0  # then the browser reconnects, and the session is looked at again

router = APIRouter(include_in_schema=False)


class Hub:
    """The versions of all topics, asked once for all streams; and who holds how many streams."""

    def __init__(self, versions: Callable[[], Mapping[str, str]]) -> None:
        self._versions = versions
        self._asked = 0.0
        self._known: Mapping[str, str] = {}
        self._lock = asyncio.Lock()
        self.streams: Counter[str] = Counter()

    async def versions(self) -> Mapping[str, str]:
        """The present versions, at most one poll interval old."""
        async with self._lock:
            if time.monotonic() - self._asked >= POLL_SECONDS:
                self._known = await run_in_threadpool(self._versions)
                self._asked = time.monotonic()
            return self._known

    def enter(self, user: str) -> None:
        """Count a stream; 429 beyond the cap."""
        if self.streams[user] >= STREAMS_PER_USER:
            raise HTTPException(429, "too many open pages")
        self.streams[user] += 1

    def leave(self, user: str) -> None:
        self.streams[user] -= 1


async def stream(hub: Hub, user: str, alive: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Changed topics as server-sent events, a comment as heartbeat; ends when the session is over."""
    before, spoken, started = await hub.versions(), time.monotonic(), time.monotonic()
    try:
        yield b"retry: 3000\n\n"
        while time.monotonic() - started < _LONGEST_SECONDS:
            await asyncio.sleep(POLL_SECONDS)
            present = await hub.versions()
            changed = sorted(topic for topic, version in present.items() if before.get(topic) != version)
            if changed:
                yield f"event: changed\ndata: {json.dumps(changed)}\n\n".encode()
            elif time.monotonic() - spoken >= HEARTBEAT_SECONDS:
                if not await run_in_threadpool(alive):
                    return
                yield b": alive\n\n"
            else:
                continue
            before, spoken = present, time.monotonic()
    finally:
        hub.leave(user)


@router.get("/events")
async def events(visit: Annotated[Visit, Depends(visiting(None))]) -> StreamingResponse:
    """The stream of one tab."""
    hub: Hub = visit.request.app.state.hub
    user = visit.person.user.name
    hub.enter(user)

    def alive() -> bool:
        return people.of_session(visit.request, visit.deps, visit.deps.clock()) is not None

    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(stream(hub, user, alive), media_type="text/event-stream", headers=headers)
