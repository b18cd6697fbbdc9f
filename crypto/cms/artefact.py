"""Our own ``.p7s`` (CONTRACT §7): detached SignedData of one signer, every byte of which is accounted for.

Beside what ``crypto.cms.message`` takes, only version 1, exactly one signer with a signing time, and a chain whose
certificates are all signed: every field that the signature does not cover has one allowed value, so that no byte of a
``.p7s`` can be changed unnoticed. The content may stand inside as well, if it is the very file.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from crypto.cms.checking import check_signer
from crypto.cms.message import MAX_BYTES, NEXT, SignedMessage, parse_signed, parsing, require
from crypto.cms.signer import NotTrusted, Signer
from crypto.errors import DigestMismatch
from crypto.pki.revocation import NOTHING_KNOWN, Revocations
from crypto.x509 import Certificate


def verify_detached(
    data: bytes, p7s: bytes, anchors: Sequence[Certificate], *, known: Revocations = NOTHING_KNOWN
) -> Signer:
    """The signer, if every byte holds and the chain ends in an anchor.

    Raises:
        NotTrusted: Valid, but no anchor; carries the signer.
        DigestMismatch: ``data`` is not what was signed.
        VerificationFailed: The signature or its chain does not hold, or is malformed.
    """
    signer = read_signer(data, p7s, anchors, known=known)
    if not signer.trusted:
        raise NotTrusted(signer)
    return signer


def read_signer(
    data: bytes,
    p7s: bytes,
    anchors: Sequence[Certificate],
    *,
    whole_chain: bool = False,
    known: Revocations = NOTHING_KNOWN,
) -> Signer:
    """As ``verify_detached``, but a signer without anchor is returned with ``trusted`` false.

    ``whole_chain`` refuses a message whose chain is cut, even where the anchors could mend it.
    """
    with parsing("the signature file is malformed ({error})"):
        message = parse_signed(p7s, limit=MAX_BYTES + len(data))
        _check_form(message)
    if message.content is not None and not hmac.compare_digest(message.content, data):
        raise DigestMismatch("the data were changed after signing", NEXT)
    return check_signer(message.signers[0], message, data, anchors, whole_chain=whole_chain, known=known)


def _check_form(message: SignedMessage) -> None:
    require(message.version == 1 and len(message.signers) == 1, "another version, or not exactly one signer")
    signer = message.signers[0]
    require(
        signer.attributes is not None and signer.signed_at is not None,
        "content type, digest or signing time is missing",
    )
