"""Certificate revocation lists (证书撤销列表, v2, RFC 5280 §5) on SM2 with SM3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from asn1crypto import crl, x509

from crypto import asn1, der, pem
from crypto.errors import CertificateRevoked, CryptoError, InvalidEncoding, RevocationUnknown, VerificationFailed
from crypto.pki import building
from crypto.sm2 import PrivateKey
from crypto.x509 import Certificate, extension_values, text_of

LABEL = "X509 CRL"
MAX_BYTES = 64 << 20
KNOWN_CRITICAL: frozenset[str] = frozenset()  # neither delta lists nor partial ones (RFC 5280 §5.2.4, §5.2.5)
_NEXT = "get the list of the CA again"


class Reason(StrEnum):
    """Why a certificate is revoked, RFC 5280 §5.3.1; asn1crypto's names."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    CERTIFICATE_HOLD = "certificate_hold"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"


@dataclass(frozen=True, slots=True)
class Revoked:
    """When and why."""

    at: datetime
    reason: Reason = Reason.UNSPECIFIED


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """A list whose form is sound; whether its issuer signed it, ``check_list`` tells.

    Attributes:
        issuer: The issuer's name as DER.
        number: Grows with each list of the issuer; None where it is absent.
        this_update, next_update: Aware UTC; the list is current between the two.
        revoked: Serial number to time and reason.
    """

    der: bytes
    tbs: bytes
    signature: bytes
    issuer: bytes
    issuer_text: str
    issuer_key: bytes | None
    number: int | None
    this_update: datetime
    next_update: datetime
    revoked: Mapping[int, Revoked]


def make_list(
    key: PrivateKey,
    ca: Certificate,
    revoked: Mapping[int, Revoked],
    number: int,
    now: datetime,
    valid: timedelta = timedelta(days=7),
) -> RevocationList:
    """A full list of a CA."""
    body: dict[str, Any] = {
        "version": "v2",
        "signature": asn1.algorithm(asn1.SM2_WITH_SM3),
        "issuer": x509.Name.load(ca.subject),
        "this_update": building.instant(now),
        "next_update": building.instant(now + valid),
        "crl_extensions": [
            building.authority_key_id(ca),
            building.extension("crl_number", number),
        ],
    }
    if revoked:  # absent, not empty (RFC 5280 §5.1.2.6)
        body["revoked_certificates"] = [_entry(serial, one) for serial, one in sorted(revoked.items())]
    tbs = crl.TbsCertList(body)
    algorithm = asn1.algorithm(asn1.SM2_WITH_SM3)
    signed = {"tbs_cert_list": tbs, "signature_algorithm": algorithm, "signature": key.sign(tbs.dump())}
    return parse_list(crl.CertificateList(signed).dump())


def _entry(serial: int, revoked: Revoked) -> dict[str, Any]:
    entry = {"user_certificate": serial, "revocation_date": building.instant(revoked.at)}
    if revoked.reason is Reason.UNSPECIFIED:  # should be absent (RFC 5280 §5.3.1)
        return entry
    return entry | {"crl_entry_extensions": [building.extension("crl_reason", revoked.reason.value)]}


def list_pem(one: RevocationList) -> bytes:
    """As PEM."""
    return pem.encode(LABEL, one.der)


def load_list(data: bytes) -> RevocationList:
    """A list from PEM or DER."""
    if data[:1] == b"\x30":
        return parse_list(data)
    label, body = pem.blocks(data)[0]
    if label != LABEL:
        raise InvalidEncoding("PEM block {label} is no revocation list", _NEXT, label=label)
    return parse_list(body)


def parse_list(data: bytes) -> RevocationList:
    """A DER list; raises InvalidEncoding."""
    if len(data) > MAX_BYTES:
        raise InvalidEncoding("it is longer than {limit} bytes", _NEXT, limit=MAX_BYTES)
    try:
        der.check(data)
        return _read(asn1.load(crl.CertificateList, data), data)
    except CryptoError:
        raise
    except asn1.MALFORMED as error:
        raise InvalidEncoding("not a revocation list ({error})", _NEXT, error=error) from None


def _read(found: Any, data: bytes) -> RevocationList:
    tbs = found["tbs_cert_list"]
    inner, outer = tbs["signature"], found["signature_algorithm"]
    if not asn1.is_sm2_signature(outer, found["signature"]) or inner.dump() != outer.dump():
        raise InvalidEncoding("the revocation list is not signed by SM2 with SM3", _NEXT)
    extensions = extension_values(tbs["crl_extensions"], KNOWN_CRITICAL)
    return RevocationList(
        der=data,
        tbs=tbs.dump(),
        signature=found["signature"].native,
        issuer=tbs["issuer"].dump(),
        issuer_text=text_of(tbs["issuer"].native),
        issuer_key=(extensions.get("authority_key_identifier") or {}).get("key_identifier"),
        number=extensions.get("crl_number"),
        this_update=tbs["this_update"].native,
        next_update=tbs["next_update"].native,
        revoked=_revoked(tbs["revoked_certificates"]),
    )


def _revoked(entries: Any) -> dict[int, Revoked]:
    found: dict[int, Revoked] = {}
    for entry in entries or ():
        serial = entry["user_certificate"].native
        reason = extension_values(entry["crl_entry_extensions"], KNOWN_CRITICAL).get("crl_reason", Reason.UNSPECIFIED)
        if serial in found or reason == "remove_from_crl":
            raise InvalidEncoding("the revocation list names a serial number twice, or is a delta list", _NEXT)
        found[serial] = Revoked(entry["revocation_date"].native, _reason(reason))
    return found


def _reason(name: str) -> Reason:
    """A reason that is rarer than those above is still a revocation."""
    return Reason(name) if name in set(Reason) else Reason.UNSPECIFIED


def check_list(one: RevocationList, issuer: Certificate, at: datetime) -> None:
    """Return quietly if the CA signed the list and it is current; else raise RevocationUnknown."""
    check_signed(one, issuer)
    check_dates(one, at)


def check_signed(one: RevocationList, issuer: Certificate) -> None:
    """Return quietly if the CA signed the list, whatever its dates; else raise RevocationUnknown."""
    may_sign = issuer.is_ca and (issuer.key_usage is None or "crl_sign" in issuer.key_usage)
    if one.issuer != issuer.subject or not may_sign or not _signed(one, issuer):
        raise RevocationUnknown(
            "the revocation list of {issuer} is not signed by that CA", _NEXT, issuer=one.issuer_text
        )


def check_dates(one: RevocationList, at: datetime) -> None:
    """Return quietly if the list is current; else raise RevocationUnknown."""
    if not one.this_update <= at <= one.next_update:
        raise RevocationUnknown(
            "the revocation list of {issuer} is not of that time: it holds from {start:%Y-%m-%dT%H:%M:%SZ} to "
            "{end:%Y-%m-%dT%H:%M:%SZ}",
            _NEXT,
            issuer=one.issuer_text,
            start=one.this_update,
            end=one.next_update,
        )


def _signed(one: RevocationList, issuer: Certificate) -> bool:
    try:
        issuer.public_key.verify(one.signature, one.tbs)
    except VerificationFailed:
        return False
    return True


def lists_of(issuer: Certificate, lists: Sequence[RevocationList]) -> list[RevocationList]:
    """Those that bear the CA's name, and its key's where they say which."""
    return [one for one in lists if one.issuer == issuer.subject and one.issuer_key in {None, issuer.subject_key}]


def check_not_listed(
    certificate: Certificate, issuer: Certificate, lists: Sequence[RevocationList], at: datetime
) -> None:
    """Return quietly if a current list of the issuer does not name the certificate.

    Raises CertificateRevoked, whenever it was revoked: a stolen key sets any date. RevocationUnknown without a list.
    """
    own = lists_of(issuer, lists)
    if not own:
        raise RevocationUnknown(
            "no revocation list of {issuer} is given", "pass its list with --crl FILE", issuer=issuer.subject_text
        )
    for one in own:
        check_list(one, issuer, at)
        if certificate.serial in one.revoked:
            raise refused(certificate, one.revoked[certificate.serial])


def refused(certificate: Certificate, revoked: Revoked) -> CertificateRevoked:
    """The refusal of a revoked certificate."""
    return CertificateRevoked(
        "certificate {name} was revoked at {at:%Y-%m-%dT%H:%M:%SZ} ({reason})",
        "ask its owner for a new one",
        name=certificate.subject_text,
        at=revoked.at,
        reason=revoked.reason.value,
    )
