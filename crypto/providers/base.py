"""What a provider is: named capabilities and the operations behind them.

Providers get checked input only: ranges, points and encodings are validated before (``crypto.curve``, ``crypto.der``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self


class Capability(StrEnum):
    """What a provider may be asked for."""

    SM3 = "sm3"
    HMAC_SM3 = "hmac-sm3"
    PBKDF2_SM3 = "pbkdf2-hmac-sm3"
    HKDF_SM3 = "hkdf-sm3"
    SM4_GCM = "sm4-gcm"
    SM4_CBC = "sm4-cbc"
    SM2 = "sm2"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What ``yw crypto providers`` shows.

    Attributes:
        library: Name of the library that computes, with ``version``.
        file: Where it was loaded from.
    """

    name: str
    library: str
    version: str
    file: str
    capabilities: frozenset[Capability]


def split_version(text: str) -> tuple[str, str]:
    """``OpenSSL 3.0.19 27 Jan 2026`` to name and version."""
    library, _, rest = text.partition(" ")
    return library, rest.partition(" ")[0]


class Hasher(Protocol):
    """A running SM3 digest."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes:
        """The digest so far; more may follow."""
        ...

    def copy(self) -> Self: ...


class Provider(Protocol):
    """Has a name and says what it can do; the operations are in the protocols below, one a capability."""

    @property
    def about(self) -> About: ...


class Digests(Provider, Protocol):
    """``sm3``."""

    def sm3(self, data: bytes = b"", /) -> Hasher: ...


class Macs(Provider, Protocol):
    """``hmac-sm3``."""

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes: ...


class Derivations(Provider, Protocol):
    """``pbkdf2-hmac-sm3`` and ``hkdf-sm3``."""

    def pbkdf2_sm3(self, passphrase: bytes, salt: bytes, rounds: int, length: int) -> bytes: ...

    def hkdf_sm3(self, secret: bytes, salt: bytes, info: bytes, length: int) -> bytes: ...


class Ciphers(Provider, Protocol):
    """``sm4-gcm`` and ``sm4-cbc``; keys of 16 bytes."""

    def gcm_seal(self, key: bytes, nonce: bytes, text: bytes, aad: bytes) -> bytes:
        """Ciphertext followed by the 16-byte tag."""
        ...

    def gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """The text; raises AuthenticationFailed."""
        ...

    def cbc_encrypt(self, key: bytes, iv: bytes, blocks: bytes) -> bytes: ...

    def cbc_decrypt(self, key: bytes, iv: bytes, blocks: bytes) -> bytes: ...


class Signatures(Provider, Protocol):
    """``sm2``; handles are the provider's own loaded keys, points are 04||x||y, signatures strict DER."""

    def point_of(self, scalar: bytes) -> bytes:
        """The point dG of a 32-byte scalar in [1, n-2]."""
        ...

    def load_private(self, scalar: bytes, point: bytes) -> object: ...

    def load_public(self, point: bytes) -> object: ...

    def sign(self, handle: object, data: bytes, identifier: bytes) -> bytes: ...

    def verify(self, handle: object, signature: bytes, data: bytes, identifier: bytes) -> bool: ...
