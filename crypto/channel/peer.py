"""Our own verdict on the peer's certificate, beside the TLS library's: both must agree (RFC 5280 §6, RFC 9525).

It runs inside the handshake, so that a refused peer gets an alert and never a byte of data.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from crypto.channel.config import ChannelConfig
from crypto.errors import CertificateRefused
from crypto.pki.chain import check_admitted, check_name, check_purpose, check_revocation
from crypto.pki.profiles import RULES, Profile
from crypto.x509 import Certificate, Path, check_path, check_validity, parse_certificate
from records.instants import now

REMEMBERED_CHAINS = 512
_NEXT = "ask the peer's operator for a certificate of your CA, then try again"


class Role(Enum):
    """Which end we are; the peer is the other."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def peer_profile(self) -> Profile:
        """What the peer's certificate must be for, if it says what it is for."""
        return Profile.SERVER if self is Role.CLIENT else Profile.CLIENT


def check_peer(chain: Sequence[bytes], role: Role, name: str | None, config: ChannelConfig) -> Certificate:
    """The peer's certificate if every rule holds, else CertificateRefused or one of its kinds.

    Args:
        chain: DER, the peer's certificate first.
        role: Ours.
        name: DNS name or IP address that we called; None at a server.
        config: Anchors, revocation lists, admitted peers.
    """
    at = now()
    path = _path(tuple(chain), tuple(one.der for one in config.anchors), role.peer_profile)
    for one in path.certificates:
        check_validity(one, at)
    if config.crls:
        check_revocation(path, config.crls, at)
    leaf = path.certificates[0]
    if name is not None:
        _check_name(leaf.der, name)
    elif config.peers:
        _check_admitted(leaf.der, config.peers)
    return leaf


@lru_cache(maxsize=REMEMBERED_CHAINS)
def _path(chain: tuple[bytes, ...], anchors: tuple[bytes, ...], profile: Profile) -> Path:
    """Signatures and uses never change, so a chain that held is remembered; its dates are looked at again each time."""
    leaf, *others = (parse_certificate(one) for one in chain)
    check_purpose(leaf, profile)
    trusted = tuple(parse_certificate(one) for one in anchors)
    path = check_path(leaf, others, trusted, now(), RULES[profile].key_usage)
    if not path.trusted:
        raise CertificateRefused(
            "certificate {name} comes from a CA that is not trusted here", _NEXT, name=leaf.subject_text
        )
    return path


@lru_cache(maxsize=REMEMBERED_CHAINS)
def _check_name(der: bytes, name: str) -> None:
    """Remembers those that fit."""
    check_name(parse_certificate(der), name)


@lru_cache(maxsize=REMEMBERED_CHAINS)
def _check_admitted(der: bytes, admitted: frozenset[str]) -> None:
    """Remembers those that are admitted."""
    check_admitted(parse_certificate(der), admitted)
