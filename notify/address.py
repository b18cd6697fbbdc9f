"""Where a web channel may connect to: a name is resolved once, looked at, and the connection goes to that address.

A notice's address comes from a configuration, and a platform that can be made to ask its own loopback or the cloud's
metadata service is a door into the house (SSRF). A name that answers differently the second time (DNS rebinding) gains
nothing: there is no second time.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from notify.notice import Why

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

METADATA = frozenset(
    ipaddress.ip_address(one)
    for one in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_PORTS = {"http": 80, "https": 443}


class AddressError(Exception):
    """The address is not one to connect to; carries the reason."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.template.format_map(dict(why.values)))
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A web address, taken apart.

    Attributes:
        path: With the query, as it goes onto the wire.
    """

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The ``Host`` header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.secure else "http"] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Take a URL apart; raises AddressError for what is no http or https address, or carries a user or a password."""
    if not url.isascii() or any(one <= " " or one == "\x7f" for one in url):
        raise AddressError(Why("the address holds characters that no URL may hold"))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(Why("no URL: {reason}", {"reason": str(error)})) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise AddressError(Why("the address is no http or https URL"))
    if "@" in parts.netloc or "\\" in url:
        raise AddressError(Why("the address must not hold a user or a password"))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(secure=parts.scheme == "https", host=parts.hostname, port=port or _PORTS[parts.scheme], path=path)


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, in the order of the system; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def allowed(target: Target, *, private: bool, ask: Resolve = resolve) -> str:
    """The address to connect to.

    Raises:
        AddressError: One of the name's addresses is not allowed: then none is used.
        OSError: The name does not resolve.
    """
    found = [ipaddress.ip_address(one.partition("%")[0]) for one in ask(target.host, target.port)]
    if not found:
        raise OSError(f"no address for {target.host}")
    for one in found:
        check(one, private=private)
    return str(found[0])


def check(address: Address, *, private: bool) -> None:
    """Return quietly if one may connect there, else raise AddressError.

    ``private`` opens loopback and private networks; link-local, metadata, multicast and unspecified stay closed.
    """
    inner = embedded(address)
    told = {"address": str(address)}
    if inner in METADATA or inner.is_link_local or inner.is_multicast or inner.is_unspecified:
        raise AddressError(Why("{address} is no address that a notice may go to", told))
    if not inner.is_global and not private:
        raise AddressError(Why("{address} is a private address, and the channel does not say private = true", told))


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (RFC 4291 §2.5.5, RFC 6052, RFC 3056), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    compatible = int(address) >> 32 == 0 and int(address) > 1
    inner = address.ipv4_mapped or address.sixtofour or (ipaddress.IPv4Address(int(address)) if compatible else None)
    return inner or address
