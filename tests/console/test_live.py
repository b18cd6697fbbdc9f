"""The event stream: what changed, to whom, for how long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import HTTPException

from console import live
from console.live import Hub, stream


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)


async def first(count: int, hub: Hub, alive: Any = lambda: True, seen: str = "") -> list[bytes]:
    hub.enter("wang")
    found = []
    parts = stream(hub, "wang", alive, seen)
    async for part in parts:
        found.append(part)
        if len(found) == count:
            break
    await parts.aclose()
    return found


@pytest.mark.usefixtures("quick")
def test_a_change_names_its_topics_once() -> None:
    present = {"links": "1", "alerts": "1", "bills": "1"}

    async def scene() -> list[bytes]:
        hub = Hub(lambda: dict(present))
        hub.enter("wang")
        parts = stream(hub, "wang", lambda: True)
        found = [await anext(parts)]  # what stands now is known from here on
        present.update(links="2", alerts="2")
        while b"event: changed" not in found[-1]:
            found.append(await anext(parts))
        await parts.aclose()
        return [one for one in found if not one.startswith(b":")]

    begun, told = asyncio.run(scene())
    assert begun == b"retry: 3000\n\n"
    assert told.endswith(b'\nevent: changed\ndata: ["alerts", "links"]\n\n')


@pytest.mark.usefixtures("quick")
def test_a_change_between_page_and_stream_is_told_at_once() -> None:
    present = {"links": "1", "alerts": "1"}
    seen = Hub(lambda: dict(present)).seen()
    present["links"] = "2"
    told = asyncio.run(first(2, Hub(lambda: dict(present)), seen=seen))[-1]
    assert told.endswith(b'event: changed\ndata: ["links"]\n\n')
    back = told.partition(b"\n")[0].removeprefix(b"id: ").decode()  # what a browser that comes back sends
    assert asyncio.run(first(2, Hub(lambda: dict(present)), seen=back))[-1] == b": alive\n\n"


@pytest.mark.usefixtures("quick")
def test_without_changes_it_only_breathes() -> None:
    assert asyncio.run(first(3, Hub(lambda: {"links": "1"}))) == [b"retry: 3000\n\n", b": alive\n\n", b": alive\n\n"]


@pytest.mark.usefixtures("quick")
def test_it_ends_with_the_session() -> None:
    assert asyncio.run(first(3, Hub(dict), alive=lambda: False)) == [b"retry: 3000\n\n"]


@pytest.mark.usefixtures("quick")
def test_streams_are_counted_and_capped() -> None:
    async def scene() -> int:
        hub = Hub(dict)
        for _ in range(live.STREAMS_PER_USER):
            hub.enter("wang")
        with pytest.raises(HTTPException):
            hub.enter("wang")
        hub.leave("wang")
        await first(1, hub)  # enters and leaves
        return hub.streams["wang"]

    assert asyncio.run(scene()) == live.STREAMS_PER_USER - 1


@pytest.mark.usefixtures("quick")
def test_the_database_is_asked_once_for_all_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 60.0)
    asked = 0

    def versions() -> dict[str, str]:
        nonlocal asked
        asked += 1
        return {}

    async def scene() -> None:
        hub = Hub(versions)
        await asyncio.gather(*(asyncio.to_thread(hub.versions) for _ in range(50)))

    asyncio.run(scene())
    assert asked == 1
