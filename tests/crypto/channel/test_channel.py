"""Channels over real sockets on loopback: what flows, what closes, what both ends must agree on."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable

import pytest

from crypto.channel import (
    BufferFull,
    Channel,
    ChannelClosed,
    ChannelConfig,
    ChannelTimeout,
    ChannelTruncated,
    HandshakeFailed,
    RekeyOverdue,
    connect,
)
from tests.crypto.channel.meeting import LOOPBACK, echo, limited, run, serving


def test_both_ends_see_each_other_and_the_data_come_back(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        seen = []

        async def handler(channel: Channel) -> None:
            seen.append(channel.peer)
            await echo(channel)

        async with serving(configure(), handler) as (port, refusals):
            channel = await connect(configure(), LOOPBACK, port)
            channel.write("国密".encode())
            assert await channel.read_exactly(6) == "国密".encode()
            assert channel.peer == configure().chain[0]
            channel.close()
            await channel.wait_closed()
        assert [one.subject_text for one in seen] == ["CN=节点, O=省数据局, C=CN"]
        assert refusals == []

    run(talk())


def test_a_megabyte_arrives_whole_in_one_byte_and_in_large_writes(configure: Callable[..., ChannelConfig]) -> None:
    data = os.urandom(1 << 20)

    async def talk() -> bytes:
        digest = hashlib.sha256()

        async def handler(channel: Channel) -> None:
            while part := await channel.read(777):
                digest.update(part)

        async with serving(configure(), handler) as (port, _):
            channel = await connect(configure(), LOOPBACK, port)
            for at in range(2000):
                channel.write(data[at : at + 1])
                await channel.drain()
            channel.write(data[2000:])
            await channel.drain()
            channel.close()
            await channel.wait_closed()
        return digest.digest()

    assert run(talk()) == hashlib.sha256(data).digest()


def test_an_empty_write_sends_nothing(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async with serving(configure()) as (port, _):
            channel = await connect(configure(), LOOPBACK, port)
            channel.write(b"")
            channel.write(b"x")
            assert await channel.read() == b"x"
            channel.close()
            await channel.wait_closed()

    run(talk())


def test_close_notify_goes_both_ways_and_a_closed_channel_is_not_used(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async def says_goodbye(channel: Channel) -> None:
            channel.write(b"bye")

        async with serving(configure(), says_goodbye) as (port, refusals):
            channel = await connect(configure(), LOOPBACK, port)
            assert await channel.read() == b"bye"
            assert await channel.read() == b""
            assert await channel.read() == b""
            channel.close()
            channel.close()
            await channel.wait_closed()
            with pytest.raises(ChannelClosed):
                channel.write(b"more")
        assert refusals == []

    run(talk())


def test_after_the_peers_close_notify_we_may_still_write(configure: Callable[..., ChannelConfig]) -> None:
    """TLS 1.3 closes each direction by itself (RFC 8446 §6.1)."""

    async def talk() -> bytes:
        got = bytearray()

        async def handler(channel: Channel) -> None:
            channel._engine.close()
            channel._flush()  # close_notify, then go on reading
            while part := await channel.read():
                got.extend(part)

        async with serving(configure(), handler) as (port, _):
            channel = await connect(configure(), LOOPBACK, port)
            assert await channel.read() == b""
            channel.write(b"still here")
            channel.close()
            await channel.wait_closed()
        return bytes(got)

    assert run(talk()) == b"still here"


@pytest.mark.parametrize("half", [True, False])
def test_an_end_without_close_notify_is_a_truncation(configure: Callable[..., ChannelConfig], half: bool) -> None:
    async def talk() -> None:
        async def cut(channel: Channel) -> None:
            channel.write(b"almost all")
            await channel.drain()
            await asyncio.sleep(0.1)
            if half:
                channel._transport.write_eof()
                await asyncio.sleep(1)
            channel.abort()

        async with serving(configure(), cut) as (port, _):
            channel = await connect(configure(), LOOPBACK, port)
            assert await channel.read() == b"almost all"
            with pytest.raises(ChannelTruncated):
                await channel.read()
            with pytest.raises(ChannelTruncated):
                await channel.wait_closed()
            with pytest.raises(ChannelTruncated):
                channel.write(b"x")

    run(talk())


def test_read_exactly_tells_a_close_that_comes_too_early(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async def short(channel: Channel) -> None:
            channel.write(b"1234")

        async with serving(configure(), short) as (port, _):
            channel = await connect(configure(), LOOPBACK, port)
            with pytest.raises(ChannelTruncated, match="6 bytes too early"):
                await channel.read_exactly(10)
            channel.abort()

    run(talk())


async def flood(channel: Channel, pause: Callable[[], Awaitable[None]]) -> None:
    for _ in range(2000):
        channel.write(bytes(1 << 15))
        await pause()


def test_a_peer_that_takes_nothing_is_given_up(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async def stalled(channel: Channel) -> None:
            channel._transport.pause_reading()
            await asyncio.sleep(3)

        impatient = limited(configure(), stall_seconds=0.4, buffer_bytes=1 << 16)
        async with serving(limited(configure(), close_seconds=0.1), stalled) as (port, _):
            channel = await connect(impatient, LOOPBACK, port)
            with pytest.raises(ChannelTimeout, match="takes nothing"):
                await flood(channel, channel.drain)
            with pytest.raises(ChannelTimeout):
                await channel.wait_closed()

    run(talk())


def test_buffers_are_bounded_on_both_sides(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        held: list[Channel] = []
        done = asyncio.Event()

        async def idle(channel: Channel) -> None:
            held.append(channel)
            await done.wait()

        small = limited(configure(), buffer_bytes=1 << 16)
        async with serving(limited(small, close_seconds=0.2), idle) as (port, _):
            channel = await connect(small, LOOPBACK, port)
            with pytest.raises(BufferFull):
                await flood(channel, lambda: asyncio.sleep(0))
            assert held[0]._buffered < (1 << 16) + (1 << 19)
            assert channel._pending() < 4 * (1 << 16)
            done.set()
            channel.abort()

    run(talk())


def test_a_silent_channel_ends(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async with serving(configure()) as (port, _):
            channel = await connect(limited(configure(), idle_seconds=0.4), LOOPBACK, port)
            for _ in range(3):  # a byte now and then keeps it
                await asyncio.sleep(0.2)
                channel.write(b"x")
                await channel.read()
            with pytest.raises(ChannelTimeout, match="no byte"):
                await channel.read()

    run(talk())


def test_a_peer_that_does_not_answer_close_notify_is_given_up(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async def deaf(_: Channel) -> None:
            await asyncio.sleep(2)

        async with serving(limited(configure(), close_seconds=0.1), deaf) as (port, _):
            channel = await connect(limited(configure(), close_seconds=0.3), LOOPBACK, port)
            channel.close()
            with pytest.raises(ChannelTimeout, match="close_notify"):
                await channel.wait_closed()

    run(talk())


def test_keys_wear_out_by_bytes_and_by_time(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async with serving(configure()) as (port, _):
            channel = await connect(limited(configure(), rekey_bytes=1000), LOOPBACK, port)
            channel.write(bytes(999))
            assert not channel.rekey_due
            channel.write(bytes(1))
            assert channel.rekey_due
            channel.write(bytes(1000))
            with pytest.raises(RekeyOverdue):
                channel.write(b"x")
            channel.abort()
            old = await connect(limited(configure(), rekey_seconds=0.2), LOOPBACK, port)
            await asyncio.sleep(0.25)
            assert old.rekey_due
            await asyncio.sleep(0.2)
            with pytest.raises(RekeyOverdue):
                old.write(b"x")
            old.abort()

    run(talk())


def test_two_hundred_at_once(configure: Callable[..., ChannelConfig]) -> None:
    wide = limited(configure(), handshake_seconds=50, close_seconds=20, idle_seconds=60)

    async def one(port: int, number: int) -> bytes:
        channel = await connect(wide, LOOPBACK, port)
        channel.write(number.to_bytes(2))
        answer = await channel.read_exactly(2)
        channel.close()
        await channel.wait_closed()
        return answer

    async def talk() -> list[bytes]:
        async with serving(wide) as (port, refusals):
            answers = await asyncio.gather(*(one(port, number) for number in range(200)))
            assert refusals == []
        return answers

    assert run(talk()) == [number.to_bytes(2) for number in range(200)]


def test_more_connections_than_admitted_are_turned_away(configure: Callable[..., ChannelConfig]) -> None:
    async def talk() -> None:
        async with serving(limited(configure(), connections=1)) as (port, refusals):
            first = await connect(configure(), LOOPBACK, port)
            with pytest.raises((HandshakeFailed, ChannelTruncated)):
                await connect(configure(), LOOPBACK, port)
            assert "more than 1 connections" in str(refusals[0].error)
            first.write(b"still served")
            assert await first.read() == b"still served"
            first.close()
            await first.wait_closed()

    run(talk())


def test_a_handler_that_fails_ends_its_own_channel_only(
    configure: Callable[..., ChannelConfig], caplog: pytest.LogCaptureFixture
) -> None:
    async def talk() -> None:
        async def fragile(channel: Channel) -> None:
            if await channel.read() == b"die":
                raise RuntimeError("a defect")
            channel.write(b"fine")

        async with serving(configure(), fragile) as (port, _):
            bad, good = [await connect(configure(), LOOPBACK, port) for _ in range(2)]
            bad.write(b"die")
            with pytest.raises(ChannelTruncated):
                await bad.read()
            good.write(b"live")
            assert await good.read() == b"fine"
            good.close()
            await good.wait_closed()

    run(talk())
    assert "a defect" in caplog.text
