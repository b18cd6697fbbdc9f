"""What a parser gets, and what it says when it cannot go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One line, datagram or record as it came in.

    Attributes:
        format: A parser's name, or ``auto``.
        peer: Address of the sender, without port; empty for files.
    """

    payload: bytes
    received_at: datetime
    format: str = "auto"
    peer: str = ""


class UnparsableError(Exception):
    """The payload is not what the parser reads; the text says why."""


def decode(payload: bytes) -> str:
    """UTF-8, else GB18030 (GB/T 18030, what older devices send); raises UnparsableError for neither."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        pass
    try:
        return payload.decode("gb18030")
    except UnicodeDecodeError:
        raise UnparsableError("neither UTF-8 nor GB18030") from None
