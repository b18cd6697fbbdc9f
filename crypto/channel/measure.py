"""The channel beside bare pyOpenSSL on blocking sockets, in one run: what one CPU second buys of both ends together.

Both do the same: mutual RFC 8998 handshakes, one after the other, a byte and its answer, close_notify; then one long
stream over loopback. The channel's ends share an event loop, the bare ends have a thread each. CPU time is compared,
for the clock also counts what else runs on the machine. Keys are made for the run and forgotten.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

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
        what: ``handshakes`` or ``MB``, each per CPU second of both ends together.
        ratio: Channel to bare.
    """

    what: str
    channel: float
    bare: float
    ratio: float


def compare(*, handshakes: int = 40, mebibytes: int = 16, rounds: int = 7) -> list[Comparison]:
    """Measure in turns. Blocks; not from within an event loop."""
    ensure_available()
    server, client = _ends()
    shakes = [(_ours(server, client, handshakes, 0), _bare(server, client, handshakes, 0)) for _ in range(rounds)]
    streams = [(_ours(server, client, 0, mebibytes), _bare(server, client, 0, mebibytes)) for _ in range(rounds)]
    return [
        _comparison("handshakes", handshakes, shakes),
        _comparison("MB", mebibytes * (1 << 20) / 1e6, streams),
    ]


def _comparison(what: str, amount: float, pairs: list[tuple[float, float]]) -> Comparison:
    own, bare = (min(column) for column in zip(*pairs, strict=True))
    return Comparison(
        what=what, channel=round(amount / own, 1), bare=round(amount / bare, 1), ratio=round(bare / own, 3)
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


# ---- the channel; CPU seconds


def _ours(server: ChannelConfig, client: ChannelConfig, handshakes: int, mebibytes: int) -> float:
    async def both() -> None:
        async with await serve(server, _answer, HOST, 0) as listening:
            await _call_ours(client, listening.addresses[0][1], handshakes, mebibytes)

    start = time.process_time()
    asyncio.run(both())
    return time.process_time() - start


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


def _bare(server: ChannelConfig, client: ChannelConfig, handshakes: int, mebibytes: int) -> float:
    start = time.process_time()
    with socket.create_server((HOST, 0), backlog=64) as listening:
        connections = handshakes + bool(mebibytes)
        serving = threading.Thread(target=_serve_bare, args=(server, listening, connections), daemon=True)
        serving.start()
        _call_bare(client, listening.getsockname()[1], handshakes, mebibytes)
        serving.join(PATIENT.close_seconds)
    return time.process_time() - start


def _context(config: ChannelConfig) -> SSL.Context:
    """Ours without what we add: no note of messages, no verdict of our own."""
    context = tls.mutual_context(config, lambda *found: bool(found[4]))
    lib.SSL_CTX_set_msg_callback(context._context, ffi.NULL)  # noqa: SLF001 - as in crypto.channel.context
    return context


def _serve_bare(config: ChannelConfig, listening: socket.socket, connections: int) -> None:
    context = _context(config)
    for _ in range(connections):
        with listening.accept()[0] as accepted:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = SSL.Connection(context, accepted)
            connection.set_accept_state()
            _answer_bare(connection)


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
