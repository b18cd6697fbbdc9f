"""Listening sockets that outlive the process that serves them: the supervisor opens, a child inherits."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from records.errors import UserError

PREFIX = "YW_FD_"
RECEIVE_BYTES = 32 * 2**20


def split_address(text: str, where: str) -> tuple[str, int]:
    """``HOST:PORT`` or ``[IPv6]:PORT``; raises UserError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004 - the largest port
        raise UserError("'{value}' is no HOST:PORT", "write e.g. 127.0.0.1:5514", where=where, value=text)
    return host.strip("[]"), int(port)


def listen(kind: str, address: str, where: str) -> socket.socket:
    """A bound socket: ``tcp`` (listening) or ``udp``; raises UserError if the port is taken or not allowed."""
    host, port = split_address(address, where)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    try:
        if kind == "tcp":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            _widen(opened)
        opened.bind((host, port))
        if kind == "tcp":
            opened.listen(1024)
    except OSError as error:
        opened.close()
        reason = error.strerror or error
        advice = "stop what listens there, or choose another port"
        raise UserError(
            "cannot listen on {address}: {reason}", advice, where=where, address=address, reason=reason
        ) from error
    opened.setblocking(False)
    return opened


def _widen(opened: socket.socket) -> None:
    for option in (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF):  # the first needs CAP_NET_ADMIN
        with suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BYTES)
            return


def inherited(name: str) -> socket.socket | None:
    """The socket that the supervisor handed down under this name, if any."""
    number = os.environ.get(PREFIX + name.upper())
    if not number:
        return None
    opened = socket.socket(fileno=int(number))
    opened.setblocking(False)
    return opened


def url_of(opened: socket.socket, *, tls: bool) -> str:
    """The address that a browser on this machine uses."""
    host, port = opened.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - only shown
    return f"{'https' if tls else 'http'}://{shown}:{port}/"
