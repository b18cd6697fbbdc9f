"""Syslog (RFC 5424) over UDP (RFC 5426), TCP with counted octets (RFC 6587) or TLS (RFC 5425)."""

from __future__ import annotations

import os
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC

from notify.notice import Delivered, Failed, Message, Notice, Receipt, Retry, Why
from notify.text import flat, within
from notify.web import ending, reason
from records.alarms import Level

FACILITY = 16  # local0
SEVERITIES = {Level.CRITICAL: 2, Level.HIGH: 3, Level.MEDIUM: 4, Level.LOW: 5}
LONGEST_BYTES = 8192
LONGEST_DATAGRAM = 2048  # RFC 5424 §6.1: what every receiver should take
ENTERPRISE = "yunwang@32473"  # 32473 is reserved for examples (RFC 5612); we have no number of our own


@dataclass(frozen=True, slots=True, kw_only=True)
class Syslog:
    """One receiver. Syslog has no answer: ``delivered`` means that the system took it, over UDP not even that."""

    protocol: str
    host: str
    port: int
    ca: str
    seconds: float

    def send(self, message: Message) -> Receipt:
        longest = LONGEST_DATAGRAM if self.protocol == "udp" else LONGEST_BYTES
        frames = [frame(one, message, longest) for one in message.notices]
        try:
            self._send_all(frames)
        except ssl.SSLCertVerificationError as error:
            return Failed(why=Why("its certificate is not to be trusted: {reason}", {"reason": error.verify_message}))
        except (OSError, ValueError) as error:
            reached = not isinstance(error, (ConnectionRefusedError, socket.gaierror))
            return Retry(why=Why("cannot connect: {reason}", {"reason": reason(error)}), reached=reached)
        return Delivered()

    def _send_all(self, frames: list[bytes]) -> None:
        if self.protocol == "udp":
            self._send_datagrams(frames)
            return
        data = b"".join(b"%d %s" % (len(one), one) for one in frames)
        plain = socket.create_connection((self.host, self.port), timeout=self.seconds)
        with plain, ending(lambda: plain, self.seconds):
            self._send_stream(plain, data)

    def _send_stream(self, plain: socket.socket, data: bytes) -> None:
        if self.protocol == "tcp":
            plain.sendall(data)
            return
        context = ssl.create_default_context(cafile=self.ca or None)
        with context.wrap_socket(plain, server_hostname=self.host) as stream:
            stream.sendall(data)

    def _send_datagrams(self, frames: list[bytes]) -> None:
        family, kind, _, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as stream:
            stream.connect(address)
            for one in frames:
                stream.send(one)


def frame(one: Notice, message: Message, longest: int) -> bytes:
    """One notice as one message of RFC 5424; cut at a character's edge where it is too long."""
    priority = FACILITY * 8 + SEVERITIES[one.level]
    at = one.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    host = re.sub(r"[^!-~]", "-", socket.gethostname())[:255] or "-"
    data = {"id": one.id, "level": one.level.value, "org": one.organisation or "", "alert": one.alert or ""}
    data |= {"message": message.id, "repeated": "true" if message.repeated else "false"}
    held = " ".join(f'{name}="{_quoted(value)}"' for name, value in data.items() if value)
    text = " | ".join(flat(line) for line in (one.title, *one.body))
    head = f"<{priority}>1 {at} {host} yunwang {os.getpid()} {_printable(one.kind)} [{ENTERPRISE} {held}] \ufeff"
    return within(head + text, longest).encode()


def _printable(kind: str) -> str:
    return re.sub(r"[^!-~]", "-", kind)[:32] or "-"


def _quoted(value: str) -> str:
    """RFC 5424 §6.3.3: quote, backslash and closing bracket are escaped."""
    return re.sub(r'(["\\\]])', r"\\\1", flat(value))
