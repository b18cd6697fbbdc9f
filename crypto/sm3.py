"""SM3 (GB/T 32905-2016), HMAC-SM3 and key derivation on it; cheap per call, for the spool hashes every entry."""

from __future__ import annotations

import hmac
from pathlib import Path

from crypto.errors import CryptoError, DigestMismatch
from crypto.providers import registry
from crypto.providers.base import Capability, Hasher

DIGEST_BYTES = 32
CHUNK_BYTES = 1 << 20


def _first_start(data: bytes = b"", /) -> Hasher:
    """Choose and test the provider on first use, then step aside."""
    global _start  # noqa: PLW0603 - one look-up instead of three in each of 25 000 calls a second
    _start = registry.digests().sm3
    return _start(data)


_start = _first_start


def sm3(data: bytes) -> bytes:
    """The digest, 32 bytes."""
    return _start(data).digest()


def sm3_hex(data: bytes) -> str:
    """The digest in lower-case hex, as manifests and event ids carry it."""
    return _start(data).digest().hex()


class Sm3:
    """A running digest; ``digest()`` may be read more than once."""

    __slots__ = ("_hasher",)

    def __init__(self, data: bytes = b"", *, _hasher: Hasher | None = None) -> None:
        self._hasher = _start(data) if _hasher is None else _hasher

    def update(self, data: bytes) -> None:
        self._hasher.update(data)

    def digest(self) -> bytes:
        return self._hasher.digest()

    def hexdigest(self) -> str:
        return self._hasher.digest().hex()

    def copy(self) -> Sm3:
        """An independent digest that has read the same so far."""
        return Sm3(_hasher=self._hasher.copy())


def sm3_file(path: Path) -> bytes:
    """The digest of a file, read in pieces of 1 MiB."""
    hasher = _start()
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            hasher.update(piece)
    return hasher.digest()


def check_sm3(data: bytes, expected: bytes) -> None:
    """Return quietly if the digest matches, else raise DigestMismatch."""
    if not hmac.compare_digest(sm3(data), expected):
        raise DigestMismatch("the SM3 digest differs", "fetch the data again and compare its source")


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC-SM3 (GM/T 0042-2015), 32 bytes."""
    return registry.macs().hmac_sm3(key, data)


def pbkdf2_sm3(passphrase: bytes, salt: bytes, rounds: int, length: int) -> bytes:
    """PBKDF2 (RFC 8018 §5.2) with HMAC-SM3."""
    if rounds < 1 or length < 1:
        raise CryptoError("PBKDF2 needs at least one round and one byte", "check the header of the key file")
    return registry.derivations(Capability.PBKDF2_SM3).pbkdf2_sm3(passphrase, salt, rounds, length)


def hkdf_sm3(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF (RFC 5869) with HMAC-SM3."""
    return registry.derivations(Capability.HKDF_SM3).hkdf_sm3(secret, salt, info, length)
