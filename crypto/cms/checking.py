"""One signature checked: its value, its time stamp, the chain at that time, and last the data."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from crypto import asn1
from crypto.cms.message import NEXT, SignedMessage, SignerRecord, parsing
from crypto.cms.signer import Signer
from crypto.cms.signing import gmssl_digest
from crypto.cms.token import Timestamp, read_token
from crypto.errors import CertificateRefused, DigestMismatch, VerificationFailed
from crypto.pki.revocation import NOTHING_KNOWN, Revocations
from crypto.sm3 import sm3
from crypto.x509 import Certificate, Path, check_path

CLOCKS_APART = timedelta(minutes=5)


def check_signer(
    record: SignerRecord,
    message: SignedMessage,
    data: bytes,
    anchors: Sequence[Certificate],
    *,
    at: datetime | None = None,
    whole_chain: bool = False,
    known: Revocations = NOTHING_KNOWN,
) -> Signer:
    """The signer, if everything holds; the digest is compared last, so that a changed signature never blames the data.

    Args:
        record: One of the message's.
        message: Where its certificates come from.
        data: What was signed.
        anchors: Who is trusted.
        at: When the chain must hold if neither a trusted time stamp nor the signer tells.
        whole_chain: Every certificate of the chain must stand in the message.
        known: Revocations; what was revoked after the time of a trusted time stamp is spared.
    """
    signer = check_statement(record, message, anchors, at=at, whole_chain=whole_chain, known=known)
    check_content(record, data)
    return signer


def check_statement(
    record: SignerRecord,
    message: SignedMessage,
    anchors: Sequence[Certificate],
    *,
    at: datetime | None = None,
    whole_chain: bool = False,
    known: Revocations = NOTHING_KNOWN,
) -> Signer:
    """Everything that can be checked without the data; ``check_content`` must follow."""
    with parsing("the signature is malformed ({error})"):
        stated = record.signed_at
    if record.attributes is not None:
        record.certificate.public_key.verify(record.signature, record.attributes)
    timestamp = _timestamp(record, anchors, known)
    signed_at = _signed_at(stated, timestamp)
    path = _path(record, message, anchors, signed_at or at, whole=whole_chain)
    known.check_signer(path, timestamp.latest if timestamp is not None and timestamp.trusted else None)
    return Signer(path=path.certificates, trusted=path.trusted, signed_at=signed_at, timestamp=timestamp)


def _timestamp(record: SignerRecord, anchors: Sequence[Certificate], known: Revocations) -> Timestamp | None:
    if record.token is None:
        return None
    try:
        return read_token(record.token, sm3(record.signature), anchors, known)
    except DigestMismatch:  # not to be taken for a change of the data
        raise VerificationFailed("the time-stamp token is for another signature", NEXT) from None


def check_content(record: SignerRecord, data: bytes) -> None:
    """Whether it is these data that were signed: by their digest in the attributes, or where there are none, directly.

    Data that are themselves signed attributes would let one signature be passed off as the other kind. Without
    attributes, the signature is over the data (RFC 5652 §5.4), or over what GmSSL signs.
    """
    if record.attributes is not None:
        with parsing("the signature is malformed ({error})"):
            digest = record.digest
        if not hmac.compare_digest(digest, sm3(data)):
            raise DigestMismatch("the data were changed after signing", NEXT)
        return
    if is_attributes(data):
        raise VerificationFailed("the data are signed attributes of another message", NEXT)
    key = record.certificate.public_key
    try:
        key.verify(record.signature, data)
    except VerificationFailed:
        key.verify_digest(record.signature, gmssl_digest(data))


def is_attributes(data: bytes) -> bool:
    """Whether these bytes could be the signed attributes of a message."""
    if data[:1] != b"\x31":
        return False
    try:
        kinds = {one["type"].dotted for one in asn1.Attributes.load(data, strict=True)}
    except asn1.MALFORMED:
        return False
    return asn1.MESSAGE_DIGEST in kinds


def _signed_at(stated: datetime | None, timestamp: Timestamp | None) -> datetime | None:
    """A trusted authority's time before the signer's own, which may not lie after it."""
    if timestamp is None or not timestamp.trusted:
        return stated
    if stated is not None and stated > timestamp.latest + CLOCKS_APART:
        raise VerificationFailed("the signer states a time after the one of the time stamp", NEXT)
    return timestamp.info.at


def _path(
    record: SignerRecord, message: SignedMessage, anchors: Sequence[Certificate], at: datetime | None, *, whole: bool
) -> Path:
    if at is None:
        raise VerificationFailed("neither signer nor time stamp tells when it was signed", NEXT)
    others = [one for one in message.certificates if one is not record.certificate]
    path = check_path(record.certificate, others, anchors, at)
    came = {one.der for one in message.certificates}
    for below, above in zip(path.certificates, path.certificates[1:], strict=False):
        if whole and above.der not in came:
            raise CertificateRefused(
                "the chain is cut: the certificate of {issuer}, which issued {name}, is missing",
                "ask the signer for the artefact again, with the chain of its certificate",
                issuer=above.subject_text,
                name=below.subject_text,
            )
    return path
