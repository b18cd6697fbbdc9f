"""SM3, HMAC, key derivation and SM4 of ``cryptography``, which bundles its own OpenSSL; it has no SM2 keys."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.bindings import _rust
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from crypto.errors import AuthenticationFailed
from crypto.providers.base import About, Capability, split_version

TAG_BYTES = 16


class _Hasher:
    """``hashes.Hash`` with a digest that may be read more than once."""

    __slots__ = ("_hash",)

    def __init__(self, running: hashes.Hash) -> None:
        self._hash = running

    def update(self, data: bytes, /) -> None:
        self._hash.update(data)

    def digest(self) -> bytes:
        return self._hash.copy().finalize()

    def copy(self) -> Self:
        return type(self)(self._hash.copy())


class PycaProvider:
    """Everything symmetric."""

    name = "pyca"

    @cached_property
    def about(self) -> About:
        library, version = split_version(backend.openssl_version_text())
        file = str(_rust.__file__)
        return About(name=self.name, library=library, version=version, file=file, capabilities=_capabilities())

    def sm3(self, data: bytes = b"", /) -> _Hasher:
        running = hashes.Hash(hashes.SM3())
        running.update(data)
        return _Hasher(running)

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        running = hmac.HMAC(key, hashes.SM3())
        running.update(data)
        return running.finalize()

    def pbkdf2_sm3(self, passphrase: bytes, salt: bytes, rounds: int, length: int) -> bytes:
        return PBKDF2HMAC(hashes.SM3(), length, salt, rounds).derive(passphrase)

    def hkdf_sm3(self, secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        return HKDF(hashes.SM3(), length, salt, info).derive(secret)

    def gcm_seal(self, key: bytes, nonce: bytes, text: bytes, aad: bytes) -> bytes:
        running = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
        running.authenticate_additional_data(aad)
        return running.update(text) + running.finalize() + running.tag

    def gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        running = Cipher(algorithms.SM4(key), modes.GCM(nonce, sealed[-TAG_BYTES:])).decryptor()
        running.authenticate_additional_data(aad)
        text = running.update(sealed[:-TAG_BYTES])
        try:
            return text + running.finalize()
        except (InvalidTag, ValueError):  # ValueError where other calls of this thread left errors in OpenSSL's queue
            raise AuthenticationFailed from None

    def cbc_encrypt(self, key: bytes, iv: bytes, blocks: bytes) -> bytes:
        running = Cipher(algorithms.SM4(key), modes.CBC(iv)).encryptor()
        return running.update(blocks) + running.finalize()

    def cbc_decrypt(self, key: bytes, iv: bytes, blocks: bytes) -> bytes:
        running = Cipher(algorithms.SM4(key), modes.CBC(iv)).decryptor()
        return running.update(blocks) + running.finalize()


def _capabilities() -> frozenset[Capability]:
    """What this wheel was really built with: upstream treats SM as best effort."""
    found: set[Capability] = set()
    if backend.hash_supported(hashes.SM3()):
        found |= {Capability.SM3, Capability.HMAC_SM3, Capability.PBKDF2_SM3, Capability.HKDF_SM3}
    key = algorithms.SM4(bytes(16))
    if backend.cipher_supported(key, modes.GCM(bytes(12))):
        found.add(Capability.SM4_GCM)
    if backend.cipher_supported(key, modes.CBC(bytes(16))):
        found.add(Capability.SM4_CBC)
    return frozenset(found)
