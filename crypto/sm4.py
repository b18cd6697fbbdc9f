"""SM4-GCM (GB/T 32907-2016, RFC 8998): 16-byte key, 96-bit nonce, 16-byte tag, nothing else.

One key may seal at most 2**32 messages with random nonces (NIST SP 800-38D §8.3).
"""

from __future__ import annotations

import secrets

from crypto.errors import AuthenticationFailed, InvalidKey
from crypto.providers import registry

KEY_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16


def new_key() -> bytes:
    """A random key."""
    return secrets.token_bytes(KEY_BYTES)


def new_nonce() -> bytes:
    """A random nonce."""
    return secrets.token_bytes(NONCE_BYTES)


def seal(key: bytes, nonce: bytes, text: bytes, aad: bytes = b"") -> bytes:
    """Ciphertext followed by the tag. Never use a nonce twice with one key."""
    _check(key, nonce)
    return registry.ciphers().gcm_seal(key, nonce, text, aad)


def open_sealed(key: bytes, nonce: bytes, sealed: bytes, aad: bytes = b"") -> bytes:
    """The text; nothing of it is given out before the tag holds. Raises AuthenticationFailed."""
    _check(key, nonce)
    if len(sealed) < TAG_BYTES:
        raise AuthenticationFailed
    return registry.ciphers().gcm_open(key, nonce, sealed, aad)


def _check(key: bytes, nonce: bytes) -> None:
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise InvalidKey("SM4-GCM takes a key of 16 bytes and a nonce of 12", "check where the key comes from")
