"""Listens for syslog (日志接收) over UDP (RFC 5426) and TCP (RFC 6587) and spools each message as it came.

Nothing that was read is thrown away but messages beyond 64 KiB, which are counted. While the spool takes nothing, TCP
senders are made to wait and UDP stays in the kernel's buffer, whose overflow the kernel counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from collectors.framing import Framer
from collectors.outbox import Outbox
from collectors.status import CollectorStatus, ListenerStatus
from records.errors import UserError
from records.instants import now
from records.spool import Entry, Kind

RECEIVE_BYTES = 32 * 2**20
HIGH_BYTES, LOW_BYTES = 8 * 2**20, 2 * 2**20  # waiting for the spool: reading pauses and goes on again
DATAGRAMS_AT_ONCE = 256  # until the event loop gets its turn
LARGEST_DATAGRAM = 65_535
BIND_AGAIN_SECONDS = 10.0
DRAIN_READS = 64  # of what lies in a connection's kernel buffer at the end, 64 KiB each
_OVERHEAD = 200  # bytes of an Entry beside its payload, about

Protocol = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen: ``opened`` is a bound socket that was handed down, else ``address`` (``HOST:PORT``) is bound."""

    protocol: Protocol
    address: str = ""
    opened: socket.socket | None = None

    @property
    def source(self) -> str:
        """The stream's name in the spool: ``syslog-tcp`` or ``syslog-udp``."""
        return f"syslog-{self.protocol}"


class SyslogReceiver:
    """All listeners of one process, with one pump into the spool."""

    def __init__(self, outbox: Outbox, status: CollectorStatus) -> None:
        self._outbox = outbox
        self._status = status
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self._held = False
        self._connections: set[_Connection] = set()
        self._sockets: dict[str, socket.socket] = {}
        self._servers: list[asyncio.Server] = []

    async def serve(self, listens: Sequence[Listen]) -> None:
        """Listen and spool until cancelled, then spool the rest that was read. A taken port is tried again."""
        binding = [asyncio.create_task(self._bind_until_done(listen)) for listen in listens]
        try:
            await self._pump()
        finally:
            for task in binding:
                task.cancel()
            await asyncio.gather(*binding, return_exceptions=True)
            await self._finish()

    def take(self, messages: Sequence[bytes], source: str, peer: str) -> None:
        """Messages that were read now."""
        at = now()
        self._waiting += [_entry(message, source, peer, at) for message in messages]
        self._bytes += sum(map(len, messages)) + _OVERHEAD * len(messages)
        self._some.set()
        if self._bytes > HIGH_BYTES and not self._held:
            self._hold()

    def oversize(self, framer: Framer) -> None:
        """Count what a framer threw away since it was last asked."""
        if framer.oversize or framer.oversize_bytes:
            self._status.dropped["oversize"] += framer.oversize
            self._status.dropped_bytes["oversize"] += framer.oversize_bytes
            framer.oversize = framer.oversize_bytes = 0

    def joined(self, connection: _Connection) -> None:
        """A sender connected."""
        self._connections.add(connection)
        self._count_connections()
        if self._held:
            connection.hold()

    def left(self, connection: _Connection, rest: bytes) -> None:
        """A sender is gone; ``rest`` is what came of an unfinished message."""
        self._connections.discard(connection)
        self._count_connections()
        if rest:
            self._status.cut += 1
            self.take([rest], connection.source, connection.peer)

    def count_kernel_drops(self) -> None:
        """Note the datagrams that the kernel threw away because its buffer was full."""
        for name, opened in self._sockets.items():
            lost = kernel_drops(opened)
            if lost is not None:
                self._status.dropped[f"kernel_{name}"] = lost

    def _count_connections(self) -> None:
        listener = self._status.listeners.get("syslog-tcp")
        if listener is not None:
            listener.connections = len(self._connections)

    async def _pump(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            await self._spool()

    async def _spool(self) -> None:
        """Everything that waits, in one go; ``received`` counts what the spool has."""
        entries = self._waiting
        self._waiting, self._bytes = [], 0
        await asyncio.shield(asyncio.ensure_future(self._put(entries)))
        if self._held and self._bytes < LOW_BYTES:
            self._release()

    async def _put(self, entries: Sequence[Entry]) -> None:
        await self._outbox.put(entries)
        self._status.received.update(entry.source for entry in entries)

    def _hold(self) -> None:
        self._held = True
        for connection in self._connections:
            connection.hold()
        for opened in self._sockets.values():
            asyncio.get_running_loop().remove_reader(opened)

    def _release(self) -> None:
        self._held = False
        for connection in self._connections:
            connection.release()
        for name, opened in self._sockets.items():
            asyncio.get_running_loop().add_reader(opened, self._read_datagrams, opened, name)

    async def _bind_until_done(self, listen: Listen) -> None:
        status = self._status.listeners[listen.source] = ListenerStatus(address=listen.address)
        while True:
            try:
                await self._bind(listen, status)
            except (OSError, UserError) as error:
                status.state, status.why = "failed", str(error)
                await asyncio.sleep(BIND_AGAIN_SECONDS)
            else:
                status.state, status.why = "listening", ""
                return

    async def _bind(self, listen: Listen, status: ListenerStatus) -> None:
        opened = listen.opened or open_socket(listen.protocol, listen.address)
        opened.setblocking(False)
        status.address = _shown(opened.getsockname())
        loop = asyncio.get_running_loop()
        if listen.protocol == "tcp":
            server = await loop.create_server(lambda: _Connection(self, listen.source), sock=opened, backlog=1024)
            self._servers.append(server)
            return
        self._sockets[listen.source] = opened
        if not self._held:
            loop.add_reader(opened, self._read_datagrams, opened, listen.source)

    def _read_datagrams(self, opened: socket.socket, source: str) -> None:
        peer = ""
        messages: list[bytes] = []
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                message, (address, *_) = opened.recvfrom(LARGEST_DATAGRAM)
            except OSError:  # nothing more for now
                break
            if address != peer and messages:
                self.take(messages, source, peer)
                messages = []
            peer = address
            if message:
                messages.append(message)
        if messages:
            self.take(messages, source, peer)

    async def _finish(self) -> None:
        """The end: no new senders, what the kernel holds is read, what was read is spooled."""
        for server in self._servers:
            server.close()
        for name, opened in self._sockets.items():
            asyncio.get_running_loop().remove_reader(opened)
            self._read_datagrams(opened, name)
        for connection in list(self._connections):
            connection.drain()
        await asyncio.sleep(0)  # connection_lost of each is called now
        self.count_kernel_drops()
        for opened in self._sockets.values():
            opened.close()
        for listener in self._status.listeners.values():
            listener.state = "closed"
        await self._spool()


class _Connection(asyncio.Protocol):
    """One TCP sender."""

    def __init__(self, receiver: SyslogReceiver, source: str) -> None:
        self._receiver = receiver
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self.source = source
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a server's transports read and write
        self.peer = (transport.get_extra_info("peername") or ("",))[0]
        self._receiver.joined(self)

    def data_received(self, data: bytes) -> None:
        messages = self._framer.feed(data)
        self._receiver.oversize(self._framer)
        if messages:
            self._receiver.take(messages, self.source, self.peer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._receiver.left(self, self._framer.finish())

    def hold(self) -> None:
        """Read no more for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def release(self) -> None:
        """Read on."""
        if self._transport is not None:
            self._transport.resume_reading()

    def drain(self) -> None:
        """Read what lies in the kernel's buffer, then close."""
        if self._transport is None or self._transport.is_closing():
            return
        opened = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # nothing more, or the sender is gone
            for _ in range(DRAIN_READS):
                data = os.read(opened.fileno(), 65_536)
                if not data:
                    break
                self.data_received(data)
        self._transport.abort()


def _entry(message: bytes, source: str, peer: str, at: datetime) -> Entry:
    return Entry(kind=Kind.RAW, source=source, received_at=at, payload=message, peer=peer, format="syslog")


def open_socket(protocol: Protocol, address: str) -> socket.socket:
    """A bound socket, TCP listening; UserError for no address, OSError for a taken or forbidden one."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise UserError("'{address}' is no HOST:PORT", "write e.g. 127.0.0.1:5514", where="syslog", address=address)
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(protocol == "tcp"))
        _widen(opened)
        opened.bind((host, int(port)))
    except OSError:
        opened.close()
        raise
    return opened


def _widen(opened: socket.socket) -> None:
    """A large kernel buffer: by force if we may (CAP_NET_ADMIN), else as large as the system allows."""
    if opened.type == socket.SOCK_DGRAM:
        for option in (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF):
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BYTES)
                return


def kernel_drops(opened: socket.socket) -> int | None:
    """Datagrams that the kernel dropped on this socket so far; None where it does not tell (/proc/net/udp, Linux)."""
    table = Path("/proc/net/udp6" if opened.family == socket.AF_INET6 else "/proc/net/udp")
    try:
        inode = str(os.fstat(opened.fileno()).st_ino)
        lines = table.read_text("ascii").splitlines()[1:]
    except OSError:
        return None
    return next((int(cells[-1]) for cells in map(str.split, lines) if cells[9] == inode), None)


def _shown(name: tuple[object, ...]) -> str:
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
