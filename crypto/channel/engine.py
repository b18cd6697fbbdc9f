"""One end of a channel without any I/O: bytes from the network in, bytes for the network out (memory BIO).

Every failure leaves as one of the typed errors; after the handshake version, suite, group and signature are asserted.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from OpenSSL import crypto as openssl
from OpenSSL._util import lib

from crypto.channel import context as tls
from crypto.channel.config import ChannelConfig
from crypto.channel.errors import ChannelClosed, ChannelTruncated, HandshakeFailed, PeerRefused
from crypto.channel.peer import Role, check_peer
from crypto.channel.verdicts import alert_name, refusal
from crypto.errors import CryptoError
from crypto.pki.chain import is_address
from crypto.x509 import Certificate

INLET_BYTES = 1 << 17
_NEXT = "make sure that the other end is a channel of TLS 1.3 with SM2, SM3, SM4 (RFC 8998): yw channel probe ADDRESS"


class Endpoint:
    """A configured end: makes engines, all with the one context. For one thread."""

    def __init__(self, config: ChannelConfig, role: Role) -> None:
        self.config = config
        self.role = role
        self._context = tls.mutual_context(config, _verify)
        self._calls = tls.Calls()
        self._inlet = memoryview(bytearray(INLET_BYTES))

    def engine(self, name: str | None = None) -> Engine:
        """A new connection; a client names whom it calls."""
        connection = SSL.Connection(self._context, None)
        if self.role is Role.CLIENT:
            if name is None:
                raise ValueError("a client must name the host that it calls")
            tls.expect_name(connection, name, is_address=is_address(name))
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        return Engine(connection, _Judge(self.role, name, self.config), self._calls, self._inlet)


class _Judge:
    """Collects the chain that the library builds and has it checked once more by us."""

    def __init__(self, role: Role, name: str | None, config: ChannelConfig) -> None:
        self._role, self._name, self._config = role, name, config
        self._chain: dict[int, bytes] = {}
        self.refused: CryptoError | None = None
        self.certificate: Certificate | None = None

    def __call__(self, certificate: openssl.X509, error: int, depth: int, *, holds: bool) -> bool:
        der = tls.der_of(certificate)
        if not holds:
            self.refused = self.refused or refusal(error, der)
            return False
        self._chain[depth] = der
        return depth > 0 or self._judge()

    def _judge(self) -> bool:
        """The library goes from the anchor down to the peer's certificate, depth 0."""
        chain = [der for _, der in sorted(self._chain.items())]
        try:
            self.certificate = check_peer(chain, self._role, self._name, self._config)
        except CryptoError as error:
            self.refused = error
        return self.refused is None


def _verify(connection: Any, certificate: openssl.X509, error: int, depth: int, holds: int) -> bool:
    judge: _Judge = connection.get_app_data()
    return judge(certificate, error, depth, holds=bool(holds))


class Engine:
    """The state of one connection. Not for two threads at once.

    Attributes:
        inlet: Where bytes from the network may be put before they are fed: one for all connections of an endpoint.
    """

    def __init__(self, connection: SSL.Connection, judge: _Judge, calls: tls.Calls, inlet: memoryview) -> None:
        self.inlet = inlet
        self._connection = connection
        self._calls = calls
        self._judge = judge
        self._seen = tls.watch(connection)
        self.established = False
        self.received_close = False
        self.sent_close = False
        connection.set_app_data(judge)

    @property
    def peer(self) -> Certificate:
        """The peer's certificate, checked."""
        if not self.established or self._judge.certificate is None:
            raise ChannelClosed("the handshake is not finished", "wait for it")
        return self._judge.certificate

    @property
    def key_updates(self) -> int:
        """How often the peer changed its keys (RFC 8446 §4.6.3)."""
        return self._seen.key_updates

    def feed(self, data: bytes | memoryview) -> None:
        """Bytes from the network; b"" for its end."""
        if data:
            self._connection.bio_write(data)
        else:
            self._connection.bio_shutdown()

    def take(self) -> bytes:
        """Bytes for the network, all that there are."""
        return self._calls.take(self._connection)

    def handshake(self) -> bool:
        """Go on as far as the bytes that are here allow; whether it is finished and holds. Raises CryptoError."""
        try:
            if not self._calls.handshake(self._connection):
                return False
        except (SSL.Error, CryptoError) as error:
            raise self._failure(error) from None
        self._assert_negotiated()
        self.established = True
        return True

    def _assert_negotiated(self) -> None:
        """RFC 8998 to the letter, whatever the library was told; raises HandshakeFailed."""
        connection = self._connection
        found = (connection.get_protocol_version_name(), connection.get_cipher_name(), connection.get_group_name())
        fresh = not lib.SSL_session_reused(connection._ssl)  # noqa: SLF001 - no public method
        signed = self._seen.scheme == tls.SIGNATURE_CODE and self._judge.certificate is not None
        if found != (tls.VERSION, tls.SUITE, tls.GROUP) or not fresh or not signed:
            raise HandshakeFailed(
                "the handshake came out as {found}, signature {scheme}", _NEXT, found=found, scheme=self._seen.scheme
            )

    def write(self, data: bytes | memoryview) -> None:
        """Seal plaintext; the records are there for ``take``."""
        if self.sent_close:
            raise ChannelClosed("the channel is closed for writing", "connect anew")
        if data:
            tls.drop_errors()
            try:
                self._connection.sendall(data)
            except SSL.Error as error:
                raise self._failure(error) from None

    def read(self) -> bytes | None:
        """The plaintext of the next record, b"" after the peer's close_notify, None while there is none.

        Raises ChannelTruncated if the network ended without close_notify, PeerRefused, HandshakeFailed.
        """
        if self.received_close:
            return b""
        try:
            return self._calls.read(self._connection)
        except SSL.ZeroReturnError:
            self.received_close = True
            return b""
        except (SSL.Error, CryptoError) as error:
            raise self._failure(error) from None

    def close(self) -> None:
        """Make close_notify; the peer may go on sending."""
        if self.sent_close:
            return
        self.sent_close = True
        try:
            self._connection.shutdown()
        except SSL.Error:
            tls.drop_errors()  # the channel has failed before: nothing to say goodbye to

    def _failure(self, error: Exception) -> CryptoError:
        """What went wrong, told by the one who knows most: our verdict, the peer's alert, the library."""
        tls.drop_errors()
        if self._judge.refused is not None:
            return self._judge.refused
        if self._seen.alert is not None:
            return PeerRefused(
                "the peer refuses the channel: {alert}",
                "look at the peer's log; does it trust our CA, and is our certificate for this use?",
                alert=alert_name(self._seen.alert),
            )
        if isinstance(error, CryptoError):
            return error
        if isinstance(error, SSL.SysCallError):
            return self._ended()
        return HandshakeFailed("not a channel of RFC 8998: {reason}", _NEXT, reason=tls.reason(error))

    def _ended(self) -> CryptoError:
        if not self.established:
            return HandshakeFailed("the peer hung up during the handshake", _NEXT)
        return ChannelTruncated("the connection ended without close_notify: what came may not be all", "transfer again")
