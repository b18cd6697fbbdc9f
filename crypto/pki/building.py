"""Certificates put together (RFC 5280): names, extensions, validity, and the one signature of the issuer's key.

What GmSSL is strict about is kept: no empty BasicConstraints, key usage critical, algorithms without parameters.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import keys, x509

from crypto import asn1
from crypto.errors import CryptoError
from crypto.sm2 import PrivateKey, PublicKey
from crypto.sm3 import sm3
from crypto.x509 import Certificate, parse_certificate

CLOCK_SKEW = timedelta(hours=1)  # a verifier's clock may be behind ours
KEY_ID_BYTES = 20
SERIAL_BITS = 126
MAX_PART_LETTERS = 64  # RFC 5280 appendix A, ub-common-name and ub-organization-name
_UTC_TIME_UNTIL = 2050  # RFC 5280 §4.1.2.5
_PARTS: Mapping[str, str] = {
    "C": "country_name",
    "ST": "state_or_province_name",
    "L": "locality_name",
    "O": "organization_name",
    "OU": "organizational_unit_name",
    "CN": "common_name",
}
_DNS = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")


def name_of(text: str) -> Any:
    """``CN=web,O=省数据局,C=CN`` as a name, country first; raises CryptoError."""
    parts = [one.partition("=") for one in text.split(",")]
    given = {key.strip().upper(): value.strip() for key, _, value in parts}
    sound = len(given) == len(parts) and given.keys() <= _PARTS.keys() and given.get("CN")
    if not sound or not all(_is_part(key, value) for key, value in given.items()):
        raise CryptoError(
            "'{text}' is no subject", "write it as CN=web.example.cn,O=ORGANISATION,C=CN", where="--subject", text=text
        )
    return x509.Name.build({long: given[short] for short, long in _PARTS.items() if short in given})


def _is_part(key: str, value: str) -> bool:
    short = key != "C" or re.fullmatch("[A-Z]{2}", value) is not None
    return 0 < len(value) <= MAX_PART_LETTERS and value.isprintable() and short


def alternative_names(names: Sequence[str]) -> list[Any]:
    """DNS names (a leading ``*.`` allowed) and IP addresses as GeneralNames; raises CryptoError."""
    return [_general_name(one) for one in names]


def _general_name(name: str) -> Any:
    try:
        return x509.GeneralName("ip_address", str(ipaddress.ip_address(name)))
    except ValueError:
        pass
    if not _DNS.fullmatch(name.lower()):
        raise CryptoError(
            "'{name}' is neither a DNS name nor an IP address", "give the name that clients call", name=name
        )
    return x509.GeneralName("dns_name", name.lower())


def extension(name: str, value: Any, *, critical: bool = False) -> dict[str, Any]:
    """One extension by asn1crypto's name."""
    return {"extn_id": name, "critical": critical, "extn_value": value}


def key_id(public: PublicKey) -> bytes:
    """Key identifier: the start of the SM3 of the point."""
    return sm3(public.point)[:KEY_ID_BYTES]


def authority_key_id(issuer: Certificate) -> dict[str, Any]:
    """The extension that names the issuer's key as the issuer's own certificate does."""
    return extension("authority_key_identifier", {"key_identifier": issuer.subject_key or key_id(issuer.public_key)})


def instant(at: datetime) -> Any:
    """UTCTime until 2049, GeneralizedTime after."""
    return x509.Time({"utc_time" if at.year < _UTC_TIME_UNTIL else "general_time": whole(at)})


def whole(at: datetime) -> datetime:
    """In UTC, cut to seconds: DER has no fractions here."""
    return at.astimezone(UTC).replace(microsecond=0)


def tbs(
    issuer: Any, subject: Any, public: PublicKey, now: datetime, days: int, extensions: Sequence[Mapping[str, Any]]
) -> Any:
    """What is signed; valid from an hour before ``now``, for clocks differ, to ``days`` after."""
    start = whole(now) - CLOCK_SKEW
    return x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": secrets.randbits(SERIAL_BITS) | 1 << SERIAL_BITS,
            "signature": asn1.algorithm(asn1.SM2_WITH_SM3),
            "issuer": issuer,
            "validity": {"not_before": instant(start), "not_after": instant(start + timedelta(days=days))},
            "subject": subject,
            "subject_public_key_info": keys.PublicKeyInfo.load(public.spki),
            "extensions": list(extensions),
        }
    )


def sign(body: Any, key: PrivateKey) -> Certificate:
    """The certificate, read back by the strict parser."""
    found = x509.Certificate(
        {
            "tbs_certificate": body,
            "signature_algorithm": asn1.algorithm(asn1.SM2_WITH_SM3),
            "signature_value": key.sign(body.dump()),
        }
    )
    return parse_certificate(found.dump())
