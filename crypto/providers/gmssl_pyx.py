"""SM2, SM3, HMAC and SM4-GCM of ``gmssl_pyx`` (GmSSL 3 in C), an optional extra and a second opinion.

Two of its habits stay behind the front: it accepts other nonces and shorter tags than ours, and it prints a trace to
stderr for each signature or ciphertext that does not hold, which an attacker can use to fill a log.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from crypto.errors import AuthenticationFailed, ProviderUnavailable
from crypto.providers.base import About, Capability

TAG_BYTES = 16
CAPABILITIES = frozenset(
    {
        Capability.SM2_SIGN,
        Capability.SM2_VERIFY,
        Capability.SM2_ENCRYPT,
        Capability.SM2_DECRYPT,
        Capability.SM4_GCM,
        Capability.HMAC_SM3,
    }
)


class GmsslPyxProvider:
    """GmSSL by its Python extension; a handle is the key itself."""

    name = "gmssl_pyx"

    @cached_property
    def _module(self) -> Any:
        try:
            import gmssl_pyx  # noqa: PLC0415 - optional
        except ImportError:
            raise ProviderUnavailable(
                "the provider {name} needs a package that is not installed",
                "install it: pip install 'yunwang[{name}]'",
                where="[crypto] providers",
                name=self.name,
            ) from None
        return gmssl_pyx

    @cached_property
    def about(self) -> About:
        module = self._module
        return About(
            name=self.name,
            library="gmssl_pyx",
            version=str(module.version),
            file=str(module.gmsslext.__file__),
            capabilities=CAPABILITIES,
        )

    def load_private(self, scalar: bytes, point: bytes) -> bytes:
        del point
        return scalar

    def load_public(self, point: bytes) -> bytes:
        return point[1:]

    def sign(self, handle: object, digest: bytes) -> bytes:
        return cast("bytes", self._module.sm2_sign_sm3_digest(handle, digest))

    def verify(self, handle: object, digest: bytes, signature: bytes) -> bool:
        try:
            return bool(self._module.sm2_verify_sm3_digest(handle, digest, signature))
        except self._module.GmsslInnerError:
            return False

    def encrypt(self, handle: object, text: bytes) -> bytes:
        return cast("bytes", self._module.sm2_encrypt(handle, text))

    def decrypt(self, handle: object, ciphertext: bytes) -> bytes:
        try:
            return cast("bytes", self._module.sm2_decrypt(handle, ciphertext))
        except self._module.GmsslInnerError:
            raise AuthenticationFailed from None

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        return cast("bytes", self._module.sm3_hmac(key, data))

    def gcm_seal(self, key: bytes, nonce: bytes, text: bytes, aad: bytes) -> bytes:
        sealed, tag = self._module.sm4_gcm_encrypt(key, nonce, aad, text)
        return cast("bytes", sealed + tag)

    def gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        try:
            text = self._module.sm4_gcm_decrypt(key, nonce, aad, sealed[:-TAG_BYTES], sealed[-TAG_BYTES:])
        except self._module.GmsslInnerError:
            raise AuthenticationFailed from None
        return cast("bytes", text)
