"""Hash chains (CONTRACT §7): h0 = 32 zero bytes, hn = SM3(hn-1 || SM3(payload n))."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator

from crypto.errors import DigestMismatch
from crypto.sm3 import sm3

GENESIS = bytes(32)


def link(previous: bytes, payload: bytes) -> bytes:
    """The hash after ``payload``, 32 bytes."""
    return sm3(previous + sm3(payload))


def link_digest(previous: bytes, payload_sm3: bytes) -> bytes:
    """The same where the payload's SM3 is known already."""
    return sm3(previous + payload_sm3)


def hashes(payloads: Iterable[bytes], start: bytes = GENESIS) -> Iterator[bytes]:
    """The hash after each payload."""
    for payload in payloads:
        start = sm3(start + sm3(payload))
        yield start


def head(payloads: Iterable[bytes], start: bytes = GENESIS) -> bytes:
    """The hash after the last payload; ``start`` if there is none."""
    for payload in payloads:
        start = sm3(start + sm3(payload))
    return start


def check_head(payloads: Iterable[bytes], expected: bytes, start: bytes = GENESIS) -> None:
    """Return quietly if the chain ends in ``expected``, else raise DigestMismatch."""
    if not hmac.compare_digest(head(payloads, start), expected):
        raise DigestMismatch(
            "the hash chain does not end in its recorded head",
            "compare with a backup: an entry was changed, added or removed",
        )
