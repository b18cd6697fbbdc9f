"""SM2 key exchange (密钥交换, GB/T 32918.3-2016) with confirmation: no key is given out before the peer has proved it.

The initiator A sends RA; the responder B answers RB and SB; A checks SB and sends SA; B checks SA. Each side serves
for one exchange.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from crypto.curve import FIELD_BYTES, N, check_point
from crypto.errors import CryptoError, InvalidKey, VerificationFailed
from crypto.providers import registry
from crypto.sm2 import DEFAULT_ID, PrivateKey, PublicKey, za
from crypto.sm3 import sm3

MAX_KEY_BYTES = 1024
_HALF = 1 << 127  # 2**w with w = ceil(log2(n) / 2) - 1
_FROM_RESPONDER, _FROM_INITIATOR = b"\x02", b"\x03"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """One's own key, the peer's, and how long the agreed key shall be.

    Attributes:
        key, peer: Own private key and the peer's public key, from a certificate that was checked.
        id, peer_id: User ids of both.
        key_bytes: Length of the agreed key, 1 to 1024 bytes.
    """

    key: PrivateKey
    peer: PublicKey
    id: bytes = DEFAULT_ID
    peer_id: bytes = DEFAULT_ID
    key_bytes: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.key_bytes <= MAX_KEY_BYTES:
            raise InvalidKey(
                "an agreed key has 1 to {limit} bytes, not {count}",
                "ask for 16 bytes for SM4, 32 for HMAC-SM3",
                limit=MAX_KEY_BYTES,
                count=self.key_bytes,
            )


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What both sides know after the points have crossed."""

    key: bytes = field(repr=False)
    from_responder: bytes
    from_initiator: bytes


class _Side:
    """An ephemeral key that is used once."""

    def __init__(self, parties: Parties, *, _ephemeral: bytes | None = None) -> None:
        self._parties = parties
        self._scalar = _ephemeral or (secrets.randbelow(N - 1) + 1).to_bytes(FIELD_BYTES)
        self._agreed: _Agreed | None = None
        self._used = False
        self.point = registry.points().point_of(self._scalar)

    def _agree(self, peer_point: bytes, *, initiator: bool) -> _Agreed:
        """Raises InvalidPoint for what is no point of the curve, CryptoError when asked twice."""
        check_point(peer_point)
        self._use_once()
        parties = self._parties
        shared = registry.exchanger().shared_point(
            (parties.key.scalar(), self._scalar, _bar(self.point)), (parties.peer.point, peer_point, _bar(peer_point))
        )
        own, peer = za(parties.key.public.point, parties.id), za(parties.peer.point, parties.peer_id)
        ids = own + peer if initiator else peer + own
        points = (self.point, peer_point) if initiator else (peer_point, self.point)
        return _derive(shared, ids, points[0][1:] + points[1][1:], parties.key_bytes)

    def _use_once(self) -> None:
        if self._used:
            raise CryptoError("this key exchange was already answered", "begin a new exchange for each key")
        self._used = True


class Initiator(_Side):
    """Party A; ``point`` is RA, to be sent to B."""

    def confirm(self, point: bytes, confirmation: bytes) -> tuple[bytes, bytes]:
        """The agreed key and SA for B, from B's RB and SB; raises VerificationFailed if SB does not hold."""
        agreed = self._agree(point, initiator=True)
        _check(confirmation, agreed.from_responder)
        return agreed.key, agreed.from_initiator


class Responder(_Side):
    """Party B; ``point`` is RB."""

    def respond(self, point: bytes) -> bytes:
        """SB for A, to be sent with RB, from A's RA."""
        self._agreed = self._agree(point, initiator=False)
        return self._agreed.from_responder

    def confirm(self, confirmation: bytes) -> bytes:
        """The agreed key, from A's SA; raises VerificationFailed if it does not hold, and then for ever."""
        agreed, self._agreed = self._agreed, None
        if agreed is None:
            raise CryptoError("there is no key exchange to confirm", "begin a new exchange for each key")
        _check(confirmation, agreed.from_initiator)
        return agreed.key


def _bar(point: bytes) -> int:
    """x̄ = 2**w + (x & (2**w - 1)), §6.1 A4."""
    return _HALF + (int.from_bytes(point[1:33]) & (_HALF - 1))


def _derive(shared: bytes, ids: bytes, points: bytes, key_bytes: int) -> _Agreed:
    """The key and both confirmations; ids are ZA||ZB and points x1||y1||x2||y2, A's first."""
    x, y = shared[1:33], shared[33:]
    inner = sm3(x + ids + points)
    return _Agreed(_stretch(x + y + ids, key_bytes), sm3(_FROM_RESPONDER + y + inner), sm3(_FROM_INITIATOR + y + inner))


def _stretch(secret: bytes, length: int) -> bytes:
    """The KDF of GB/T 32918.4 §5.4.3: SM3(secret||counter) with a counter of 4 bytes from 1."""
    count = -(-length // FIELD_BYTES)
    return b"".join(sm3(secret + number.to_bytes(4)) for number in range(1, count + 1))[:length]


def _check(given: bytes, expected: bytes) -> None:
    if not hmac.compare_digest(given, expected):
        raise VerificationFailed(
            "the peer does not confirm the agreed key",
            "do not use it: check both user ids and public keys, then begin a new exchange",
        )
