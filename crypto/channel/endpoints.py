"""``connect`` and ``serve``: channels over TCP, mutually authenticated, nothing handed out before all checks hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from crypto.channel.config import ChannelConfig, Limits
from crypto.channel.engine import Endpoint, Engine
from crypto.channel.errors import ChannelError, ChannelTimeout, PeerUnreachable
from crypto.channel.peer import Role
from crypto.channel.stream import Channel
from crypto.channel.trial import ensure_available
from crypto.errors import CryptoError

BACKLOG = 512
_log = logging.getLogger(__name__)

Handler = Callable[[Channel], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A connection that came to nothing.

    Attributes:
        address: The peer's ``HOST:PORT``.
        error: Why.
    """

    address: str
    error: CryptoError


def log_refusal(refusal: Refusal) -> None:
    """Where nothing else is wished, refusals are logged."""
    _log.warning("channel with %s ended: %s", refusal.address, refusal.error)


class Client:
    """A calling end that connects more than once: key and certificates are given to the library one time."""

    def __init__(self, config: ChannelConfig) -> None:
        ensure_available()
        self._limits = config.limits
        self._endpoint = Endpoint(config, Role.CLIENT)

    async def connect(self, host: str, port: int, *, name: str | None = None) -> Channel:
        """A channel to a server whose certificate bears ``name`` (``host`` if not given).

        Our certificate is judged by the server after this returns, as TLS 1.3 has it: its refusal is the error of the
        first ``read``. Raises PeerUnreachable, ChannelTimeout, HandshakeFailed, CertificateRefused and its kinds.
        """
        engine = self._endpoint.engine(name or host)
        try:
            async with asyncio.timeout(self._limits.handshake_seconds):
                return await _dialled(self._limits, engine, host, port)
        except TimeoutError:
            raise ChannelTimeout(
                "{host}:{port} does not answer within {seconds} s",
                "check address and firewall",
                host=host,
                port=port,
                seconds=self._limits.handshake_seconds,
            ) from None
        except OSError as error:
            raise PeerUnreachable(
                "{host}:{port} cannot be reached ({reason})",
                "check address and firewall",
                host=host,
                port=port,
                reason=error.strerror or error,
            ) from None


async def connect(config: ChannelConfig, host: str, port: int, *, name: str | None = None) -> Channel:
    """One channel; see ``Client.connect``."""
    return await Client(config).connect(host, port, name=name)


async def _dialled(limits: Limits, engine: Engine, host: str, port: int) -> Channel:
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_connection(lambda: Channel(engine, limits), host, port)
    try:
        await channel.handshaken()
    except asyncio.CancelledError:
        channel.abort()
        raise
    return channel


class Server:
    """A listening end; an asynchronous context manager that closes everything at its end."""

    def __init__(self, config: ChannelConfig, handler: Handler, told: Callable[[Refusal], None]) -> None:
        self._limits = config.limits
        self._endpoint = Endpoint(config, Role.SERVER)
        self._handler, self._told = handler, told
        self._tasks: dict[asyncio.Task[None], Channel] = {}
        self._server: asyncio.Server
        self.addresses: tuple[tuple[str, int], ...] = ()

    @property
    def connections(self) -> int:
        """How many there are, unfinished handshakes included."""
        return len(self._tasks)

    async def start(self, host: str, port: int) -> None:
        """Listen; raises PeerUnreachable if the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._admit, host, port, backlog=BACKLOG)
        except OSError as error:
            raise PeerUnreachable(
                "cannot listen on {host}:{port} ({reason})",
                "choose another address",
                host=host,
                port=port,
                reason=error.strerror or error,
            ) from None
        self.addresses = tuple(one.getsockname()[:2] for one in self._server.sockets)

    def _admit(self) -> asyncio.BaseProtocol:
        if len(self._tasks) >= self._limits.connections:
            return _TurnedAway(self._told, self._limits.connections)
        channel = Channel(self._endpoint.engine(), self._limits)
        task = asyncio.get_running_loop().create_task(self._serve(channel))
        self._tasks[task] = channel
        task.add_done_callback(self._tasks.pop)
        return channel

    async def _serve(self, channel: Channel) -> None:
        """One connection from handshake to close; its failure is its own."""
        try:
            await channel.handshaken()
            await self._handler(channel)
            channel.close()
            await channel.wait_closed()
        except CryptoError as error:
            self._told(Refusal(address=channel.address, error=error))
        except Exception:  # noqa: BLE001 - a defect of one handler must not end the others
            _log.exception("the handler of a channel failed")
        finally:
            channel.abort()

    async def close(self) -> None:
        """Listen no more, close every channel; handlers that do not end within ``close_seconds`` are cancelled."""
        self._server.close()
        for channel in tuple(self._tasks.values()):
            channel.close()
        running = tuple(self._tasks)
        if running:
            _, late = await asyncio.wait(running, timeout=self._limits.close_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _TurnedAway(asyncio.Protocol):
    """A connection above the limit: told and ended before a byte is read."""

    def __init__(self, told: Callable[[Refusal], None], limit: int) -> None:
        self._told, self._limit = told, limit

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        found = transport.get_extra_info("peername")
        error = ChannelError(
            "more than {limit} connections at once", "raise the limit, or send one after the other", limit=self._limit
        )
        self._told(Refusal(address=f"{found[0]}:{found[1]}" if found else "?", error=error))
        transport.abort()  # type: ignore[attr-defined]  # a TCP transport has it


async def serve(
    config: ChannelConfig,
    handler: Handler,
    host: str,
    port: int,
    *,
    told: Callable[[Refusal], None] = log_refusal,
) -> Server:
    """Listen, and run ``handler`` on each channel whose client passed every check; ``told`` hears of all others.

    Raises PeerUnreachable if the address cannot be had, ProviderUnavailable.
    """
    ensure_available()
    server = Server(config, handler, told)
    await server.start(host, port)
    return server
