"""Our own verdict on the peer's certificate, beside the TLS library's: both must agree (RFC 5280 §6, RFC 9525).

It runs inside the handshake, so that a refused peer gets an alert and never a byte of data.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from asn1crypto import x509

from crypto.channel.config import ChannelConfig
from crypto.errors import CertificateExpired, CertificateRefused, NameMismatch, WrongUsage
from crypto.x509 import Certificate, Path, check_path, parse_certificate
from records.instants import now

REMEMBERED_CHAINS = 512
_NEXT = "ask the peer's operator for a certificate of your CA, then try again"


class Role(Enum):
    """Which end we are; the peer is the other."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def peer_purpose(self) -> str:
        """The extended key usage that the peer's certificate must allow, if it has any."""
        return "server_auth" if self is Role.CLIENT else "client_auth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Whom a certificate is for; DNS names in lower case, addresses in their canonical text."""

    dns: frozenset[str]
    addresses: frozenset[str]
    common_name: str | None
    purposes: frozenset[str] | None


def check_peer(chain: Sequence[bytes], role: Role, name: str | None, config: ChannelConfig) -> Certificate:
    """The peer's certificate if every rule holds, else CertificateRefused or one of its kinds.

    Args:
        chain: DER, the peer's certificate first.
        role: Ours.
        name: DNS name or IP address that we called; None at a server.
        config: Anchors, revocation lists, admitted peers.
    """
    path = _path(tuple(chain), tuple(one.der for one in config.anchors))
    _check_now(path, now())
    names = names_of(path.certificates[0].der)
    if names.purposes is not None and role.peer_purpose not in names.purposes:
        raise WrongUsage("certificate {name} is not for this use", _NEXT, name=path.certificates[0].subject_text)
    _check_name(path.certificates[0], names, name, config.peers)
    return path.certificates[0]


@lru_cache(maxsize=REMEMBERED_CHAINS)
def _path(chain: tuple[bytes, ...], anchors: tuple[bytes, ...]) -> Path:
    """Signatures and constraints never change, so a chain that held is remembered; only dates are looked at again."""
    leaf, *others = (parse_certificate(one) for one in chain)
    trusted = tuple(parse_certificate(one) for one in anchors)
    path = check_path(leaf, others, trusted, now(), frozenset({"digital_signature"}))
    if not path.trusted:
        raise CertificateRefused(
            "certificate {name} comes from a CA that is not trusted here", _NEXT, name=leaf.subject_text
        )
    return path


def _check_now(path: Path, at: datetime) -> None:
    for one in path.certificates:
        if not one.not_before <= at <= one.not_after:
            raise CertificateExpired(
                "certificate {name} was not valid at {at:%Y-%m-%dT%H:%M:%SZ}", _NEXT, name=one.subject_text, at=at
            )


@lru_cache(maxsize=REMEMBERED_CHAINS)
def names_of(der: bytes) -> Names:
    """Subject alternative names, common name and purposes of a certificate that has been parsed strictly before."""
    tbs = x509.Certificate.load(der)["tbs_certificate"]
    found: dict[str, Any] = {one["extn_id"].native: one["extn_value"].parsed for one in tbs["extensions"] or ()}
    alternative = list(found.get("subject_alt_name") or ())
    purposes = found.get("extended_key_usage")
    common = tbs["subject"].native.get("common_name")
    return Names(
        dns=frozenset(one.native.lower() for one in alternative if one.name == "dns_name"),
        addresses=frozenset(str(one.native) for one in alternative if one.name == "ip_address"),
        common_name=common if isinstance(common, str) else None,
        purposes=None if purposes is None else frozenset(purposes.native),
    )


def is_address(name: str) -> bool:
    """Whether the name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_name(one: Certificate, names: Names, called: str | None, admitted: frozenset[str]) -> None:
    if called is not None:
        fits = _bears(names, called)
    else:
        fits = not admitted or any(_bears(names, name) or name == names.common_name for name in admitted)
    if not fits:
        raise NameMismatch(
            "certificate {name} is not for {wanted}",
            _NEXT,
            name=one.subject_text,
            wanted=called or ", ".join(sorted(admitted)[:5]),
        )


def _bears(names: Names, name: str) -> bool:
    """By subject alternative name only, without wildcards: a wildcard would let one key speak for many hosts."""
    if is_address(name):
        return str(ipaddress.ip_address(name)) in names.addresses
    return name.lower().rstrip(".") in names.dns
