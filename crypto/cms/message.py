"""SignedData read into records: what every reader of signatures and tokens shares; nothing is verified here.

DER with minimal lengths and nothing after it, SM3 and SM2 only, signers named by issuer and serial number. Of foreign
messages (GmSSL, Tongsuo, OpenSSL) we also take: up to 16 signers; signed attributes that are absent, or hold more than
ours; a chain that is not whole; the content inside or outside; NULL instead of absent parameters; sets in any order.
The only unsigned attribute is a time-stamp token. Revocation lists inside and BER are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import core, x509

from crypto import asn1, der
from crypto.cms import shapes
from crypto.errors import CryptoError, InvalidEncoding, VerificationFailed
from crypto.x509 import Certificate, parse_certificate

MAX_BYTES = 1 << 20
MAX_MESSAGE_BYTES = 256 << 20
MAX_SIGNERS = 16
MAX_CERTIFICATES = 64
FAMILIES: Mapping[str, str] = {asn1.GM_SIGNED: asn1.GM_DATA, asn1.PKCS7_SIGNED: asn1.PKCS7_DATA}
NEXT = "ask the signer for file and signature again"
SET = b"\x31"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerRecord:
    """One signature and what it says.

    Attributes:
        certificate: The signer's.
        attributes: The signed attributes as the DER that was signed; None where there are none.
        values: Type to DER of the only value of each signed attribute.
        token: A time-stamp token over ``signature``.
    """

    certificate: Certificate
    attributes: bytes | None
    values: Mapping[str, bytes]
    signature: bytes
    token: bytes | None

    @property
    def digest(self) -> bytes:
        """The message digest that was signed."""
        return bytes(core.OctetString.load(self.values[asn1.MESSAGE_DIGEST], strict=True).native)

    @property
    def signed_at(self) -> datetime | None:
        """The signing time that the signer states."""
        found = self.values.get(asn1.SIGNING_TIME)
        return None if found is None else read_time(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """A SignedData as it stands there.

    Attributes:
        data_type: OID of the content's type.
        content: None where the signature is detached.
        certificates: All that came along, none twice.
    """

    version: int
    data_type: str
    content: bytes | None
    certificates: tuple[Certificate, ...]
    signers: tuple[SignerRecord, ...]


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """Within, whatever hostile bytes make a parser raise is told as a malformed signature."""
    try:
        yield
    except VerificationFailed:
        raise
    except (CryptoError, *asn1.MALFORMED) as error:
        raise VerificationFailed(what, NEXT, error=error) from None


def parse_signed(data: bytes, families: Mapping[str, str] = FAMILIES, limit: int = MAX_MESSAGE_BYTES) -> SignedMessage:
    """SignedData of one of the families (OID of SignedData to OID of its content).

    Raises InvalidEncoding, InvalidKey and what ``asn1.MALFORMED`` names; see ``parsing``.
    """
    check_size(data, limit)
    outer = asn1.load(shapes.SignedContent, data)
    content = outer["content"]
    data_type = families.get(outer["type"].dotted)
    require(
        data_type is not None and content["content"]["type"].dotted == data_type,
        "another content type than signed data",
    )
    inner = content["content"]["content"]
    certificates = read_certificates(content["certificates"])
    return SignedMessage(
        version=content["version"].native,
        data_type=str(data_type),
        content=inner.native if inner else None,
        certificates=certificates,
        signers=read_signers(content["digest_algorithms"], content["signers"], certificates, str(data_type)),
    )


def check_size(data: bytes, limit: int) -> None:
    """Raises InvalidEncoding if it is too long, or not one strict DER element."""
    if len(data) > limit:
        raise InvalidEncoding("it is longer than {limit} bytes", NEXT, limit=limit)
    der.check(data)


def read_certificates(found: Any) -> tuple[Certificate, ...]:
    """The certificates of a message; raises InvalidEncoding if one is repeated."""
    bodies = [one.dump() for one in found or ()]
    require(len(bodies) <= MAX_CERTIFICATES, "too many certificates")
    require(len(set(bodies)) == len(bodies), "the signer's certificate is missing or repeated")
    return tuple(parse_certificate(one) for one in bodies)


def read_signers(
    digests: Any, signers: Any, certificates: Sequence[Certificate], data_type: str
) -> tuple[SignerRecord, ...]:
    """All signatures of a message."""
    require(1 <= len(signers) <= MAX_SIGNERS, "no signer, or too many")
    require(len(digests) >= 1 and all(asn1.is_algorithm(one, asn1.SM3) for one in digests), "another digest than SM3")
    return tuple(_signer(one, certificates, data_type) for one in signers)


def _signer(found: Any, certificates: Sequence[Certificate], data_type: str) -> SignerRecord:
    require(found["version"].native == 1, "another version")
    require(asn1.is_algorithm(found["digest_algorithm"], asn1.SM3), "another digest than SM3")
    require(
        asn1.is_algorithm(found["signature_algorithm"], asn1.SM2_WITH_SM3, asn1.SM2_SIGN),
        "another signature than SM2 with SM3",
    )
    attributes, values = found["signed_attrs"], _signed_values(found["signed_attrs"], data_type)
    return SignerRecord(
        certificate=_certificate_of(found["sid"], certificates),
        attributes=SET + attributes.dump()[1:] if values else None,  # signed as SET OF, stored as [0] (RFC 5652 §5.4)
        values=values,
        signature=found["signature"].native,
        token=_token(found["unsigned_attrs"]),
    )


def _signed_values(attributes: Any, data_type: str) -> dict[str, bytes]:
    """Type to value; where there are any, content type and digest must be among them, and each stands once."""
    if not attributes:
        return {}
    values = _values(attributes)
    require({asn1.CONTENT_TYPE, asn1.MESSAGE_DIGEST} <= values.keys(), "content type or digest is missing")
    found = core.ObjectIdentifier.load(values[asn1.CONTENT_TYPE], strict=True).dotted
    require(found == data_type, "the signed content type differs")
    return values


def _values(attributes: Any) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for attribute in attributes:
        kind = attribute["type"].dotted
        require(kind not in values and len(attribute["values"]) == 1, "an attribute is repeated")
        values[kind] = attribute["values"][0].dump()
    return values


def _token(attributes: Any) -> bytes | None:
    """The time-stamp token, the one unsigned attribute there may be."""
    if not attributes:
        return None
    values = _values(attributes)
    require(values.keys() == {asn1.TIMESTAMP_TOKEN}, "an unsigned attribute that is no time-stamp token")
    return values[asn1.TIMESTAMP_TOKEN]


def _certificate_of(sid: Any, certificates: Sequence[Certificate]) -> Certificate:
    issuer, serial = sid["issuer"].dump(), sid["serial"].native
    fitting = [one for one in certificates if one.issuer == issuer and one.serial == serial]
    require(len(fitting) == 1, "the signer's certificate is missing or repeated")
    return fitting[0]


def read_time(value: bytes) -> datetime:
    """A UTCTime or GeneralizedTime in UTC; raises InvalidEncoding without ``Z``."""
    require(value[-1:] == b"Z", "a time that is not in UTC")
    found: datetime = x509.Time.load(value, strict=True).native
    return found.astimezone(UTC)


def require(condition: bool, why: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raises InvalidEncoding with the reason."""
    if not condition:
        raise InvalidEncoding(why, NEXT)
