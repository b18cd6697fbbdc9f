"""Everything that must not become a channel: each a clear typed error on both ends, within its time, nothing accepted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from crypto.channel import (
    ChannelConfig,
    ChannelTimeout,
    HandshakeFailed,
    PeerRefused,
    PeerUnreachable,
    connect,
    ensure_available,
    trial,
)
from crypto.channel import context as tls
from crypto.channel.engine import Endpoint
from crypto.channel.peer import Role, check_peer
from crypto.errors import (
    CertificateExpired,
    CertificateRefused,
    CertificateRevoked,
    CryptoError,
    KeyMismatch,
    NameMismatch,
    ProviderUnavailable,
    RevocationUnknown,
    WrongUsage,
)
from crypto.pki.crl import RevocationList
from crypto.sm2 import generate
from tests.crypto.channel.conftest import DAY, KEYS, NOW, Authority
from tests.crypto.channel.test_channel import LOOPBACK, limited, run, serving
from tests.running import free_port

Configure = Callable[..., ChannelConfig]


def meet(server: ChannelConfig, client: ChannelConfig, *, name: str | None = None) -> tuple[Any, Any]:
    """(what the client gets, what the server tells): an error each, or None."""

    async def talk() -> tuple[Any, Any]:
        accepted = []

        async def handler(channel: Any) -> None:
            accepted.append(channel)
            channel.write(b"welcome")

        async with serving(server, handler) as (port, refusals):
            error = await attempt(client, port, name)
            for _ in range(50):
                if refusals or accepted:
                    break
                await asyncio.sleep(0.02)
        assert not (error and accepted), "accepted by one end, refused by the other"
        return error, refusals[0].error if refusals else None

    return run(talk())  # type: ignore[no-any-return]


async def attempt(client: ChannelConfig, port: int, name: str | None) -> CryptoError | None:
    """Connect and read the server's word: its refusal of our certificate comes there."""
    try:
        channel = await connect(client, LOOPBACK, port, name=name)
        try:
            assert await channel.read() == b"welcome"
        finally:
            channel.close()
        await channel.wait_closed()
    except CryptoError as error:
        return error
    return None


def kinds(found: tuple[Any, Any]) -> tuple[type, type]:
    return type(found[0]), type(found[1])


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


# ---- peers that speak something else


def foreign_context(certificate: bool) -> SSL.Context:
    """TLS 1.3 and 1.2 with AES and P-256, what everybody else speaks."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "foreign")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    context = SSL.Context(SSL.TLS_METHOD)
    if certificate:
        context.use_certificate(builder.sign(key, hashes.SHA256()))
        context.use_privatekey(key)
    return context


def sm_context_without_certificate() -> SSL.Context:
    return tls.new_context()


@pytest.mark.parametrize(
    "context",
    [
        pytest.param(lambda: foreign_context(certificate=True), id="P-256 and AES"),
        pytest.param(lambda: foreign_context(certificate=False), id="P-256 and AES, no certificate"),
        pytest.param(sm_context_without_certificate, id="SM, no certificate"),
        pytest.param(lambda: old(foreign_context(certificate=False)), id="TLS 1.2"),
    ],
)
def test_a_foreign_client(configure: Configure, context: Callable[[], SSL.Context]) -> None:
    async def talk() -> Any:
        async with serving(configure()) as (port, refusals):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            await foreign(SSL.Connection(context(), None), reader, writer, connect=True)
            await reader.read()  # whatever it still says, it ends
            writer.close()
            await until(refusals)
        return refusals[0].error

    assert isinstance(run(talk()), HandshakeFailed)


def old(context: SSL.Context) -> SSL.Context:
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    return context


async def until(found: list[Any]) -> None:
    for _ in range(500):
        if found:
            return
        await asyncio.sleep(0.02)


async def foreign(connection: SSL.Connection, reader: Any, writer: Any, *, connect: bool) -> None:
    """Drive a foreign end as far as it comes."""
    (connection.set_connect_state if connect else connection.set_accept_state)()
    for _ in range(6):
        with contextlib.suppress(SSL.Error):
            connection.do_handshake()
        with contextlib.suppress(SSL.Error, ConnectionError):
            writer.write(connection.bio_read(1 << 16))
            await writer.drain()
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(0.2):
                data = await reader.read(1 << 16)
            if not data:
                return
            connection.bio_write(data)


@pytest.mark.parametrize("certificate", [True, False])
def test_a_foreign_server(configure: Configure, certificate: bool) -> None:
    async def talk() -> Any:
        async def serve_foreign(reader: Any, writer: Any) -> None:
            await foreign(SSL.Connection(foreign_context(certificate), None), reader, writer, connect=False)
            writer.close()

        server = await asyncio.start_server(serve_foreign, LOOPBACK, 0)
        async with server:
            return await attempt(configure(), server.sockets[0].getsockname()[1], None)

    assert isinstance(run(talk()), (HandshakeFailed, PeerRefused))


GARBAGE = [
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="HTTP"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
    pytest.param(bytes(4096), id="zeros"),
    pytest.param(b"\x16\x03\x01\xff\xff" + b"x" * 70000, id="a record too long"),
    pytest.param(b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00", id="a ClientHello of 16 MB"),
    pytest.param(b"\x16\x01\x01\x00\x05\x01\x00\x00\x01\x00", id="TLCP's version"),
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_instead_of_tls_at_the_server(configure: Configure, garbage: bytes) -> None:
    async def talk() -> Any:
        async with serving(limited(configure(), handshake_seconds=1)) as (port, refusals):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(garbage)
            with contextlib.suppress(ConnectionError):
                await reader.read()  # ends
            writer.close()
            await until(refusals)
        return refusals[0].error

    assert isinstance(run(talk()), (HandshakeFailed, ChannelTimeout))


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_instead_of_tls_from_the_server(configure: Configure, garbage: bytes) -> None:
    async def talk() -> Any:
        async def babble(reader: Any, writer: Any) -> None:
            writer.write(garbage)
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()

        server = await asyncio.start_server(babble, LOOPBACK, 0)
        async with server:
            return await attempt(limited(configure(), handshake_seconds=1), server.sockets[0].getsockname()[1], None)

    assert isinstance(run(talk()), (HandshakeFailed, ChannelTimeout))


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_client_that_stalls_in_the_handshake(configure: Configure, cut: int) -> None:
    """Also one that hangs up: told at once."""

    async def talk() -> tuple[Any, float]:
        hello = first_flight(configure())
        async with serving(limited(configure(), handshake_seconds=0.5)) as (port, refusals):
            started = time.monotonic()
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(hello[:cut])
            await until(refusals)
            writer.close()
        return refusals[0].error, time.monotonic() - started

    error, seconds = run(talk())
    assert isinstance(error, ChannelTimeout)
    assert 0.4 < seconds < 3


def first_flight(config: ChannelConfig) -> bytes:
    engine = Endpoint(config, Role.CLIENT).engine("127.0.0.1")
    assert not engine.handshake()
    return engine.take()


def test_a_client_that_hangs_up_in_the_handshake(configure: Configure) -> None:
    async def talk() -> Any:
        async with serving(configure()) as (port, refusals):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(first_flight(configure())[:50])
            writer.close()
            await until(refusals)
        return refusals[0].error

    assert isinstance(run(talk()), HandshakeFailed)


def test_a_server_that_accepts_and_says_nothing(configure: Configure) -> None:
    async def talk() -> Any:
        async def silent(reader: Any, writer: Any) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, LOOPBACK, 0)
        async with server:
            return await attempt(limited(configure(), handshake_seconds=0.4), server.sockets[0].getsockname()[1], None)

    assert isinstance(run(talk()), ChannelTimeout)


def test_nobody_there(configure: Configure) -> None:
    assert isinstance(run(attempt(configure(), free_port(), None)), PeerUnreachable)


# ---- this installation


@pytest.mark.parametrize("name", ["suite", "group", "signature"])
def test_a_library_without_sm_is_an_error_at_the_start(name: str) -> None:
    with pytest.raises(ProviderUnavailable):
        tls.new_context(**{name: "no-such-thing"})


def test_a_binding_that_lost_a_function_is_an_error_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tls.lib

    class Lib:
        def __getattr__(self, name: str) -> Any:
            if name == "SSL_CTX_set1_sigalgs_list":
                raise AttributeError(name)
            return getattr(whole, name)

    monkeypatch.setattr(tls, "lib", Lib())
    trial._try_once.cache_clear()
    with pytest.raises(ProviderUnavailable):
        ensure_available()


@pytest.mark.parametrize(
    ("name", "other"),
    [("VERSION", "TLSv1.2"), ("SUITE", "TLS_AES_128_GCM_SHA256"), ("GROUP", "x25519"), ("SIGNATURE_CODE", 0x0403)],
)
def test_a_handshake_that_comes_out_otherwise_is_refused(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, name: str, other: Any
) -> None:
    """As if the library had agreed on something else than it was told to."""
    ensure_available()
    monkeypatch.setattr(tls, name, other)

    assert isinstance(meet(configure(), configure())[0], HandshakeFailed)
