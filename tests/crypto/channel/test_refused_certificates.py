"""Certificates that must not become a channel: each a clear typed error on both ends, by the library's verdict and ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crypto.channel import (
    ChannelConfig,
    PeerRefused,
)
from crypto.channel.peer import Role, check_peer
from crypto.errors import (
    CertificateExpired,
    CertificateRefused,
    CertificateRevoked,
    CryptoError,
    KeyMismatch,
    NameMismatch,
    RevocationUnknown,
    WrongUsage,
)
from crypto.pki.crl import RevocationList
from crypto.sm2 import generate
from tests.crypto.channel.conftest import DAY, KEYS, NOW, Authority
from tests.crypto.channel.meeting import kinds, meet

Configure = Callable[..., ChannelConfig]


BAD_LEAVES = [
    pytest.param({"end": NOW - DAY, "start": NOW - 2 * DAY}, CertificateExpired, id="expired"),
    pytest.param({"start": NOW + DAY}, CertificateExpired, id="not yet valid"),
    pytest.param({"usage": {"key_encipherment"}}, WrongUsage, id="for encryption"),
    pytest.param({"usage": {"digital_signature"}, "purposes": ["code_signing"]}, WrongUsage, id="for code"),
]


@pytest.mark.parametrize(("changes", "kind"), BAD_LEAVES)
def test_a_bad_server_certificate(authority: Authority, configure: Configure, changes: Any, kind: type) -> None:
    server = unchecked(configure, authority.leaf(**changes))

    assert kinds(meet(server, configure())) == (kind, PeerRefused)


@pytest.mark.parametrize(("changes", "kind"), BAD_LEAVES)
def test_a_bad_client_certificate(authority: Authority, configure: Configure, changes: Any, kind: type) -> None:
    client = unchecked(configure, authority.leaf(**changes))

    assert kinds(meet(configure(), client)) == (PeerRefused, kind)


def unchecked(configure: Configure, leaf: Any) -> ChannelConfig:
    """A configuration as a hostile end would have it: our own refuses the wrong usage at once."""
    config = configure()
    object.__setattr__(config, "chain", (leaf,))
    return config


def test_a_purpose_is_for_one_end_only(authority: Authority, configure: Configure) -> None:
    server, client = (
        configure(chain=(authority.leaf(purposes=[purpose]),)) for purpose in ("server_auth", "client_auth")
    )

    assert meet(server, client) == (None, None)
    assert kinds(meet(client, client)) == (WrongUsage, PeerRefused)
    assert kinds(meet(server, server)) == (PeerRefused, WrongUsage)


def test_another_ca_also_of_the_same_name(stranger: Authority, configure: Configure) -> None:
    theirs = configure(chain=(stranger.leaf(),), anchors=(stranger.certificate,))
    trusting = dataclasses.replace(theirs, anchors=configure().anchors)

    assert kinds(meet(trusting, configure())) == (CertificateRefused, PeerRefused)
    assert kinds(meet(configure(), trusting)) == (PeerRefused, CertificateRefused)


def test_an_intermediate_needs_to_be_sent(authority: Authority, configure: Configure) -> None:
    middle = authority.below()
    leaf = middle.leaf()
    whole, cut = configure(chain=(leaf, middle.certificate)), configure(chain=(leaf,))

    assert meet(whole, whole) == (None, None)
    assert kinds(meet(cut, configure())) == (CertificateRefused, PeerRefused)


def test_an_end_certificate_issues_nothing(authority: Authority, configure: Configure) -> None:
    key = generate()
    false_ca = Authority("假CA", key, authority.leaf("假CA", key=key))

    found = meet(unchecked_chain(configure, (false_ca.leaf(), false_ca.certificate)), configure())
    assert kinds(found) == (WrongUsage, PeerRefused)


def unchecked_chain(configure: Configure, chain: Any) -> ChannelConfig:
    return configure(chain=chain)


@pytest.mark.parametrize(
    ("leaf", "called", "fits"),
    [
        pytest.param({"ips": ["127.0.0.1"]}, None, True, id="address"),
        pytest.param({"ips": ["127.0.0.2"]}, None, False, id="another address"),
        pytest.param({"ips": [], "dns": ["127.0.0.1"]}, None, False, id="address written as a name"),
        pytest.param({"ips": [], "dns": ["Node.gov.cn"]}, "node.GOV.cn", True, id="name, any case"),
        pytest.param({"ips": [], "dns": ["node.gov.cn"]}, "edge.gov.cn", False, id="another name"),
        pytest.param({"ips": [], "dns": ["*.gov.cn"]}, "node.gov.cn", False, id="wildcard"),
        pytest.param({"ips": [], "dns": [], "common": "node.gov.cn"}, "node.gov.cn", False, id="common name only"),
        pytest.param({"ips": ["::1"]}, "0:0::1", True, id="address in another spelling"),
    ],
)
def test_the_servers_name(
    authority: Authority, configure: Configure, leaf: Any, called: str | None, fits: bool
) -> None:
    found = meet(configure(chain=(authority.leaf(**leaf),)), configure(), name=called)

    assert kinds(found) == ((type(None), type(None)) if fits else (NameMismatch, PeerRefused))


def test_a_server_may_admit_named_clients_only(authority: Authority, configure: Configure) -> None:
    server = configure(peers=frozenset({"edge-1", "127.0.0.9"}))
    named, addressed, other = (
        configure(chain=(authority.leaf("节点", dns=[name], ips=[ip]),))
        for name, ip in (("edge-1", "127.0.0.1"), ("x", "127.0.0.9"), ("edge-2", "127.0.0.1"))
    )

    assert meet(server, named) == (None, None)
    assert meet(server, addressed) == (None, None)
    assert kinds(meet(server, other)) == (PeerRefused, NameMismatch)


def test_revocation(authority: Authority, configure: Configure) -> None:
    leaf = authority.leaf()
    server = configure(chain=(leaf,))

    def client(*crls: RevocationList) -> ChannelConfig:
        return configure(crls=crls)

    assert meet(server, client(authority.crl([4711]))) == (None, None)
    assert kinds(meet(server, client(authority.crl([leaf.serial])))) == (CertificateRevoked, PeerRefused)
    assert kinds(meet(server, client(authority.crl(end=NOW - timedelta(minutes=1))))) == (
        RevocationUnknown,
        PeerRefused,
    )
    assert kinds(meet(server, client(authority.crl(key=generate())))) == (RevocationUnknown, PeerRefused)


def test_revocation_of_the_whole_chain(authority: Authority, configure: Configure) -> None:
    middle = authority.below()
    server = configure(chain=(middle.leaf(), middle.certificate))
    both = (authority.crl(), middle.crl())

    assert meet(server, configure(crls=both)) == (None, None)
    assert kinds(meet(server, configure(crls=both[:1]))) == (RevocationUnknown, PeerRefused)
    revoked = (authority.crl([middle.certificate.serial]), middle.crl())
    assert kinds(meet(server, configure(crls=revoked))) == (CertificateRevoked, PeerRefused)
    assert kinds(meet(configure(crls=revoked), server)) == (PeerRefused, CertificateRevoked)


# ---- our verdict alone: were the TLS library to wave everything through


CHAINS = [
    pytest.param({"end": NOW - DAY, "start": NOW - 2 * DAY}, CertificateExpired, id="expired"),
    pytest.param({"start": NOW + DAY}, CertificateExpired, id="not yet valid"),
    pytest.param({"usage": {"key_encipherment"}}, WrongUsage, id="for encryption"),
    pytest.param({"purposes": ["client_auth"]}, WrongUsage, id="for clients"),
    pytest.param({"ips": ["127.0.0.2"]}, NameMismatch, id="another address"),
    pytest.param({"serial": 4711}, CertificateRevoked, id="revoked"),
]


def judged(leaf: Any, config: ChannelConfig, *others: Any) -> CryptoError | None:
    try:
        check_peer([leaf.der, *(one.der for one in others)], Role.CLIENT, "127.0.0.1", config)
    except CryptoError as error:
        return error
    return None


@pytest.mark.parametrize(("changes", "kind"), CHAINS)
def test_our_own_verdict(authority: Authority, configure: Configure, changes: Any, kind: type) -> None:
    config = configure(crls=(authority.crl([4711]),))

    assert judged(authority.leaf(), config, authority.certificate) is None
    assert type(judged(authority.leaf(**changes), config, authority.certificate)) is kind


def test_our_own_verdict_on_another_ca_and_on_lists(
    authority: Authority, stranger: Authority, configure: Configure
) -> None:
    old = authority.crl(end=NOW - timedelta(minutes=1))

    assert type(judged(stranger.leaf(), configure(), stranger.certificate)) is CertificateRefused
    assert type(judged(authority.leaf(), configure(crls=(stranger.crl(),)))) is RevocationUnknown
    assert type(judged(authority.leaf(), configure(crls=(old,)))) is RevocationUnknown


def test_a_remembered_chain_expires_all_the_same(
    authority: Authority, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf, config = authority.leaf(), configure()

    assert judged(leaf, config) is None
    monkeypatch.setattr("crypto.channel.peer.now", lambda: leaf.not_after + timedelta(seconds=1))
    assert type(judged(leaf, config)) is CertificateExpired


def test_our_own_configuration_is_checked_before_any_network(authority: Authority, configure: Configure) -> None:
    with pytest.raises(KeyMismatch):
        configure(key=KEYS[1])
    with pytest.raises(WrongUsage):
        configure(chain=(authority.leaf(usage={"key_encipherment"}),))
    with pytest.raises(CryptoError, match="a CA to trust"):
        configure(anchors=())
    assert KEYS[0].scalar().hex() not in repr(configure())
