"""What a certificate is for: key usage and extended key usage by profile (GB/T 20518, RFC 5280, RFC 3161, RFC 6960)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from asn1crypto import core, x509

from crypto.pki import building
from crypto.sm2 import PrivateKey, PublicKey
from crypto.x509 import TIME_STAMPING, Certificate

SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"


class Profile(StrEnum):
    """A kind of end-entity certificate."""

    SERVER = "server"
    CLIENT = "client"
    SIGN = "sign"
    ENC = "enc"
    TSA = "tsa"
    OCSP = "ocsp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a profile allows.

    Attributes:
        key_usage: asn1crypto's names of the bits; the extension is critical.
        purpose: OID of the extended key usage, None without one.
        alone: Whether the extended key usage is critical (RFC 3161 §2.3 wants that of a TSA).
    """

    key_usage: frozenset[str]
    purpose: str | None = None
    alone: bool = False


_SIGNING = frozenset({"digital_signature"})
RULES: Mapping[Profile, Rules] = {
    Profile.SERVER: Rules(key_usage=_SIGNING, purpose=SERVER_AUTH),
    Profile.CLIENT: Rules(key_usage=_SIGNING, purpose=CLIENT_AUTH),
    Profile.SIGN: Rules(key_usage=_SIGNING | {"non_repudiation"}),
    Profile.ENC: Rules(key_usage=frozenset({"key_encipherment", "data_encipherment", "key_agreement"})),
    Profile.TSA: Rules(key_usage=_SIGNING | {"non_repudiation"}, purpose=TIME_STAMPING, alone=True),
    Profile.OCSP: Rules(key_usage=_SIGNING, purpose=OCSP_SIGNING),
}


def root(key: PrivateKey, subject: Any, now: datetime, days: int, path_length: int | None) -> Certificate:
    """A self-signed CA."""
    extensions = _ca_extensions(key.public, path_length)
    return building.sign(building.tbs(subject, subject, key.public, now, days, extensions), key)


def intermediate(
    public: PublicKey,
    subject: Any,
    issuer: tuple[PrivateKey, Certificate],
    now: datetime,
    days: int,
    path_length: int | None,
) -> Certificate:
    """A CA below another."""
    key, above = issuer
    extensions = [*_ca_extensions(public, path_length), building.authority_key_id(above)]
    name = x509.Name.load(above.subject)
    return building.sign(building.tbs(name, subject, public, now, days, extensions), key)


def end_entity(
    profile: Profile,
    public: PublicKey,
    subject: Any,
    issuer: tuple[PrivateKey, Certificate],
    now: datetime,
    days: int,
    names: Sequence[str] = (),
) -> Certificate:
    """A certificate that issues nothing; no BasicConstraints, for GmSSL refuses an empty one."""
    key, above = issuer
    rules = RULES[profile]
    extensions = [
        building.extension("key_usage", set(rules.key_usage), critical=True),
        building.extension("key_identifier", building.key_id(public)),
        building.authority_key_id(above),
    ]
    if rules.purpose:
        extensions.append(building.extension("extended_key_usage", [rules.purpose], critical=rules.alone))
    if profile is Profile.OCSP:  # RFC 6960 §4.2.2.2.1: short-lived instead of revocable
        extensions.append(building.extension("ocsp_no_check", core.Null()))
    if names:
        extensions.append(building.extension("subject_alt_name", building.alternative_names(names)))
    return building.sign(building.tbs(x509.Name.load(above.subject), subject, public, now, days, extensions), key)


def _ca_extensions(public: PublicKey, path_length: int | None) -> list[dict[str, Any]]:
    basic: dict[str, Any] = {"ca": True}
    if path_length is not None:
        basic["path_len_constraint"] = path_length
    return [
        building.extension("basic_constraints", basic, critical=True),
        building.extension("key_usage", {"key_cert_sign", "crl_sign"}, critical=True),
        building.extension("key_identifier", building.key_id(public)),
    ]
