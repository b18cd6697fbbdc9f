"""Signed messages of anybody: several signers, content inside or outside, with or without signed attributes."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crypto.cms.checking import check_signer
from crypto.cms.message import NEXT, parse_signed, parsing
from crypto.cms.signer import Signer
from crypto.errors import DigestMismatch, VerificationFailed
from crypto.pki.revocation import NOTHING_KNOWN, Revocations
from crypto.x509 import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A message all of whose signatures hold.

    Attributes:
        content: What was signed.
        signers: In the order of the message.
    """

    content: bytes
    signers: tuple[Signer, ...]

    @property
    def trusted(self) -> bool:
        """Whether every signer's chain ends in an anchor."""
        return all(one.trusted for one in self.signers)


def read_signed(
    message: bytes,
    anchors: Sequence[Certificate],
    *,
    at: datetime,
    data: bytes | None = None,
    known: Revocations = NOTHING_KNOWN,
) -> Signed:
    """Content and signers, if every signature of the message holds; nothing is given out before.

    Args:
        message: DER SignedData; see ``crypto.cms.message`` for what is taken.
        anchors: Who is trusted.
        at: When chains must hold where no signing time is told.
        data: The content, where it is not inside; where it is, they must be equal.
        known: Revocations of signers and time-stamp authorities.

    Raises:
        DigestMismatch: The data are not what was signed.
        VerificationFailed: A signature or a chain does not hold, or the message is malformed.
    """
    with parsing("the message is malformed ({error})"):
        found = parse_signed(message)
    content = _content(found.content, data)
    signers = tuple(check_signer(one, found, content, anchors, at=at, known=known) for one in found.signers)
    return Signed(content=content, signers=signers)


def _content(inside: bytes | None, outside: bytes | None) -> bytes:
    if inside is None and outside is None:
        raise VerificationFailed("the signature is detached: the data it was made for are needed", NEXT)
    if inside is not None and outside is not None and not hmac.compare_digest(inside, outside):
        raise DigestMismatch("the data were changed after signing", NEXT)
    return inside if inside is not None else outside or b""
