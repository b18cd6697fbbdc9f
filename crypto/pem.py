"""PEM (RFC 7468): the strict form, one label wanted at a time."""

from __future__ import annotations

import base64
import binascii
import re

from crypto.errors import InvalidEncoding

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n?-----END \1-----")


def encode(label: str, der: bytes) -> bytes:
    """Lines of 64 characters, LF."""
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def blocks(data: bytes) -> list[tuple[str, bytes]]:
    """(label, DER) of every block in order; raises InvalidEncoding if there is none or its base64 is broken."""
    found: list[tuple[str, bytes]] = []
    for label, body in _BLOCK.findall(data):
        try:
            found.append((label.decode(), base64.b64decode(b"".join(body.split()), validate=True)))
        except binascii.Error:
            raise InvalidEncoding(
                "broken base64 in the PEM block {label}", "get the file again", label=label.decode()
            ) from None
    if not found:
        raise InvalidEncoding("no PEM block found", "give a PEM file: it holds a line -----BEGIN …-----")
    return found
