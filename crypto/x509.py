"""X.509 v3 certificates (RFC 5280) on SM2 with SM3: one frozen record each, and the chain from signer to anchor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import x509

from crypto import asn1, der, pem
from crypto.errors import CertificateExpired, CertificateRefused, InvalidEncoding, VerificationFailed, WrongUsage
from crypto.sm2 import PublicKey
from crypto.sm3 import sm3_hex

LABEL = "CERTIFICATE"
MAX_CHAIN = 8
MAX_CERTIFICATE_BYTES = 1 << 16
KNOWN_CRITICAL = frozenset({"basic_constraints", "key_usage", "extended_key_usage", "subject_alt_name"})
REFUSED = frozenset({"name_constraints"})  # also where it is not critical: it binds, and is not checked here
SIGNING_USES = frozenset({"digital_signature", "non_repudiation"})
TIME_STAMPING = "1.3.6.1.5.5.7.3.8"  # id-kp-timeStamping, RFC 3161 §2.3
_SHORT = {"common_name": "CN", "organization_name": "O", "organizational_unit_name": "OU", "country_name": "C"}
_NEXT = "ask the signer for the artefact again, with the chain of its certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is needed of a certificate, all of it read once.

    Attributes:
        der: The whole certificate.
        tbs: The part that the issuer signed.
        subject, issuer: Names as DER, compared byte by byte.
        subject_text, issuer_text: Names for people, ``CN=…, O=…``.
        not_before, not_after: Validity, aware UTC, both inclusive.
        path_length: How many CAs may follow below; None without limit.
        key_usage: asn1crypto's names of the bits; None where the extension is absent.
        purposes: OIDs of the extended key usage; None where the extension is absent.
        purposes_critical: Whether it may serve nothing else.
        subject_key, issuer_key: Key identifiers, for choosing between CAs of one name.
    """

    der: bytes
    tbs: bytes
    signature: bytes
    serial: int
    subject: bytes
    issuer: bytes
    subject_text: str
    issuer_text: str
    not_before: datetime
    not_after: datetime
    public_key: PublicKey
    is_ca: bool
    path_length: int | None
    key_usage: frozenset[str] | None
    subject_key: bytes | None
    issuer_key: bytes | None
    purposes: frozenset[str] | None = None
    purposes_critical: bool = False

    @property
    def fingerprint(self) -> str:
        """SM3 of the certificate, hex."""
        return sm3_hex(self.der)

    def __repr__(self) -> str:
        return f"Certificate({self.subject_text!r}, serial={self.serial:x})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A chain that holds.

    Attributes:
        certificates: From the signer up.
        trusted: Whether it ends in an anchor.
    """

    certificates: tuple[Certificate, ...]
    trusted: bool


def parse_certificate(data: bytes) -> Certificate:
    """One DER certificate; raises InvalidEncoding, InvalidKey (not SM2), InvalidPoint."""
    try:
        der.check(data[:MAX_CERTIFICATE_BYTES])
        return _read(asn1.load(x509.Certificate, data), data)
    except asn1.MALFORMED as error:
        raise InvalidEncoding(
            "not an X.509 certificate ({error})", "give a certificate in DER or PEM", error=error
        ) from None


def load_certificates(data: bytes) -> tuple[Certificate, ...]:
    """All certificates of a PEM file, or the one of a DER file."""
    if data[:1] == b"\x30":
        return (parse_certificate(data),)
    found = tuple(parse_certificate(body) for label, body in pem.blocks(data) if label == LABEL)
    if not found:
        raise InvalidEncoding("the PEM file holds no certificate", "give a file with -----BEGIN CERTIFICATE-----")
    return found


def certificates_pem(certificates: Iterable[Certificate]) -> bytes:
    """PEM blocks in order."""
    return b"".join(pem.encode(LABEL, one.der) for one in certificates)


def _read(found: Any, data: bytes) -> Certificate:
    tbs = found["tbs_certificate"]
    if not _is_sm2(found, tbs):
        raise InvalidEncoding("the certificate is not signed by SM2 with SM3", "give a certificate of an SM2 CA")
    extensions = extension_values(tbs["extensions"], KNOWN_CRITICAL, REFUSED)
    basic = extensions.get("basic_constraints") or {}
    issuer_key = extensions.get("authority_key_identifier") or {}
    usage = extensions.get("key_usage")
    return Certificate(
        der=data,
        tbs=tbs.dump(),
        signature=found["signature_value"].native,
        serial=tbs["serial_number"].native,
        subject=tbs["subject"].dump(),
        issuer=tbs["issuer"].dump(),
        subject_text=text_of(tbs["subject"].native),
        issuer_text=text_of(tbs["issuer"].native),
        not_before=tbs["validity"]["not_before"].native,
        not_after=tbs["validity"]["not_after"].native,
        public_key=PublicKey.from_spki(tbs["subject_public_key_info"].dump()),
        is_ca=bool(basic.get("ca", False)),
        path_length=basic.get("path_len_constraint"),
        key_usage=None if usage is None else frozenset(usage),
        subject_key=extensions.get("key_identifier"),
        issuer_key=issuer_key.get("key_identifier"),
        **_purposes(tbs),
    )


def _is_sm2(found: Any, tbs: Any) -> bool:
    """Both algorithm fields are SM2 with SM3, byte for byte the same (RFC 5280 §4.1.1.2), the signature whole bytes."""
    outer = found["signature_algorithm"]
    return asn1.is_sm2_signature(outer, found["signature_value"]) and tbs["signature"].dump() == outer.dump()


def extension_values(extensions: Any, known: frozenset[str], refused: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Name to value, of a certificate or a list; raises InvalidEncoding for one that is repeated or cannot be obeyed.

    Args:
        extensions: None, or asn1crypto's.
        known: Names of those that may be critical (RFC 5280 §4.2, §5.2).
        refused: Names of those that may not stand there at all.
    """
    values: dict[str, Any] = {}
    for extension in extensions or ():
        name = extension["extn_id"].native
        unknown = extension["critical"].native and name not in known
        if name in values or unknown or name in refused:
            raise InvalidEncoding(
                "extension {name} is repeated, or critical and unknown",
                "ask the CA for a certificate or list without it",
                name=name,
            )
        values[name] = extension["extn_value"].parsed.native
    return values


def _purposes(tbs: Any) -> dict[str, Any]:
    """Extended key usage by OID: asn1crypto's names differ between its versions."""
    for extension in tbs["extensions"] or ():
        if extension["extn_id"].native == "extended_key_usage":
            oids = frozenset(one.dotted for one in extension["extn_value"].parsed)
            return {"purposes": oids, "purposes_critical": bool(extension["critical"].native)}
    return {}


def text_of(name: dict[str, Any]) -> str:
    """A name for people, ``CN=…, O=…``, on one line whatever stands in it."""
    parts = [f"{_SHORT.get(kind, kind)}={value}" for kind, value in name.items()]
    return "".join(letter if letter.isprintable() else "�" for letter in ", ".join(reversed(parts)))


def check_path(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
    uses: frozenset[str] = SIGNING_USES,
    purpose: str | None = None,
) -> Path:
    """The chain from ``leaf`` to an anchor, or else to a self-signed certificate among ``others``, valid at ``at``.

    Raises CertificateRefused if a link of it does not hold or is missing; ``others`` that lie on no chain must still be
    signed by a known one. A ``purpose`` must be the leaf's only extended key usage, and critical (RFC 3161 §2.3).
    """
    if (leaf.key_usage is not None and not leaf.key_usage & uses) or not _serves(leaf, purpose):
        raise WrongUsage("certificate {name} is not for this use", _NEXT, name=leaf.subject_text)
    path = [leaf]
    while True:
        check_validity(path[-1], at)
        if path[-1] is not leaf and (_among(path[-1], anchors) or path[-1].subject == path[-1].issuer):
            break
        path.append(_issuer(path[-1], (*anchors, *others), depth=len(path)))
    _check_rest(path, others, anchors)
    return Path(certificates=tuple(path), trusted=_among(path[-1], anchors))


def _serves(leaf: Certificate, purpose: str | None) -> bool:
    """Whether the leaf is for ``purpose`` alone, or for None, not bound to any."""
    if purpose is None:
        return not leaf.purposes_critical
    return leaf.purposes_critical and leaf.purposes == frozenset({purpose})


def _among(one: Certificate, many: Sequence[Certificate]) -> bool:
    return any(one.der == other.der for other in many)


def check_validity(one: Certificate, at: datetime) -> None:
    """Return quietly if the certificate is valid at that instant, else raise CertificateExpired."""
    if not one.not_before <= at <= one.not_after:
        raise CertificateExpired(
            "certificate {name} was not valid at {at:%Y-%m-%dT%H:%M:%SZ}", _NEXT, name=one.subject_text, at=at
        )


def _issuer(one: Certificate, among: Sequence[Certificate], *, depth: int) -> Certificate:
    """The CA that signed ``one``; anchors stand first. ``depth`` counts the certificates below, the signer included."""
    named = [ca for ca in among if ca.subject == one.issuer and one.issuer_key in (None, ca.subject_key)]
    if not named or depth >= MAX_CHAIN:
        raise CertificateRefused(
            "the certificate of {issuer}, which issued {name}, is missing",
            _NEXT,
            issuer=one.issuer_text,
            name=one.subject_text,
        )
    signed = [ca for ca in named if signed_by(one, ca)]
    if not signed:
        raise CertificateRefused(
            "the signature of {issuer} on certificate {name} does not hold",
            _NEXT,
            issuer=one.issuer_text,
            name=one.subject_text,
        )
    issuer = signed[0]
    may_sign = issuer.is_ca and (issuer.key_usage is None or "key_cert_sign" in issuer.key_usage)
    may_sign = may_sign and not issuer.purposes_critical
    if not may_sign or (issuer.path_length is not None and depth - 1 > issuer.path_length):
        raise WrongUsage(
            "certificate {issuer} may not issue {name}", _NEXT, issuer=issuer.subject_text, name=one.subject_text
        )
    return issuer


def signed_by(one: Certificate, ca: Certificate) -> bool:
    """Whether the CA's key signed the certificate."""
    try:
        ca.public_key.verify(one.signature, one.tbs)
    except VerificationFailed:
        return False
    return True


def _check_rest(path: Sequence[Certificate], others: Sequence[Certificate], anchors: Sequence[Certificate]) -> None:
    """Every certificate that came along is signed by one that is known: a changed byte never hides in an unused one."""
    top = path[-1]
    known = (*path, *others, *anchors)
    rest = [one for one in others if not _among(one, path)] + ([top] if not _among(top, anchors) else [])
    for one in rest:
        if not any(ca.subject == one.issuer and signed_by(one, ca) for ca in known):
            raise CertificateRefused(
                "the signature of {issuer} on certificate {name} does not hold",
                _NEXT,
                issuer=one.issuer_text,
                name=one.subject_text,
            )
