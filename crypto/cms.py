"""Detached CMS SignedData (签名数据, RFC 5652) with the OIDs of GM/T 0010.

SM2 with SM3, signed attributes, signer chain included. The OIDs of PKCS#7 are read as well. Only DER is taken, and
every field that the signature does not cover has one allowed value, so that no byte of a ``.p7s`` can be changed
unnoticed.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core, x509

from crypto import asn1, der
from crypto.errors import CryptoError, DigestMismatch, InvalidEncoding, VerificationFailed
from crypto.identity import SiteIdentity
from crypto.sm3 import sm3
from crypto.x509 import Certificate, Path, check_path, parse_certificate

MAX_BYTES = 1 << 20
_FAMILIES = {asn1.GM_SIGNED: asn1.GM_DATA, asn1.PKCS7_SIGNED: asn1.PKCS7_DATA}
_NEXT = "ask the signer for file and signature again"
SET = b"\x31"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signed, and when by their own word.

    Attributes:
        path: The signer's certificate first.
        trusted: Whether the chain ends in an anchor.
        signed_at: The signing time that the signer states, aware UTC.
    """

    path: tuple[Certificate, ...]
    trusted: bool
    signed_at: datetime

    @property
    def certificate(self) -> Certificate:
        return self.path[0]

    @property
    def name(self) -> str:
        """The subject for people, ``CN=…, O=…``."""
        return self.path[0].subject_text


class NotTrusted(VerificationFailed):
    """The signature holds, but its chain ends in no anchor."""

    def __init__(self, signer: Signer) -> None:
        super().__init__(
            "the signature is valid, but its chain ends in '{root}', which is not trusted here",
            "pass --ca FILE with the signer's CA if you trust it",
            root=signer.path[-1].subject_text,
        )
        self.signer = signer


def sign_detached(data: bytes, identity: SiteIdentity, at: datetime, *, pkcs7: bool = False) -> bytes:
    """DER SignedData over ``data``; ``at`` is the signing time, cut to seconds. ``pkcs7`` writes the OIDs of PKCS#7."""
    signed_type = asn1.PKCS7_SIGNED if pkcs7 else asn1.GM_SIGNED
    attributes = _attributes(_FAMILIES[signed_type], sm3(data), at.astimezone(UTC).replace(microsecond=0))
    leaf = identity.certificate
    signer = {
        "version": 1,
        "sid": {"issuer": x509.Name.load(leaf.issuer), "serial": leaf.serial},
        "digest_algorithm": asn1.algorithm(asn1.SM3),
        "signed_attrs": attributes,
        "signature_algorithm": asn1.algorithm(asn1.SM2_WITH_SM3),
        "signature": identity.key.sign(attributes.dump()),
    }
    content = {
        "version": 1,
        "digest_algorithms": [asn1.algorithm(asn1.SM3)],
        "content": {"type": _FAMILIES[signed_type]},
        "certificates": [x509.Certificate.load(one.der) for one in identity.chain],
        "signers": [signer],
    }
    return bytes(asn1.SignedContent({"type": signed_type, "content": content}).dump())


def _attributes(data_type: str, digest: bytes, at: datetime) -> Any:
    values = {
        asn1.CONTENT_TYPE: core.ObjectIdentifier(data_type),
        asn1.MESSAGE_DIGEST: core.OctetString(digest),
        asn1.SIGNING_TIME: x509.Time({"utc_time" if at.year < 2050 else "general_time": at}),  # noqa: PLR2004 - RFC 5652 §11.3
    }
    return asn1.Attributes([{"type": kind, "values": [core.Any(value)]} for kind, value in values.items()])


def verify_detached(data: bytes, p7s: bytes, anchors: Sequence[Certificate]) -> Signer:
    """The signer, if every byte holds and the chain ends in an anchor.

    Raises:
        NotTrusted: Valid, but no anchor; carries the signer.
        DigestMismatch: ``data`` is not what was signed.
        VerificationFailed: The signature or its chain does not hold, or is malformed.
    """
    signer = read_signer(data, p7s, anchors)
    if not signer.trusted:
        raise NotTrusted(signer)
    return signer


def read_signer(data: bytes, p7s: bytes, anchors: Sequence[Certificate]) -> Signer:
    """As ``verify_detached``, but a signer without anchor is returned with ``trusted`` false."""
    try:
        parsed = _parse(p7s)
    except VerificationFailed:
        raise
    except (CryptoError, *asn1.MALFORMED) as error:
        raise VerificationFailed("the signature file is malformed ({error})", _NEXT, error=error) from None
    leaf = parsed.certificates[0]
    leaf.public_key.verify(parsed.signature, parsed.attributes)
    path: Path = check_path(leaf, parsed.certificates[1:], anchors, parsed.signed_at)
    if not hmac.compare_digest(parsed.digest, sm3(data)):  # last: so that a changed signature does not blame the data
        raise DigestMismatch("the data were changed after signing", _NEXT)
    return Signer(path=path.certificates, trusted=path.trusted, signed_at=parsed.signed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    """What a SignedData holds; the signer's certificate stands first."""

    certificates: tuple[Certificate, ...]
    attributes: bytes
    digest: bytes
    signed_at: datetime
    signature: bytes


def _parse(p7s: bytes) -> _Parsed:
    if len(p7s) > MAX_BYTES:
        raise InvalidEncoding("it is longer than {limit} bytes", _NEXT, limit=MAX_BYTES)
    der.check(p7s)
    outer = asn1.SignedContent.load(p7s, strict=True)
    content = outer["content"]
    data_type = _FAMILIES.get(outer["type"].dotted)
    _require(
        data_type is not None and content["content"]["type"].dotted == data_type,
        "another content type than signed data",
    )
    _require(not content["content"]["content"], "the content is inside; only detached signatures are taken")
    _require(
        content["version"].native == 1 and len(content["signers"]) == 1, "another version, or not exactly one signer"
    )
    digests = content["digest_algorithms"]
    _require(len(digests) == 1 and asn1.is_algorithm(digests[0], asn1.SM3), "another digest than SM3")
    return _parse_signer(content["signers"][0], content["certificates"], str(data_type))


def _parse_signer(signer: Any, certificates: Any, data_type: str) -> _Parsed:
    _require(signer["version"].native == 1 and not signer["unsigned_attrs"], "another version, or unsigned attributes")
    _require(asn1.is_algorithm(signer["digest_algorithm"], asn1.SM3), "another digest than SM3")
    _require(
        asn1.is_algorithm(signer["signature_algorithm"], asn1.SM2_WITH_SM3, asn1.SM2_SIGN),
        "another signature than SM2 with SM3",
    )
    attributes = signer["signed_attrs"]
    digest, signed_at = _signed(attributes, data_type)
    return _Parsed(
        certificates=_order(signer["sid"], [parse_certificate(one.dump()) for one in certificates or ()]),
        attributes=SET + attributes.dump()[1:],  # signed as SET OF, stored as [0] (RFC 5652 §5.4)
        digest=digest,
        signed_at=signed_at,
        signature=signer["signature"].native,
    )


def _signed(attributes: Any, data_type: str) -> tuple[bytes, datetime]:
    """Message digest and signing time; all three attributes must stand there once."""
    values: dict[str, Any] = {}
    for attribute in attributes or ():
        kind = attribute["type"].dotted
        _require(kind not in values and len(attribute["values"]) == 1, "a signed attribute is repeated")
        values[kind] = attribute["values"][0]
    _require(
        {asn1.CONTENT_TYPE, asn1.MESSAGE_DIGEST, asn1.SIGNING_TIME} <= values.keys(),
        "content type, digest or signing time is missing",
    )
    _require(
        values[asn1.CONTENT_TYPE].parse(core.ObjectIdentifier).dotted == data_type, "the signed content type differs"
    )
    signed_at = x509.Time.load(values[asn1.SIGNING_TIME].dump(), strict=True).native
    return values[asn1.MESSAGE_DIGEST].parse(core.OctetString).native, signed_at


def _order(sid: Any, certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The signer's certificate first; raises InvalidEncoding unless exactly one fits and none is repeated."""
    issuer, serial = sid["issuer"].dump(), sid["serial"].native
    fitting = [one for one in certificates if one.issuer == issuer and one.serial == serial]
    _require(
        len(fitting) == 1 and len({one.der for one in certificates}) == len(certificates),
        "the signer's certificate is missing or repeated",
    )
    return (fitting[0], *(one for one in certificates if one is not fitting[0]))


def _require(condition: bool, why: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not condition:
        raise InvalidEncoding("{why}", _NEXT, why=why)
