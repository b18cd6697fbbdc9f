"""What a provider is: named capabilities and the operations behind them.

Providers get checked input only: ranges, points and encodings are validated before (``crypto.curve``, ``crypto.der``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from records.secret import Secret


class Capability(StrEnum):
    """What a provider may be asked for."""

    SM3 = "sm3"
    HMAC_SM3 = "hmac-sm3"
    PBKDF2_SM3 = "pbkdf2-hmac-sm3"
    HKDF_SM3 = "hkdf-sm3"
    SM4_GCM = "sm4-gcm"
    SM4_CBC = "sm4-cbc"
    SM2_POINT = "sm2.point"
    SM2_SIGN = "sm2.sign"
    SM2_VERIFY = "sm2.verify"
    SM2_ENCRYPT = "sm2.encrypt"
    SM2_DECRYPT = "sm2.decrypt"
    SM2_EXCHANGE = "sm2.exchange"
    SM2_DEVICE = "sm2.device"


SM2 = frozenset(one for one in Capability if one.value.startswith("sm2.")) - {Capability.SM2_DEVICE}
REQUIRED = frozenset(Capability) - {Capability.SM2_DEVICE}  # what the platform cannot run without


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


class Points(Provider, Protocol):
    """``sm2.point``: the public half of a private key. Points are 04||x||y, here and below."""

    def point_of(self, scalar: bytes) -> bytes:
        """The point dG of a 32-byte scalar in [1, n-2]."""
        ...


class PrivateLoader(Provider, Protocol):
    """Has private keys in a form of its own: the handle."""

    def load_private(self, scalar: bytes, point: bytes) -> object: ...


class PublicLoader(Provider, Protocol):
    """Has public keys in a form of its own."""

    def load_public(self, point: bytes) -> object: ...


class Signer(PrivateLoader, Protocol):
    """``sm2.sign``."""

    def sign(self, handle: object, digest: bytes) -> bytes:
        """A strict DER signature over e = SM3(ZA||M), 32 bytes."""
        ...


class Verifier(PublicLoader, Protocol):
    """``sm2.verify``."""

    def verify(self, handle: object, digest: bytes, signature: bytes) -> bool:
        """Whether a signature in strict DER, in range, holds for e."""
        ...


class Encryptor(PublicLoader, Protocol):
    """``sm2.encrypt``."""

    def encrypt(self, handle: object, text: bytes) -> bytes:
        """The ciphertext of 1 to 255 bytes, DER of GM/T 0009."""
        ...


class Decryptor(PrivateLoader, Protocol):
    """``sm2.decrypt``."""

    def decrypt(self, handle: object, ciphertext: bytes) -> bytes:
        """The text of a ciphertext in strict DER with C1 on the curve; raises AuthenticationFailed unless C3 holds."""
        ...


class Exchanger(Provider, Protocol):
    """``sm2.exchange``: the arithmetic of GB/T 32918.3-2016 §6.1 that holds secrets."""

    def shared_point(self, own: tuple[bytes, bytes, int], peer: tuple[bytes, bytes, int]) -> bytes:
        """The point [d + x̄r](P + [x̄']R) of both sides; raises InvalidPoint where it is the one at infinity.

        Args:
            own: Private key d and ephemeral r, 32 bytes each, and x̄ of the own ephemeral point.
            peer: Public key P and ephemeral point R, 65 bytes each, checked to be on the curve, and x̄' of R.
        """
        ...


class Device(Signer, Decryptor, Protocol):
    """``sm2.device``: signs and decrypts with keys that never leave the hardware."""

    def public_of(self, number: int, *, encryption: bool = False) -> bytes:
        """The public half of a key in the device."""
        ...

    def unlock(self, number: int, access_code: Secret, *, encryption: bool = False) -> object:
        """The handle of a key, its use permitted by the access code (私钥访问控制码)."""
        ...

    def answers(self) -> bool:
        """Whether it can be reached; raises ProviderUnavailable."""
        ...
