"""pyOpenSSL set up for RFC 8998 and nothing else, each return value checked.

Three of the calls are no public methods of pyOpenSSL, so its version is pinned, and ``crypto.channel.trial`` tries them
before first use.
"""

# ruff: noqa: SLF001 - what only the cffi layer offers takes the handles that pyOpenSSL keeps to itself

from __future__ import annotations

import ipaddress
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from OpenSSL import crypto as openssl
from OpenSSL._util import ffi, lib

from crypto import curve
from crypto.channel.config import RECORD_BYTES, ChannelConfig
from crypto.errors import CryptoError, ProviderUnavailable
from crypto.sm2 import PrivateKey
from crypto.x509 import Certificate

VERSION, SUITE, GROUP = "TLSv1.3", "TLS_SM4_GCM_SM3", "curveSM2"
SIGNATURE, SIGNATURE_CODE = "sm2sig_sm3", 0x0708  # RFC 8998 §3.2.1
HANDSHAKE_RECORD, ALERT_RECORD = 22, 21  # RFC 8446 §5.1
CERTIFICATE_VERIFY, KEY_UPDATE = 15, 24  # RFC 8446 §4
CLOSE_NOTIFY = 0
OUTLET_BYTES = 80_000  # four records and a little: one write of the stream
NO_WILDCARDS_NO_SUBJECT = 0x22  # X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT

Verify = Callable[[Any, Any, int, int, int], bool]


@dataclass(slots=True, weakref_slot=True)
class Seen:
    """What passed by on one connection, in messages that the library does not hand out.

    Attributes:
        scheme: Of the peer's CertificateVerify.
        alert: The peer's, unless it was close_notify.
        key_updates: How often the peer changed its keys.
    """

    scheme: int | None = None
    alert: int | None = None
    key_updates: int = 0


_watched: weakref.WeakValueDictionary[int, Seen] = weakref.WeakValueDictionary()


def watch(connection: SSL.Connection) -> Seen:
    """Note what the peer signs with and which alerts it sends, for as long as the result is kept."""
    seen = Seen()
    _watched[int(ffi.cast("uintptr_t", connection._ssl))] = seen
    return seen


@cache
def _message_callback() -> Any:
    """One C function for all contexts; it must never be freed.

    Its pointers are taken as numbers: an object for each would triple the price, and it is called for each record too.
    """
    called = ffi.callback("void(int, int, int, uintptr_t, size_t, uintptr_t, uintptr_t)", _on_message)
    return called, ffi.cast("void(*)(int, int, int, const void *, size_t, SSL *, void *)", called)


def _on_message(sent: int, _version: int, kind: int, data: int, size: int, ssl: int, _argument: int) -> None:
    if kind > HANDSHAKE_RECORD or sent or kind < ALERT_RECORD:  # most calls are about record headers, 256 and 257
        return
    seen = _watched.get(ssl)
    if seen is not None:
        _note(seen, kind, bytes(ffi.buffer(ffi.cast("char *", data), min(size, 6))))


def _note(seen: Seen, kind: int, head: bytes) -> None:
    """``head``: level and code of an alert; or type, length (3 bytes) and the start of a handshake message."""
    if kind == ALERT_RECORD:
        seen.alert = head[1] if head[1:2] != bytes((CLOSE_NOTIFY,)) else None
    elif head[0] == CERTIFICATE_VERIFY:
        seen.scheme = int.from_bytes(head[4:6])
    elif head[0] == KEY_UPDATE:
        seen.key_updates += 1


def unavailable(why: object) -> ProviderUnavailable:
    """RFC 8998 cannot be had from this installation."""
    return ProviderUnavailable(
        "pyOpenSSL with the OpenSSL of `cryptography` does not offer {suite} ({why})",
        "install the versions of requirements.lock; a wheel of `cryptography` built without SM2 or SM4 does not do",
        suite=SUITE,
        why=why,
    )


def _set(name: str, context: SSL.Context, value: bytes) -> None:
    """One of the setters that only the cffi layer has."""
    setter = getattr(lib, name, None)
    if setter is None or setter(context._context, value) != 1:
        drop_errors()
        raise unavailable(name)


def der_of(certificate: openssl.X509) -> bytes:
    """A certificate that the library holds, as DER."""
    return openssl.dump_certificate(openssl.FILETYPE_ASN1, certificate)


class Calls:
    """The calls of a connection's daily life, past pyOpenSSL's wrappers, with buffers for all connections of a thread.

    The wrappers raise an exception for each wait and make a buffer for each piece: a tenth of the encryption's price.
    The error queue is emptied before: what another user of the library left there would be taken for ours.
    """

    def __init__(self) -> None:
        self._outlet = ffi.new("char[]", OUTLET_BYTES)
        self._record = ffi.new("char[]", RECORD_BYTES)

    def handshake(self, connection: SSL.Connection) -> bool:
        """Whether it is finished; raises what pyOpenSSL raises."""
        lib.ERR_clear_error()
        return self._done(connection, lib.SSL_do_handshake(connection._ssl))

    def read(self, connection: SSL.Connection) -> bytes | None:
        """The next record's plaintext, None while it is not here; raises what pyOpenSSL raises."""
        lib.ERR_clear_error()
        size = lib.SSL_read(connection._ssl, self._record, RECORD_BYTES)
        return bytes(ffi.buffer(self._record, size)) if self._done(connection, size) else None

    @staticmethod
    def _done(connection: SSL.Connection, result: int) -> bool:
        if result > 0:
            return True
        if lib.SSL_get_error(connection._ssl, result) != lib.SSL_ERROR_WANT_READ:
            connection._raise_ssl_error(connection._ssl, result)
        return False

    def take(self, connection: SSL.Connection) -> bytes:
        """All that the library has written for the network."""
        size = lib.BIO_read(connection._from_ssl, self._outlet, OUTLET_BYTES)
        if size <= 0:
            return b""
        piece = bytes(ffi.buffer(self._outlet, size))
        return piece if size < OUTLET_BYTES else piece + self.take(connection)


def drop_errors() -> None:
    """Empty the queue: an old error must not be told of the next connection of this thread."""
    lib.ERR_clear_error()


def new_context(*, suite: str = SUITE, group: str = GROUP, signature: str = SIGNATURE) -> SSL.Context:
    """A context that speaks TLS 1.3 with that one suite, group and signature; raises ProviderUnavailable."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    _set("SSL_CTX_set_ciphersuites", context, suite.encode())
    _set("SSL_CTX_set1_curves_list", context, group.encode())
    _set("SSL_CTX_set1_sigalgs_list", context, signature.encode())
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.clear_mode(lib.SSL_MODE_ENABLE_PARTIAL_WRITE)  # into memory all of a write fits at once
    lib.SSL_CTX_set_msg_callback(context._context, _message_callback()[1])
    return context


def mutual_context(config: ChannelConfig, verify: Verify) -> SSL.Context:
    """A context with our certificate and key, the anchors and the revocation lists; the peer must show a chain."""
    context = new_context()
    try:
        identify(context, config.key, config.chain)
        _trust(context, config)
    except (SSL.Error, openssl.Error, ValueError) as error:
        drop_errors()
        raise CryptoError(
            "the TLS library refuses key, certificate or CA ({why})",
            "look at them with `yw crypto cert show FILE`",
            why=reason(error),
        ) from None
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    return context


def identify(context: SSL.Context, key: PrivateKey, chain: Sequence[Certificate]) -> None:
    """Who we are. The key goes by the cffi layer, for `cryptography` has no object for a key on SM2."""
    leaf, *rest = (x509.load_der_x509_certificate(one.der) for one in chain)
    context.use_certificate(leaf)
    for one in rest:
        context.add_extra_chain_cert(one)
    pkey = openssl.load_privatekey(openssl.FILETYPE_ASN1, curve.pkcs8(key.scalar(), key.public.point))
    if lib.SSL_CTX_use_PrivateKey(context._context, pkey._pkey) != 1:
        raise SSL.Error([("", "", "SSL_CTX_use_PrivateKey")])
    context.check_privatekey()


def _trust(context: SSL.Context, config: ChannelConfig) -> None:
    store = context.get_cert_store()
    if store is None:
        raise unavailable("SSL_CTX_get_cert_store")
    for anchor in config.anchors:
        store.add_cert(openssl.load_certificate(openssl.FILETYPE_ASN1, anchor.der))
    for crl in config.crls:
        store.add_crl(x509.load_der_x509_crl(crl.der))
    if config.crls:
        store.set_flags(openssl.X509StoreFlags.CRL_CHECK | openssl.X509StoreFlags.CRL_CHECK_ALL)


def expect_name(connection: SSL.Connection, name: str, *, is_address: bool) -> None:
    """Let the library check the server's name as well: DNS or IP in the SAN, no wildcards, never the subject."""
    parameters = lib.SSL_get0_param(connection._ssl)
    lib.X509_VERIFY_PARAM_set_hostflags(parameters, NO_WILDCARDS_NO_SUBJECT)
    if is_address:
        packed = ipaddress.ip_address(name).packed
        done = lib.X509_VERIFY_PARAM_set1_ip(parameters, packed, len(packed))
    else:
        done = lib.X509_VERIFY_PARAM_set1_host(parameters, name.encode("idna"), 0)
        connection.set_tlsext_host_name(name.encode("idna"))
    if done != 1:
        raise unavailable("X509_VERIFY_PARAM_set1_host")


def reason(error: Exception) -> str:
    """The library's own words for what went wrong, without its internals."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return next((entry[2] for entry in entries if entry[2]), str(error) or type(error).__name__)
