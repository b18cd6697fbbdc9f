"""What both ends of a channel are told: who we are, whom we trust, how long we wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from crypto.errors import CryptoError, KeyMismatch, WrongUsage
from crypto.pki.crl import RevocationList
from crypto.sm2 import PrivateKey
from crypto.x509 import Certificate

RECORD_BYTES = 1 << 14  # RFC 8446 §5.1: the plaintext of one record
MAX_RECORDS = 1 << 23  # half of what AES-GCM may carry, RFC 8446 §5.5; RFC 8998 names no figure of its own for SM4-GCM
MAX_PEERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds; every wait ends.

    Attributes:
        handshake_seconds: From the call to the checked channel, the connection included.
        idle_seconds: Without a byte in either direction.
        stall_seconds: While the peer takes nothing of what is waiting for it.
        close_seconds: For the peer's close_notify after ours.
        connections: At once, at a server; the next one is turned away.
        buffer_bytes: Plaintext kept for the reader, ciphertext kept for the peer, each.
        rekey_bytes, rekey_seconds: What one set of keys carries before ``rekey_due``; at twice that writing is refused.
    """

    handshake_seconds: float = 10.0
    idle_seconds: float = 300.0
    stall_seconds: float = 30.0
    close_seconds: float = 5.0
    connections: int = 256
    buffer_bytes: int = 1 << 20
    rekey_bytes: int = 1 << 34
    rekey_seconds: float = 3600.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """One end of a channel. The key stays in memory: it is handed to the TLS library as DER, never as a file.

    Attributes:
        key: Our signing key; belongs to ``chain[0]``.
        chain: Our certificate, then the CAs between it and the anchor.
        anchors: CAs that the peer's chain must end in, self-signed.
        crls: Revocation lists. If there is any, each CA of the peer's chain must have a current one.
        peers: At a server, names (DNS or IP) one of which a client's certificate must bear; empty: any.
    """

    key: PrivateKey
    chain: tuple[Certificate, ...]
    anchors: tuple[Certificate, ...]
    crls: tuple[RevocationList, ...] = ()
    peers: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.chain or not self.anchors:
            raise CryptoError(
                "a channel needs a certificate of its own and a CA to trust", "give --cert FILE and --ca FILE"
            )
        if self.key.public != self.chain[0].public_key:
            raise KeyMismatch("the certificate is for another key", "give the certificate that was issued for the key")
        usage = self.chain[0].key_usage
        if usage is not None and "digital_signature" not in usage:
            raise WrongUsage(
                "certificate {name} is not for this use",
                "give the signing certificate, not the one for encryption",
                name=self.chain[0].subject_text,
            )
        if len(self.peers) > MAX_PEERS:
            raise ValueError(f"{len(self.peers)} peer names, at most {MAX_PEERS}")
