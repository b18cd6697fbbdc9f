"""Whether a certificate holds for a use (证书链验证): chain, purpose, name, revocation. One error class for each."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from asn1crypto import x509

from crypto.errors import CertificateRefused, NameMismatch, WrongUsage
from crypto.pki.crl import RevocationList, check_not_listed
from crypto.pki.profiles import RULES, Profile
from crypto.x509 import Certificate, Path, check_path

ANY_PURPOSE = "2.5.29.37.0"
ANY_USE = frozenset({
    "digital_signature", "non_repudiation", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
    "crl_sign", "encipher_only", "decipher_only",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of a certificate.

    Attributes:
        profile: What it is used for; None for any use.
        host: DNS name or IP address that was called; None where there is none.
        lists: Revocation lists; given any, every certificate below the anchor must stand on none of its issuer's.
    """

    profile: Profile | None = None
    host: str | None = None
    lists: tuple[RevocationList, ...] = ()


ANYTHING = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Whom a certificate is for: DNS names in lower case, IP addresses in their one spelling."""

    dns: tuple[str, ...]
    addresses: tuple[str, ...]


def verify(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
    policy: Policy = ANYTHING,
) -> Path:
    """The chain to an anchor, valid at ``at``; as ``read_path``, and CertificateRefused where it ends in none."""
    path = read_path(leaf, others, anchors, at, policy)
    if not path.trusted:
        raise CertificateRefused(
            "the chain of certificate {name} ends in '{root}', which is not trusted here",
            "pass --ca FILE with its CA if you trust it",
            name=leaf.subject_text,
            root=path.certificates[-1].subject_text,
        )
    return path


def read_path(
    leaf: Certificate,
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    at: datetime,
    policy: Policy = ANYTHING,
) -> Path:
    """The chain, which may end in a self-signed certificate that nobody trusts: ``trusted`` tells.

    Raises:
        CertificateExpired, CertificateRevoked, RevocationUnknown, WrongUsage, NameMismatch: Each by its name.
        CertificateRefused: A link is missing or does not hold.
    """
    check_purpose(leaf, policy.profile)
    unbound = replace(leaf, purposes_critical=False)  # looked at in the line above
    uses = RULES[policy.profile].key_usage if policy.profile else ANY_USE
    path = check_path(unbound, others, anchors, at, uses)
    if policy.host is not None:
        check_name(leaf, policy.host)
    if policy.lists:
        check_revocation(path, policy.lists, at)
    return replace(path, certificates=(leaf, *path.certificates[1:]))


def check_purpose(leaf: Certificate, profile: Profile | None) -> None:
    """Return quietly if the extended key usage allows the use; for time stamps it must, and alone (RFC 3161 §2.3)."""
    if profile is None:
        return
    fits = _fits(leaf, profile)
    if not fits or (profile in {Profile.SERVER, Profile.CLIENT, Profile.ENC} and leaf.is_ca):
        raise WrongUsage(
            "certificate {name} is not for this use",
            "ask its CA for one of the profile '{profile}'",
            name=leaf.subject_text,
            profile=profile.value,
        )


def _fits(leaf: Certificate, profile: Profile) -> bool:
    rules, given = RULES[profile], leaf.purposes or frozenset()
    if rules.alone:
        return leaf.purposes_critical and given == {rules.purpose}
    if profile is Profile.OCSP:  # RFC 6960 §4.2.2.2: must be named
        return rules.purpose in given
    if rules.purpose is None:
        return not leaf.purposes_critical
    return leaf.purposes is None or bool({rules.purpose, ANY_PURPOSE} & given)


def check_name(leaf: Certificate, host: str) -> None:
    """Return quietly if a subject alternative name is the host (RFC 9525: no common name); else NameMismatch."""
    names = names_of(leaf)
    if not _matches(host, names):
        raise NameMismatch(
            "certificate {name} is not for {host}",
            "call the host by a name of its certificate: {names}",
            name=leaf.subject_text,
            host=host,
            names=", ".join((*names.dns, *names.addresses)) or "-",
        )


def check_admitted(leaf: Certificate, admitted: Collection[str]) -> None:
    """Return quietly if a subject alternative name, as it is written, is among the admitted ones; else NameMismatch.

    A wildcard admits nobody, for no client is one, and a common name is no name (RFC 9525).
    """
    names = names_of(leaf)
    own = {one for one in names.dns if not one.startswith("*.")} | {*names.addresses}
    if own.isdisjoint({_spelled(one) for one in admitted}):
        raise NameMismatch(
            "certificate {name} is not among the admitted peers",
            "admit one of its names: {names}",
            name=leaf.subject_text,
            names=", ".join((*names.dns, *names.addresses)) or "-",
        )


def _matches(host: str, names: Names) -> bool:
    if is_address(host):
        return _spelled(host) in names.addresses
    return any(_matches_dns(_spelled(host), one) for one in names.dns)


def is_address(name: str) -> bool:
    """Whether the name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _spelled(name: str) -> str:
    """The one spelling of an address or DNS name."""
    return str(ipaddress.ip_address(name)) if is_address(name) else name.lower().removesuffix(".")


def _matches_dns(host: str, pattern: str) -> bool:
    """``*.a.cn`` stands for exactly one label, and for nothing above two labels."""
    if not pattern.startswith("*."):
        return host == pattern
    first, _, rest = host.partition(".")
    return bool(first) and rest == pattern[2:] and "." in rest


def names_of(leaf: Certificate) -> Names:
    """Whom the subject alternative name names."""
    found = _extension(leaf, "subject_alt_name") or ()
    return Names(
        dns=tuple(one.native.lower() for one in found if one.name == "dns_name"),
        addresses=tuple(str(one.native) for one in found if one.name == "ip_address"),
    )


def responder_of(certificate: Certificate) -> str | None:
    """Where its issuer answers OCSP, as the authority information access says (RFC 5280 §4.2.2.1)."""
    for one in _extension(certificate, "authority_information_access") or ():
        place = one["access_location"]
        if one["access_method"].native == "ocsp" and place.name == "uniform_resource_identifier":
            return str(place.native)
    return None


def _extension(certificate: Certificate, name: str) -> Any:
    """An extension that only one question needs: read again, for the record holds what all chains need."""
    for one in x509.Certificate.load(certificate.der)["tbs_certificate"]["extensions"] or ():
        if one["extn_id"].native == name:
            return one["extn_value"].parsed
    return None


def check_revocation(path: Path, lists: Sequence[RevocationList], at: datetime) -> None:
    """Every certificate below the anchor is on no current list of its issuer.

    An anchor is trusted by decision, not by what its issuer says: no list about it is asked for, also where it is an
    intermediate CA. OpenSSL asks for one (X509_V_FLAG_CRL_CHECK_ALL).
    """
    chain = path.certificates
    for certificate, issuer in pairwise(chain):
        check_not_listed(certificate, issuer, lists, at)
