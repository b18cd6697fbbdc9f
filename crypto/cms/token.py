"""Time-stamp tokens (时间戳令牌, RFC 3161 §2.4.2, GM/T 0033): SignedData over TSTInfo, SM3 imprint, SM2 signature.

Taken strictly: one signer whose only purpose is time stamping, ESSCertIDv2 with SM3 naming its certificate, no
extensions, and one allowed value for whatever the signature does not cover.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import core, x509

from crypto import asn1, der
from crypto.cms import shapes
from crypto.cms.message import MAX_BYTES, NEXT, SignedMessage, SignerRecord, parse_signed, parsing, require
from crypto.errors import DigestMismatch, VerificationFailed
from crypto.pki.revocation import NOTHING_KNOWN, Revocations
from crypto.sm3 import sm3
from crypto.x509 import TIME_STAMPING, Certificate, check_path

VERSION = 3  # RFC 5652 §5.1: the content is no plain data
FAMILY = {asn1.PKCS7_SIGNED: asn1.TST_INFO}
MAX_SERIAL = 1 << 160  # RFC 3161 §2.4.2
_TIME = re.compile(rb"\x18.(\d{14})(\.\d{0,5}[1-9])?\d*Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInfo:
    """What an authority states.

    Attributes:
        policy: OID.
        digest: SM3 imprint.
        at: When, aware UTC, to the microsecond.
        accuracy: How far ``at`` may be off; None where nothing is said.
        nonce: The request's, None if it had none.
        null_parameters: Whether the imprint's algorithm has parameters NULL, as the request had them (RFC 3161 §2.4.2).
    """

    policy: str
    digest: bytes
    serial: int
    at: datetime
    accuracy: timedelta | None
    nonce: int | None
    null_parameters: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp:
    """A token that holds.

    Attributes:
        path: The authority's certificate first.
        trusted: Whether the chain ends in an anchor.
    """

    info: TimeInfo
    path: tuple[Certificate, ...]
    trusted: bool

    @property
    def authority(self) -> str:
        """The subject of the authority, for people."""
        return self.path[0].subject_text

    @property
    def latest(self) -> datetime:
        """The end of the span that the authority vouches for."""
        return self.info.at + (self.info.accuracy or timedelta())


def read_token(
    token: bytes, digest: bytes, anchors: Sequence[Certificate], known: Revocations = NOTHING_KNOWN
) -> Timestamp:
    """The time that a token gives to the data of this SM3 digest.

    Raises:
        CertificateRevoked, RevocationUnknown: Its authority, where it is trusted at all.
        DigestMismatch: The token is for other data.
        VerificationFailed: Its signature or chain does not hold, or it is malformed.
    """
    with parsing("the time-stamp token is malformed ({error})"):
        message = parse_signed(token, FAMILY, MAX_BYTES)
        signer = _signer(message)
        content = message.content or b""
        info = parse_info(content)
        stated = signer.digest
    authority = signer.certificate
    authority.public_key.verify(signer.signature, signer.attributes or b"")
    others = [one for one in message.certificates if one is not authority]
    path = check_path(authority, others, anchors, info.at, purpose=TIME_STAMPING)
    if not hmac.compare_digest(stated, sm3(content)):
        raise VerificationFailed("the time in the time-stamp token was changed", NEXT)
    if not hmac.compare_digest(info.digest, digest):
        raise DigestMismatch("the time-stamp token is for other data", NEXT)
    found = Timestamp(info=info, path=path.certificates, trusted=path.trusted)
    if found.trusted:  # the word of a stranger counts for nothing, revoked or not
        known.check_authority(path, found.latest)
    return found


def _signer(message: SignedMessage) -> SignerRecord:
    """The one signer, whose certificate the signed attributes name."""
    require(message.version == VERSION and message.content is not None, "another version, or without content")
    require(len(message.signers) == 1, "not exactly one signer")
    signer = message.signers[0]
    require(signer.token is None, "a token inside the token")
    require(asn1.SIGNING_CERTIFICATE in signer.values, "the signing certificate is not named")
    found = asn1.load(shapes.SigningCertificate, signer.values[asn1.SIGNING_CERTIFICATE])
    named = found["certificates"][0]
    require(asn1.is_algorithm(named["algorithm"], asn1.SM3), "the signing certificate is named by another digest")
    require(named["digest"].native == sm3(signer.certificate.der), "another signing certificate is named")
    return signer


def parse_info(content: bytes) -> TimeInfo:
    """TSTInfo; raises InvalidEncoding and what ``asn1.MALFORMED`` names."""
    der.check(content)
    found = asn1.load(shapes.TimeInfo, content)
    imprint, serial = found["imprint"], found["serial"].native
    require(found["version"].native == 1, "another version")
    require(asn1.is_algorithm(imprint["algorithm"], asn1.SM3), "another digest than SM3")
    require(0 < serial < MAX_SERIAL, "a serial number out of range")
    return TimeInfo(
        policy=found["policy"].dotted,
        digest=imprint["digest"].native,
        serial=serial,
        at=_time(found["at"].dump()),
        accuracy=_accuracy(found["accuracy"]),
        nonce=found["nonce"].native,
        null_parameters=has_null_parameters(imprint),
    )


def has_null_parameters(imprint: Any) -> bool:
    """Whether the algorithm of a MessageImprint has parameters NULL; none is the other form that is taken."""
    return bool(imprint["algorithm"]["parameters"].dump())


def encode_imprint(digest: bytes, *, null_parameters: bool) -> dict[str, Any]:
    """A MessageImprint of SM3."""
    more = {"parameters": core.Null()} if null_parameters else {}
    return {"algorithm": asn1.algorithm(asn1.SM3) | more, "digest": digest}


def _time(value: bytes) -> datetime:
    """GeneralizedTime in UTC; finer parts than microseconds are cut."""
    match = _TIME.fullmatch(value)
    require(match is not None, "a time that is no GeneralizedTime in UTC")
    assert match is not None  # noqa: S101 - the line above; for mypy
    fraction = (match[2] or b".0")[1:].ljust(6, b"0")
    return datetime.strptime((match[1] + fraction).decode(), "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)


def _accuracy(found: Any) -> timedelta | None:
    if not found:
        return None
    parts = [found[name].native or 0 for name in ("seconds", "millis", "micros")]
    require(0 <= parts[0] < 1 << 32 and all(0 <= one < 1000 for one in parts[1:]), "an accuracy out of range")  # noqa: PLR2004 - RFC 3161 §2.4.2
    return timedelta(seconds=parts[0], milliseconds=parts[1], microseconds=parts[2])


def encode_info(info: TimeInfo, authority: Certificate) -> bytes:
    """TSTInfo in DER; ordering is left at its default, false: tokens are ordered by time and accuracy only."""
    fields: dict[str, Any] = {
        "version": 1,
        "policy": info.policy,
        "imprint": encode_imprint(info.digest, null_parameters=info.null_parameters),
        "serial": info.serial,
        "at": info.at.astimezone(UTC),
        "tsa": x509.GeneralName("directory_name", x509.Name.load(authority.subject)),
    }
    if info.accuracy is not None:
        fields["accuracy"] = _encode_accuracy(info.accuracy)
    if info.nonce is not None:
        fields["nonce"] = info.nonce
    return bytes(shapes.TimeInfo(fields).dump())


def _encode_accuracy(accuracy: timedelta) -> dict[str, int]:
    seconds, micros = accuracy // timedelta(seconds=1), accuracy.microseconds
    parts = {"seconds": seconds, "millis": micros // 1000, "micros": micros % 1000}
    return {name: value for name, value in parts.items() if value}


def certificate_name(certificate: Certificate) -> Any:
    """The signed attribute that binds a token to its certificate (SigningCertificateV2 with SM3)."""
    issuer = x509.GeneralName("directory_name", x509.Name.load(certificate.issuer))
    named = {
        "algorithm": asn1.algorithm(asn1.SM3),
        "digest": sm3(certificate.der),
        "issuer_serial": {"issuer": [issuer], "serial": certificate.serial},
    }
    return shapes.SigningCertificate({"certificates": [named]})
