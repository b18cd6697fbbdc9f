"""Peers that speak something else, garbage, silence, or a library that does: a typed error in time, nothing accepted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
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
    ensure_available,
    trial,
)
from crypto.channel import context as tls
from crypto.channel.engine import Endpoint
from crypto.channel.peer import Role
from crypto.errors import (
    ProviderUnavailable,
)
from tests.crypto.channel.conftest import DAY, NOW
from tests.crypto.channel.meeting import LOOPBACK, attempt, limited, meet, run, serving, until
from tests.running import free_port

Configure = Callable[..., ChannelConfig]


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
