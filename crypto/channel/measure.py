"""The channel beside bare pyOpenSSL on blocking sockets, in one run: handshakes a second and MB a second.

Both do the same: mutual RFC 8998 handshakes, one after the other, a byte and its answer, close_notify; then one long
stream. Each end is a process of its own. Keys are made for the run and forgotten.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from OpenSSL import SSL

from crypto.channel import context as tls
from crypto.channel.config import ChannelConfig, Limits
from crypto.channel.endpoints import Client, serve
from crypto.channel.stream import Channel
from crypto.channel.trial import ensure_available
from crypto.pki import profiles
from crypto.pki.building import name_of
from crypto.pki.profiles import Profile
from crypto.sm2 import generate

HOST = "127.0.0.1"
BLOCK = bytes(1 << 18)
PATIENT = Limits(handshake_seconds=60, idle_seconds=60, stall_seconds=60, close_seconds=30)
_STREAM, _ECHO = b"S", b"E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure of both, in the best round of each: other work on the machine only ever takes away.

    Attributes:
        what: ``handshakes/s`` or ``MB/s``.
        channel, bare: By the clock.
        ratio: Of the two by CPU time of both ends together, which does not count what others take.
        clock_ratio: Of the two by the clock.
    """

    what: str
    channel: float
    bare: float
    ratio: float
    clock_ratio: float


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds on the clock, and CPU seconds of both ends."""

    seconds: float
    cpu: float


def compare(*, handshakes: int = 40, mebibytes: int = 16, rounds: int = 7) -> list[Comparison]:
    """Measure in turns; needs fork, so call it before there are threads or an event loop."""
    ensure_available()
    server, client = _ends()
    shakes = [(_ours(server, client, handshakes, 0), _bare(server, client, handshakes, 0)) for _ in range(rounds)]
    streams = [(_ours(server, client, 0, mebibytes), _bare(server, client, 0, mebibytes)) for _ in range(rounds)]
    return [
        _comparison("handshakes/s", handshakes, shakes),
        _comparison("MB/s", mebibytes * (1 << 20) / 1e6, streams),
    ]


def _comparison(what: str, amount: float, pairs: list[tuple[_Cost, _Cost]]) -> Comparison:
    own, bare = (min(one.seconds for one in column) for column in zip(*pairs, strict=True))
    own_cpu, bare_cpu = (min(one.cpu for one in column) for column in zip(*pairs, strict=True))
    return Comparison(
        what=what,
        channel=round(amount / own, 1),
        bare=round(amount / bare, 1),
        ratio=round(bare_cpu / own_cpu, 3),
        clock_ratio=round(bare / own, 3),
    )


def _ends() -> tuple[ChannelConfig, ChannelConfig]:
    """Server and client of one CA, made for this run."""
    at = datetime.now(UTC)
    ca_key = generate()
    ca = profiles.root(ca_key, name_of("CN=bench"), at, 1, None)

    def end(profile: Profile) -> ChannelConfig:
        key = generate()
        subject = name_of(f"CN={profile.value}")
        leaf = profiles.end_entity(profile, key.public, subject, (ca_key, ca), at, 1, (HOST,))
        return ChannelConfig(key=key, chain=(leaf,), anchors=(ca,), limits=PATIENT)

    return end(Profile.SERVER), end(Profile.CLIENT)


def _timed(serve_in: Callable[[Any], None], client: Callable[[int], None]) -> _Cost:
    """Run a server in a process of its own, and the client here."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    process = fork.Process(target=serve_in, args=(there,), daemon=True)
    process.start()
    try:
        port = here.recv()
        start, used = time.perf_counter(), time.process_time()
        client(port)
        seconds, used = time.perf_counter() - start, time.process_time() - used
        here.send("stop")
        return _Cost(seconds, used + here.recv())
    finally:
        process.join(PATIENT.close_seconds)


# ---- the channel


def _ours(server: ChannelConfig, client: ChannelConfig, handshakes: int, mebibytes: int) -> _Cost:
    return _timed(
        lambda pipe: asyncio.run(_serve_ours(server, pipe)),
        lambda port: asyncio.run(_call_ours(client, port, handshakes, mebibytes)),
    )


async def _serve_ours(config: ChannelConfig, pipe: Any) -> None:
    async with await serve(config, _answer, HOST, 0) as listening:
        used = time.process_time()
        pipe.send(listening.addresses[0][1])
        await asyncio.to_thread(pipe.recv)
    pipe.send(time.process_time() - used)


async def _answer(channel: Channel) -> None:
    """An echo of one byte; or all of a stream, then one byte."""
    if await channel.read_exactly(1) == _STREAM:
        left = int.from_bytes(await channel.read_exactly(8))
        while left > 0:
            left -= len(await channel.read())
    channel.write(_ECHO)
    await channel.drain()
    await channel.read()


async def _call_ours(config: ChannelConfig, port: int, handshakes: int, mebibytes: int) -> None:
    caller = Client(config)
    for _ in range(handshakes):
        channel = await caller.connect(HOST, port)
        await _finish(channel, _ECHO)
    if mebibytes:
        channel = await caller.connect(HOST, port)
        channel.write(_STREAM + (mebibytes << 20).to_bytes(8))
        for _ in range((mebibytes << 20) // len(BLOCK)):
            channel.write(BLOCK)
            await channel.drain()
        await _finish(channel, b"")


async def _finish(channel: Channel, last: bytes) -> None:
    channel.write(last)
    await channel.read_exactly(1)
    channel.close()
    await channel.wait_closed()


# ---- bare pyOpenSSL


def _bare(server: ChannelConfig, client: ChannelConfig, handshakes: int, mebibytes: int) -> _Cost:
    return _timed(
        lambda pipe: _serve_bare(server, pipe, handshakes + bool(mebibytes)),
        lambda port: _call_bare(client, port, handshakes, mebibytes),
    )


def _context(config: ChannelConfig) -> SSL.Context:
    return tls.mutual_context(config, lambda *found: bool(found[4]))


def _serve_bare(config: ChannelConfig, pipe: Any, connections: int) -> None:
    context = _context(config)
    with socket.create_server((HOST, 0), backlog=64) as listening:
        used = time.process_time()
        pipe.send(listening.getsockname()[1])
        for _ in range(connections):
            with listening.accept()[0] as accepted:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = SSL.Connection(context, accepted)
                connection.set_accept_state()
                _answer_bare(connection)
    pipe.recv()
    pipe.send(time.process_time() - used)


def _answer_bare(connection: SSL.Connection) -> None:
    if connection.recv(1) == _STREAM:
        left = int.from_bytes(connection.recv(8))
        while left > 0:
            left -= len(connection.recv(1 << 16))
    connection.sendall(_ECHO)
    with suppress(SSL.Error):
        connection.recv(1)
    connection.shutdown()


def _call_bare(config: ChannelConfig, port: int, handshakes: int, mebibytes: int) -> None:
    context = _context(config)
    for _ in range(handshakes):
        with socket.create_connection((HOST, port)) as opened:
            _finish_bare(_connected(context, opened), _ECHO)
    if mebibytes:
        with socket.create_connection((HOST, port)) as opened:
            connection = _connected(context, opened)
            connection.sendall(_STREAM + (mebibytes << 20).to_bytes(8))
            for _ in range((mebibytes << 20) // len(BLOCK)):
                connection.sendall(BLOCK)
            _finish_bare(connection, b"")


def _connected(context: SSL.Context, opened: socket.socket) -> SSL.Connection:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = SSL.Connection(context, opened)
    connection.set_connect_state()
    connection.do_handshake()
    return connection


def _finish_bare(connection: SSL.Connection, last: bytes) -> None:
    if last:
        connection.sendall(last)
    connection.recv(1)
    connection.shutdown()
    with suppress(SSL.Error):
        connection.recv(1)
