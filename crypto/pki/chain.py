"""Whether a certificate holds for a use (证书链验证): chain, purpose, name, revocation. One error class for each."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

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
    dns, addresses = names_of(leaf)
    if not _matches(host, dns, addresses):
        raise NameMismatch(
            "certificate {name} is not for {host}",
            "call the host by a name of its certificate: {names}",
            name=leaf.subject_text,
            host=host,
            names=", ".join((*dns, *addresses)) or "-",
        )


def _matches(host: str, dns: Sequence[str], addresses: Sequence[str]) -> bool:
    try:
        return str(ipaddress.ip_address(host)) in addresses
    except ValueError:
        return any(_matches_dns(host.lower().removesuffix("."), one) for one in dns)


def _matches_dns(host: str, pattern: str) -> bool:
    """``*.a.cn`` stands for exactly one label, and for nothing above two labels."""
    if not pattern.startswith("*."):
        return host == pattern
    first, _, rest = host.partition(".")
    return bool(first) and rest == pattern[2:] and "." in rest


def names_of(leaf: Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(DNS names in lower case, IP addresses) of the subject alternative name."""
    for extension in x509.Certificate.load(leaf.der)["tbs_certificate"]["extensions"] or ():
        if extension["extn_id"].native == "subject_alt_name":
            found = list(extension["extn_value"].parsed)
            dns = tuple(one.native.lower() for one in found if one.name == "dns_name")
            return dns, tuple(str(one.native) for one in found if one.name == "ip_address")
    return (), ()


def check_revocation(path: Path, lists: Sequence[RevocationList], at: datetime) -> None:
    """Every certificate below the anchor is on no current list of its issuer; an anchor vouches for itself."""
    chain = path.certificates
    for certificate, issuer in pairwise(chain):
        check_not_listed(certificate, issuer, lists, at)
