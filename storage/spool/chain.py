"""The SM3 chain of CONTRACT §7 over the bodies of spooled entries: h0 = 32 zero bytes, hn = SM3(hn-1 || SM3(body n))."""

from __future__ import annotations

import hashlib

ZERO_HEAD = bytes(32)
_EMPTY = hashlib.new("sm3")


def sm3(data: bytes) -> bytes:
    """SM3 digest, 32 bytes."""
    digest = _EMPTY.copy()
    digest.update(data)
    return digest.digest()


def link(head: bytes, body: bytes) -> bytes:
    """The chain's head after one more entry."""
    return sm3(head + sm3(body))
