"""The start-up check: a whole handshake between two ends in memory, before the first real one."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from functools import cache

from OpenSSL import SSL
from OpenSSL import crypto as openssl

from crypto.channel import context as tls
from crypto.pki.site import issue_signer, make_ca
from crypto.sm2 import PrivateKey, generate

_ROUNDS = 4  # flights of a handshake, with one to spare
_lock = threading.Lock()


def ensure_available() -> None:
    """Once a process: raise ProviderUnavailable unless TLS 1.3 with SM2, SM3 and SM4 works here."""
    with _lock:
        _try_once()


@cache
def _try_once() -> None:
    try:
        found = _handshake(generate())
    except (SSL.Error, openssl.Error, AttributeError) as error:
        tls.drop_errors()
        raise tls.unavailable(tls.reason(error)) from None
    if found != (tls.VERSION, tls.SUITE, tls.GROUP, tls.SIGNATURE_CODE):
        raise tls.unavailable(found)


def _handshake(key: PrivateKey) -> tuple[str | int | None, ...]:
    """What a client and a server on one self-signed certificate agree on, as the client sees it."""
    server, client = (SSL.Connection(_context(key), None) for _ in range(2))
    seen = tls.watch(client)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(_ROUNDS):
        for one, other in ((client, server), (server, client)):
            _step(one, other)
    return client.get_protocol_version_name(), client.get_cipher_name(), client.get_group_name(), seen.scheme


def _context(key: PrivateKey) -> SSL.Context:
    """For this trial alone, on a certificate that names nobody."""
    at = datetime.now(UTC)
    certificate = issue_signer(key.public, key, make_ca(key, "trial", at), "trial", at)
    context = tls.new_context()
    tls.identify(context, key, (certificate,))
    return context


def _step(one: SSL.Connection, other: SSL.Connection) -> None:
    """One end goes on; what it has to say reaches the other."""
    with contextlib.suppress(SSL.WantReadError):
        one.do_handshake()
    with contextlib.suppress(SSL.WantReadError):
        other.bio_write(one.bio_read(1 << 16))
