"""Live refresh: one event stream a tab tells which topics changed; the page fetches its own fragment again."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Header, HTTPException
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
    """The versions of all topics, asked once for all streams and pages; and who holds how many streams."""

    def __init__(self, versions: Callable[[], Mapping[str, str]]) -> None:
        self._versions = versions
        self._asked = float("-inf")
        self._known: Mapping[str, str] = {}
        self._lock = threading.Lock()
        self.streams: Counter[str] = Counter()

    def versions(self) -> Mapping[str, str]:
        """Topic to a short mark of its version, at most one poll interval old: never newer than what is read next."""
        with self._lock:
            if time.monotonic() - self._asked >= POLL_SECONDS:
                asked = self._versions()
                self._known = {topic: f"{zlib.crc32(text.encode()):08x}" for topic, text in asked.items()}
                self._asked = time.monotonic()
            return self._known

    def seen(self) -> str:
        """The versions as one word, which a page hands to its stream so that no change between the two is missed."""
        return urlencode(self.versions())

    def enter(self, user: str) -> None:
        """Count a stream; 429 beyond the cap."""
        if self.streams[user] >= STREAMS_PER_USER:
            raise HTTPException(429, "too many open pages")
        self.streams[user] += 1

    def leave(self, user: str) -> None:
        self.streams[user] -= 1


async def stream(hub: Hub, user: str, alive: Callable[[], bool], seen: str = "") -> AsyncIterator[bytes]:
    """Topics changed since ``seen`` as server-sent events, a comment as heartbeat; ends when the session is over.

    Each event's id is what its reader has seen by then; a browser that comes back sends it (``Last-Event-ID``).
    """
    spoken = started = time.monotonic()
    try:
        before: Mapping[str, str] = dict(parse_qsl(seen))
        before = before or await run_in_threadpool(hub.versions)
        yield b"retry: 3000\n\n"
        while time.monotonic() - started < _LONGEST_SECONDS:
            present = await run_in_threadpool(hub.versions)
            changed = sorted(topic for topic, version in present.items() if before.get(topic) != version)
            if changed:
                yield f"id: {urlencode(present)}\nevent: changed\ndata: {json.dumps(changed)}\n\n".encode()
                before, spoken = present, time.monotonic()
            elif time.monotonic() - spoken >= HEARTBEAT_SECONDS:
                if not await run_in_threadpool(alive):
                    return
                yield b": alive\n\n"
                spoken = time.monotonic()
            await asyncio.sleep(POLL_SECONDS)
    finally:
        hub.leave(user)


@router.get("/events")
async def events(
    visit: Annotated[Visit, Depends(visiting(None))],
    seen: str = "",
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """The stream of one tab."""
    hub: Hub = visit.request.app.state.hub
    user = visit.person.user.name
    hub.enter(user)

    def alive() -> bool:
        return people.of_session(visit.request, visit.deps, visit.deps.clock()) is not None

    headers = {"x-accel-buffering": "no"}
    parts = stream(hub, user, alive, last_event_id or seen)
    return StreamingResponse(parts, media_type="text/event-stream", headers=headers)
