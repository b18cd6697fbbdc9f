"""What a TLS server offers: RFC 8998 and everything else that it should not, its certificates, and what is wrong."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from crypto.channel import context as tls
from crypto.channel.config import ChannelConfig
from crypto.channel.errors import PeerUnreachable
from crypto.channel.trial import ensure_available
from crypto.errors import CryptoError
from crypto.pki.chain import Policy, is_address, verify
from crypto.pki.profiles import Profile
from crypto.sm3 import sm3_hex
from crypto.x509 import Certificate, parse_certificate
from records.errors import Problem
from records.instants import now

OTHERS = {  # what else is tried, newest first
    "TLSv1.3": SSL.TLS1_3_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1": SSL.TLS1_VERSION,
}
OLD = frozenset({"TLSv1.1", "TLSv1"})
SOON = timedelta(days=30)
READ_BYTES = 1 << 16
SETTLE_SECONDS = 1.0  # how long a server may take to refuse a client without certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One handshake that came about.

    Attributes:
        alert: What the server said right after it, e.g. that it wants a certificate; None if nothing.
        chain: DER, as the server sent it.
    """

    protocol: str
    suite: str
    group: str | None
    alert: bool
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """CONTRACT §8: protocols, certificates, findings."""

    offered: tuple[Offered, ...]
    certificates: tuple[dict[str, Any], ...]
    findings: tuple[Problem, ...]


def probe(
    host: str,
    port: int,
    *,
    config: ChannelConfig | None = None,
    anchors: Sequence[Certificate] = (),
    name: str | None = None,
    seconds: float = 5.0,
) -> Report:
    """Try each protocol once, ``seconds`` at most each. With ``config`` we show our certificate, else none.

    Raises PeerUnreachable if nobody listens, ProviderUnavailable.
    """
    ensure_available()
    called = name or host
    sm = _attempt((host, port), called, _own_context(config), seconds)
    rest = [_attempt((host, port), called, _other_context(version), seconds) for version in OTHERS.values()]
    found = tuple(one for one in (sm, *rest) if one is not None)
    chain = found[0].chain if found else ()
    findings = [*_protocol_findings(sm, [one for one in rest if one], asked=config is None)]
    if sm is not None:
        findings += _certificate_findings(sm.chain, anchors, called)
    return Report(offered=found, certificates=tuple(_row(one) for one in chain), findings=tuple(findings))


def _own_context(config: ChannelConfig | None) -> SSL.Context:
    context = tls.new_context()
    if config is not None:
        tls.identify(context, config.key, config.chain)
    return context


def _other_context(version: int) -> SSL.Context:
    """One version with everything that the library still knows: to find it is the point, nothing is sent over it."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    return context


def _attempt(address: tuple[str, int], called: str, context: SSL.Context, seconds: float) -> Offered | None:
    """What came of one handshake, None if nothing did; raises PeerUnreachable if nobody listens."""
    deadline = time.monotonic() + seconds
    try:
        opened = socket.create_connection(address, timeout=seconds)
    except OSError as error:
        raise PeerUnreachable(
            "{host}:{port} cannot be reached ({reason})",
            "check address and firewall",
            host=address[0],
            port=address[1],
            reason=error.strerror or error,
        ) from None
    with opened:
        connection = SSL.Connection(context, None)
        if not is_address(called):
            connection.set_tlsext_host_name(called.encode("idna"))
        connection.set_connect_state()
        try:
            _drive(connection, opened, deadline, handshake=True)
        except (SSL.Error, OSError):
            tls.drop_errors()
            return None
        return _offered(connection, opened)


def _offered(connection: SSL.Connection, opened: socket.socket) -> Offered:
    """What was agreed on, after the server had a moment to object to us."""
    alert = False
    try:
        _drive(connection, opened, time.monotonic() + SETTLE_SECONDS, handshake=False)
    except TimeoutError:
        pass
    except (SSL.Error, OSError):
        tls.drop_errors()
        alert = True
    return Offered(
        protocol=connection.get_protocol_version_name(),
        suite=connection.get_cipher_name() or "",
        group=connection.get_group_name(),
        alert=alert,
        chain=tuple(tls.der_of(one) for one in connection.get_peer_cert_chain() or ()),
    )


def _drive(connection: SSL.Connection, opened: socket.socket, deadline: float, *, handshake: bool) -> None:
    """Shuttle bytes until the handshake is done, or else until there is something to read; OSError at the deadline."""
    while True:
        waiting = False
        try:
            connection.do_handshake() if handshake else connection.recv(1)
        except SSL.WantReadError:
            waiting = True
        finally:
            _flush(connection, opened)
        if not waiting:
            return
        opened.settimeout(max(0.001, deadline - time.monotonic()))
        data = opened.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError
        connection.bio_write(data)


def _flush(connection: SSL.Connection, opened: socket.socket) -> None:
    try:
        while True:
            opened.sendall(connection.bio_read(READ_BYTES))
    except SSL.WantReadError:
        return


def _protocol_findings(sm: Offered | None, rest: Sequence[Offered], *, asked: bool) -> list[Problem]:
    found = []
    if sm is None:
        found.append(
            Problem("the peer does not speak TLS 1.3 with SM2, SM3, SM4 (RFC 8998)", "put a channel or gateway there")
        )
    elif asked and not sm.alert:
        found.append(
            Problem("the peer accepts a client without certificate", "have it ask for one: mutual authentication")
        )
    found += [
        Problem(
            "the peer also speaks {protocol} with {suite}",
            "switch it off: what carries important data speaks TLS 1.3 with SM2, SM3, SM4 only",
            values={"protocol": one.protocol, "suite": one.suite},
        )
        for one in rest
        if one.protocol not in OLD
    ]
    found += [
        Problem(
            "high risk: the peer still speaks {protocol}",
            "switch it off (GB/T 39786, high risks)",
            values={"protocol": one.protocol},
        )
        for one in rest
        if one.protocol in OLD
    ]
    return found


def _certificate_findings(chain: Sequence[bytes], anchors: Sequence[Certificate], called: str) -> list[Problem]:
    """Our own verdict on the chain; without anchors its dates and its name are judged no less."""
    at = now()
    try:
        leaf, *others = (parse_certificate(one) for one in chain)
        verify(leaf, others, anchors, at, Policy(profile=Profile.SERVER, host=called))
    except CryptoError as error:
        return list(error.problems)
    if leaf.not_after - at < SOON:
        return [
            Problem(
                "certificate {name} expires at {end:%Y-%m-%dT%H:%M:%SZ}",
                "have it renewed",
                values={"name": leaf.subject_text, "end": leaf.not_after},
            )
        ]
    return []


def _row(der: bytes) -> dict[str, Any]:
    one = x509.load_der_x509_certificate(der)
    return {
        "subject": one.subject.rfc4514_string(),
        "issuer": one.issuer.rfc4514_string(),
        "serial": f"{one.serial_number:x}",
        "not_before": one.not_valid_before_utc,
        "not_after": one.not_valid_after_utc,
        "signature": one.signature_algorithm_oid.dotted_string,
        "fingerprint": sm3_hex(der),
    }
