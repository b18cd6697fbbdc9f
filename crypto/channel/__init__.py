"""The trusted channel (可信通道): TLS 1.3 with SM2, SM3, SM4 (RFC 8998), mutual, under asyncio, fail closed.

``connect`` and ``serve`` give a ``Channel`` only after version, suite, group, signature and both chains hold.
"""

from __future__ import annotations

from crypto.channel.config import ChannelConfig, Limits
from crypto.channel.endpoints import Client, Refusal, Server, connect, serve
from crypto.channel.errors import (
    BufferFull,
    ChannelClosed,
    ChannelError,
    ChannelTimeout,
    ChannelTruncated,
    HandshakeFailed,
    PeerRefused,
    PeerUnreachable,
    RekeyOverdue,
)
from crypto.channel.stream import Channel
from crypto.channel.trial import ensure_available

__all__ = [
    "BufferFull",
    "Channel",
    "ChannelClosed",
    "ChannelConfig",
    "ChannelError",
    "ChannelTimeout",
    "ChannelTruncated",
    "Client",
    "HandshakeFailed",
    "Limits",
    "PeerRefused",
    "PeerUnreachable",
    "Refusal",
    "RekeyOverdue",
    "Server",
    "connect",
    "ensure_available",
    "serve",
]
