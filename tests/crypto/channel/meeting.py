"""Two ends on loopback: a server, a client that tries it, and what each of them says; no test may hang."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from crypto.channel import Channel, ChannelConfig, connect, serve
from crypto.errors import CryptoError

LOOPBACK = "127.0.0.1"
GUARD_SECONDS = 60


def run(what: Coroutine[Any, Any, Any]) -> Any:
    """With a guard: no test may hang."""

    async def guarded() -> Any:
        async with asyncio.timeout(GUARD_SECONDS):
            return await what

    return asyncio.run(guarded())


async def echo(channel: Channel) -> None:
    while data := await channel.read():
        channel.write(data)
        await channel.drain()


@asynccontextmanager
async def serving(config: ChannelConfig, handler: Callable[[Channel], Awaitable[None]] = echo) -> Any:
    """A server; gives its port and the list of refusals."""
    refusals: list[Any] = []
    async with await serve(config, handler, LOOPBACK, 0, told=refusals.append) as server:
        yield server.addresses[0][1], refusals


def limited(config: ChannelConfig, **limits: Any) -> ChannelConfig:
    return dataclasses.replace(config, limits=dataclasses.replace(config.limits, **limits))


def meet(server: ChannelConfig, client: ChannelConfig, *, name: str | None = None) -> tuple[Any, Any]:
    """(what the client gets, what the server tells): an error each, or None."""

    async def talk() -> tuple[Any, Any]:
        accepted = []

        async def handler(channel: Any) -> None:
            accepted.append(channel)
            channel.write(b"welcome")

        async with serving(server, handler) as (port, refusals):
            error = await attempt(client, port, name)
            for _ in range(50):
                if refusals or accepted:
                    break
                await asyncio.sleep(0.02)
        assert not (error and accepted), "accepted by one end, refused by the other"
        return error, refusals[0].error if refusals else None

    return run(talk())  # type: ignore[no-any-return]


async def attempt(client: ChannelConfig, port: int, name: str | None) -> CryptoError | None:
    """Connect and read the server's word: its refusal of our certificate comes there."""
    try:
        channel = await connect(client, LOOPBACK, port, name=name)
        try:
            assert await channel.read() == b"welcome"
        finally:
            channel.close()
        await channel.wait_closed()
    except CryptoError as error:
        return error
    return None


def kinds(found: tuple[Any, Any]) -> tuple[type, type]:
    return type(found[0]), type(found[1])


async def until(found: list[Any]) -> None:
    for _ in range(500):
        if found:
            return
        await asyncio.sleep(0.02)
