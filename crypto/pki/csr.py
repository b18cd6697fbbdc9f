"""Certification requests (证书请求, PKCS#10, RFC 2986) on SM2; reading one checks that its maker has the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asn1crypto import csr, keys

from crypto import asn1, der, pem
from crypto.errors import CryptoError, InvalidEncoding
from crypto.pki import building
from crypto.sm2 import PrivateKey, PublicKey
from crypto.x509 import text_of

LABEL = "CERTIFICATE REQUEST"
OLD_LABEL = "NEW CERTIFICATE REQUEST"  # as openssl -newhdr and older tools write it
MAX_BYTES = 1 << 16
MAX_NAMES = 100
_NEXT = "make one with `yw crypto csr`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks a CA for.

    Attributes:
        subject: The name as DER.
        subject_text: For people.
        names: DNS names and IP addresses.
    """

    subject: bytes
    subject_text: str
    public_key: PublicKey
    names: tuple[str, ...]


def make_request(key: PrivateKey, subject: str, names: Sequence[str] = ()) -> bytes:
    """PEM; raises CryptoError for a subject or name that is none."""
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": building.name_of(subject),
            "subject_pk_info": keys.PublicKeyInfo.load(key.public.spki),
            "attributes": _attributes(names),
        }
    )
    request = csr.CertificationRequest(
        {
            "certification_request_info": info,
            "signature_algorithm": asn1.algorithm(asn1.SM2_WITH_SM3),
            "signature": key.sign(info.dump()),
        }
    )
    return pem.encode(LABEL, request.dump())


def _attributes(names: Sequence[str]) -> list[dict[str, Any]]:
    if not names:
        return []
    extension = building.extension("subject_alt_name", building.alternative_names(names))
    return [{"type": "extension_request", "values": [[extension]]}]


def read_request(data: bytes) -> Request:
    """A request in PEM or DER; raises InvalidEncoding, InvalidKey, VerificationFailed (its maker lacks the key)."""
    body = data if data[:1] == b"\x30" else _body(data)
    try:
        der.check(body[:MAX_BYTES])
        found = asn1.load(csr.CertificationRequest, body)
        info = found["certification_request_info"]
        request, signature = _read(found, info), found["signature"].native
    except CryptoError:
        raise
    except asn1.MALFORMED as error:
        raise InvalidEncoding("not a certification request ({error})", _NEXT, error=error) from None
    request.public_key.verify(signature, info.dump())
    return request


def _body(data: bytes) -> bytes:
    label, body = pem.blocks(data)[0]
    if label not in {LABEL, OLD_LABEL}:
        raise InvalidEncoding("PEM block {label} is no certification request", _NEXT, label=label)
    return body


def _read(found: Any, info: Any) -> Request:
    if not asn1.is_sm2_signature(found["signature_algorithm"], found["signature"]):
        raise InvalidEncoding("the request is not signed by SM2 with SM3", _NEXT)
    return Request(
        subject=info["subject"].dump(),
        subject_text=text_of(info["subject"].native),
        public_key=PublicKey.from_spki(info["subject_pk_info"].dump()),
        names=tuple(_names(info["attributes"])),
    )


def _names(attributes: Any) -> list[str]:
    """Alternative names that are asked for; what else is asked is the CA's to decide and not read."""
    found: list[str] = []
    for attribute in attributes or ():
        if attribute["type"].native != "extension_request":
            continue
        for extension in attribute["values"][0]:
            if extension["extn_id"].native == "subject_alt_name":
                found += [_name(one) for one in extension["extn_value"].parsed]
    if len(found) > MAX_NAMES:
        raise InvalidEncoding("a request for more than {limit} names", _NEXT, limit=MAX_NAMES)
    building.alternative_names(found)
    return found


def _name(one: Any) -> str:
    if one.name not in {"dns_name", "ip_address"}:
        raise InvalidEncoding("a request for a name that is neither DNS name nor IP address", _NEXT)
    return str(one.native)
