"""Hashes under which random secrets are kept."""

from __future__ import annotations

from crypto.sm3 import sm3_hex


def hashed(secret: str) -> str:
    """SM3 hex of a random secret of >= 128 bits; never for passwords, which need a slow hash."""
    return sm3_hex(secret.encode())
