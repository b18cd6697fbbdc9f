"""What can go wrong on a channel. What is wrong with a peer's certificate is told by ``CertificateRefused`` and kin."""

from __future__ import annotations

from typing import ClassVar

from crypto.errors import CryptoError


class ChannelError(CryptoError):
    """The channel cannot be had or kept. Exit 4."""

    exit_code: ClassVar[int] = 4


class PeerUnreachable(ChannelError):  # noqa: N818 - reads as the finding it is
    """Nobody answers at the address."""


class HandshakeFailed(ChannelError):  # noqa: N818 - reads as the finding it is
    """The peer speaks something else than TLS 1.3 with SM2, SM3, SM4, or shows no certificate."""


class PeerRefused(ChannelError):  # noqa: N818 - reads as the finding it is
    """The peer ended the channel with an alert (RFC 8446 §6.2): it refuses us or our certificate."""


class ChannelTimeout(ChannelError):  # noqa: N818 - reads as the finding it is
    """The peer is silent, or takes nothing, for longer than the limit."""


class ChannelTruncated(ChannelError):  # noqa: N818 - reads as the finding it is
    """The connection ended without close_notify: what came may not be all (RFC 8446 §6.1)."""


class ChannelClosed(ChannelError):  # noqa: N818 - reads as the finding it is
    """Used after it was closed."""


class BufferFull(ChannelError):  # noqa: N818 - reads as the finding it is
    """More was written than the peer takes, without ``drain``."""


class RekeyOverdue(ChannelError):  # noqa: N818 - reads as the finding it is
    """Twice the amount that one set of keys may carry; connect anew."""
