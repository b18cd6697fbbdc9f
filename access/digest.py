"""SM3 as access uses it: the chain of the audit log, and the hashes under which random secrets are kept."""

from __future__ import annotations

import hashlib


def sm3(data: bytes) -> bytes:
    """SM3 digest, 32 bytes (GB/T 32905-2016)."""
    return hashlib.new("sm3", data).digest()


def hashed(secret: str) -> str:
    """SM3 hex of a random secret of >= 128 bits; never for passwords, which need a slow hash."""
    return sm3(secret.encode()).hex()
