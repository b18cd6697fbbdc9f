"""A channel under asyncio: ``read``, ``write``, ``drain``, ``close``, ``wait_closed``; bounded, and every wait ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import cast

from crypto.channel.config import MAX_RECORDS, RECORD_BYTES, Limits
from crypto.channel.engine import Engine
from crypto.channel.errors import BufferFull, ChannelClosed, ChannelTimeout, ChannelTruncated, RekeyOverdue
from crypto.errors import CryptoError
from crypto.x509 import Certificate

SLICE_BYTES = 1 << 16  # sealed in one go: less than a millisecond of the loop's time
OVERDUE = 2
_AGAIN = "connect anew"
_LOOK = "look at the peer and the network between, then connect anew"


class _State(Enum):
    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSING = "closing"  # our close_notify is out
    FAILED = "failed"  # what the peer may still send is dropped, so that our alert reaches it
    GONE = "gone"


class Channel(asyncio.BufferedProtocol):
    """One connection. For one task that reads and one that writes.

    ``read`` gives b"" only after the peer's close_notify; a connection that just ends raises ChannelTruncated.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._limits = limits
        self._state = _State.HANDSHAKE
        self._error: CryptoError | None = None
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._sent_bytes = self._sent_records = self._received_bytes = self._received_records = 0
        self._born = self._active = self._loop.time()
        self._paused = False
        self._readable, self._writable = asyncio.Event(), asyncio.Event()
        self._writable.set()
        self._handshaken: asyncio.Future[None] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._then: Callable[[], None]
        self._transport: asyncio.Transport

    @property
    def peer(self) -> Certificate:
        """The peer's certificate, checked."""
        return self._engine.peer

    @property
    def address(self) -> str:
        """The peer's address as ``HOST:PORT``."""
        found = self._transport.get_extra_info("peername")
        return f"{found[0]}:{found[1]}" if found else "?"

    @property
    def readable(self) -> bool:
        """Whether ``read`` would answer at once."""
        return bool(self._chunks) or self._engine.received_close or self._error is not None

    @property
    def rekey_due(self) -> bool:
        """Whether these keys have carried enough: finish what is under way, close, connect anew."""
        return self._worn(1)

    def _worn(self, times: int) -> bool:
        records = max(self._sent_records, self._received_records)
        carried = max(self._sent_bytes, self._received_bytes)
        age = self._loop.time() - self._born
        limits = self._limits
        return (
            carried >= times * limits.rekey_bytes
            or records >= times * MAX_RECORDS
            or age >= times * limits.rekey_seconds
        )

    # ---- what the caller does

    async def handshaken(self) -> None:
        """Wait for the end of the handshake; raises CryptoError."""
        await self._handshaken

    async def read(self, limit: int = RECORD_BYTES) -> bytes:
        """1 to ``limit`` bytes as soon as there are some, b"" at the peer's close_notify; raises CryptoError."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._engine.received_close:
                return b""
            if self._state is not _State.OPEN:
                raise ChannelClosed("the channel is closed", _AGAIN)
            self._readable.clear()
            await self._readable.wait()
        return self._take(limit)

    def _take(self, limit: int) -> bytes:
        chunk = self._chunks.popleft()
        if len(chunk) > limit:
            self._chunks.appendleft(chunk[limit:])
            chunk = chunk[:limit]
        self._buffered -= len(chunk)
        if self._paused and self._buffered <= self._limits.buffer_bytes // 2:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    async def read_exactly(self, size: int) -> bytes:
        """Exactly ``size`` bytes; raises ChannelTruncated if the peer closes before."""
        parts = []
        missing = size
        while missing:
            part = await self.read(missing)
            if not part:
                raise ChannelTruncated(
                    "the peer closed the channel {missing} bytes too early", "transfer again", missing=missing
                )
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Seal and send; ``drain`` after each piece. Raises BufferFull if the peer takes nothing, RekeyOverdue."""
        self._check_writable()
        view = memoryview(data)
        for at in range(0, len(view), SLICE_BYTES):
            self._send(view[at : at + SLICE_BYTES])

    def _check_writable(self) -> None:
        if self._error is not None:
            raise self._error
        if self._state is not _State.OPEN:
            raise ChannelClosed("the channel is closed", _AGAIN)
        if self._transport.get_write_buffer_size() > 2 * self._limits.buffer_bytes:
            raise BufferFull("{size} bytes wait for the peer", "drain after writing", size=self._pending())
        if self._worn(OVERDUE):
            raise RekeyOverdue("these keys have carried twice what they may", _AGAIN)

    def _pending(self) -> int:
        return self._transport.get_write_buffer_size()

    def _send(self, data: memoryview) -> None:
        self._engine.write(data)
        self._sent_bytes += len(data)
        self._sent_records += -(-len(data) // RECORD_BYTES)
        self._flush()

    def _flush(self) -> None:
        out = self._engine.take()
        if out:
            self._active = self._loop.time()
            self._transport.write(out)

    async def drain(self) -> None:
        """Wait until the peer has taken enough; raises ChannelTimeout if it takes nothing for too long."""
        while not self._writable.is_set():
            left = self._pending()
            try:
                async with asyncio.timeout(self._limits.stall_seconds):
                    await self._writable.wait()
            except TimeoutError:
                if self._pending() >= left and not self._writable.is_set():
                    self._fail(
                        ChannelTimeout(
                            "the peer takes nothing within {seconds} s", _LOOK, seconds=self._limits.stall_seconds
                        ),
                        abort=True,
                    )
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Send close_notify and wait in the background for the peer's; what it still sends is dropped."""
        if self._state is _State.HANDSHAKE:
            self._fail(ChannelClosed("the channel is closed", _AGAIN), abort=True)
        if self._state is not _State.OPEN:
            return
        self._state = _State.CLOSING
        self._engine.close()
        self._flush()
        self._readable.set()
        if self._engine.received_close:
            self._transport.close()
            if not self._pending():
                return
        elif self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._arm(self._limits.close_seconds, self._not_closed)

    async def wait_closed(self) -> None:
        """Wait for the end of the connection; raises CryptoError unless both ends said close_notify."""
        await self._gone.wait()
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        """End at once, without goodbye: the peer takes it for a truncation."""
        if self._state not in {_State.FAILED, _State.GONE}:
            self._fail(ChannelClosed("the channel was aborted", _AGAIN), abort=True)

    # ---- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.buffer_bytes)
        self._arm(self._limits.handshake_seconds, self._no_handshake)
        self._advance()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self._engine.inlet

    def buffer_updated(self, nbytes: int) -> None:
        if self._state in {_State.FAILED, _State.GONE}:
            return
        self._active = self._loop.time()
        self._engine.feed(self._engine.inlet[:nbytes])
        self._advance()

    def eof_received(self) -> bool:
        """Half-closed: after close_notify we may still write (RFC 8446 §6.1), before it is a truncation."""
        if self._state is _State.FAILED:
            return False
        self._engine.feed(b"")
        self._advance()
        return self._engine.received_close and self._state is _State.OPEN

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._error is None and not (self._engine.received_close and self._engine.sent_close):
            self._error = ChannelTruncated(
                "the connection ended without close_notify ({reason}): what came may not be all",
                "transfer again",
                reason=exc or "end of file",
            )
        self._state = _State.GONE
        self._disarm()
        self._wake()
        self._gone.set()

    # ---- inside

    def _advance(self) -> None:
        """Do what the bytes that are here allow, and send what comes of it."""
        try:
            if self._state is _State.HANDSHAKE and self._engine.handshake():
                self._established()
            if self._state is not _State.HANDSHAKE:
                self._receive()
            self._flush()  # the next flight, or the answer to a KeyUpdate
        except CryptoError as error:
            self._fail(error)
            return
        if self._engine.received_close and self._state is _State.CLOSING:
            self._transport.close()
        elif self._buffered > self._limits.buffer_bytes and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _established(self) -> None:
        self._state = _State.OPEN
        self._born = self._loop.time()
        self._arm(self._limits.idle_seconds, self._look_idle)
        if not self._handshaken.done():
            self._handshaken.set_result(None)

    def _receive(self) -> None:
        while chunk := self._engine.read():
            self._received_bytes += len(chunk)
            self._received_records += 1
            if self._state is _State.OPEN:
                self._chunks.append(chunk)
                self._buffered += len(chunk)
        if self._chunks or self._engine.received_close:
            self._readable.set()

    def _fail(self, error: CryptoError, *, abort: bool = False) -> None:
        """Keep the first error, let our alert reach the peer, end."""
        if self._state in {_State.FAILED, _State.GONE}:
            return
        self._error = error
        self._state = _State.FAILED
        self._chunks.clear()
        self._wake()
        if abort:
            self._transport.abort()
            return
        out = self._engine.take()
        if out:
            self._transport.write(out)
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        self._arm(min(1.0, self._limits.close_seconds), self._transport.abort)

    def _wake(self) -> None:
        """Nobody waits for what will not come."""
        self._readable.set()
        self._writable.set()
        if not self._handshaken.done():
            if self._error is None:
                self._handshaken.cancel()
            else:
                self._handshaken.set_exception(self._error)
                self._handshaken.exception()  # told once here: a caller that went away is no defect

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        """One deadline at a time. A timer that rings too early is wound up again: cheaper than a new one each time."""
        self._deadline, self._then = self._loop.time() + seconds, then
        if self._timer is None or self._timer.when() > self._deadline:
            self._disarm()
            self._timer = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        else:
            self._then()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _no_handshake(self) -> None:
        self._fail(
            ChannelTimeout(
                "the handshake is not finished within {seconds} s", _LOOK, seconds=self._limits.handshake_seconds
            ),
            abort=True,
        )

    def _look_idle(self) -> None:
        quiet = self._loop.time() - self._active
        if quiet >= self._limits.idle_seconds:
            self._fail(
                ChannelTimeout(
                    "no byte in either direction within {seconds} s", _LOOK, seconds=self._limits.idle_seconds
                ),
                abort=True,
            )
        else:
            self._arm(self._limits.idle_seconds - quiet, self._look_idle)

    def _not_closed(self) -> None:
        self._fail(
            ChannelTimeout(
                "the peer does not answer close_notify within {seconds} s", _LOOK, seconds=self._limits.close_seconds
            ),
            abort=True,
        )
