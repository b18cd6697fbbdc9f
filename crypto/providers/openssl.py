"""SM2 of a libcrypto, by ctypes. Thread safe: handles are only read, contexts live one call, ctypes releases the GIL.

The user id is always set: before OpenSSL 4.0 the default is empty, and such signatures fail elsewhere.
"""

from __future__ import annotations

import ctypes as c
from functools import cached_property
from typing import Any, cast

from crypto.curve import UNCOMPRESSED, pkcs8, spki
from crypto.errors import CryptoError, InvalidKey
from crypto.providers import libcrypto
from crypto.providers.base import About, Capability, split_version

NID_SM2 = 1172
SIGNATURE_BYTES = 80  # a DER signature has at most 72


class _Key:
    """An EVP_PKEY that is freed with the object."""

    __slots__ = ("_free", "pointer")

    def __init__(self, pointer: int, free: Any) -> None:
        self.pointer = pointer
        self._free = free

    def __del__(self) -> None:
        self._free(self.pointer)


class OpensslProvider:
    """SM2 signatures."""

    name = "openssl"

    @cached_property
    def _lib(self) -> Any:
        return libcrypto.load()

    @cached_property
    def _sm3(self) -> int:
        return cast("int", self._checked(self._lib.EVP_MD_fetch(None, b"SM3", None)))

    @cached_property
    def about(self) -> About:
        library, version = split_version(self._lib.OpenSSL_version(0).decode())
        file = libcrypto.file_of(self._lib)
        return About(
            name=self.name, library=library, version=version, file=file, capabilities=frozenset({Capability.SM2})
        )

    def point_of(self, scalar: bytes) -> bytes:
        lib = self._lib
        group = self._checked(lib.EC_GROUP_new_by_curve_name(NID_SM2))
        point, number = lib.EC_POINT_new(group), lib.BN_bin2bn(scalar, len(scalar), None)
        out = c.create_string_buffer(65)
        try:
            self._checked(lib.EC_POINT_mul(group, point, number, None, None, None))
            self._checked(lib.EC_POINT_point2oct(group, point, UNCOMPRESSED, out, len(out), None))
        finally:
            lib.BN_clear_free(number)
            lib.EC_POINT_free(point)
            lib.EC_GROUP_free(group)
        return out.raw

    def load_private(self, scalar: bytes, point: bytes) -> _Key:
        return self._load(self._lib.d2i_AutoPrivateKey, pkcs8(scalar, point))

    def load_public(self, point: bytes) -> _Key:
        return self._load(self._lib.d2i_PUBKEY, spki(point))

    def _load(self, read: Any, der: bytes) -> _Key:
        pointer = read(None, c.byref(c.c_char_p(der)), len(der))
        if not pointer:
            self._lib.ERR_clear_error()
            raise InvalidKey("the library refuses this SM2 key", "generate a new key: yw crypto keygen --out KEY.pem")
        return _Key(pointer, self._lib.EVP_PKEY_free)

    def sign(self, handle: object, data: bytes, identifier: bytes) -> bytes:
        lib, key = self._lib, cast("_Key", handle).pointer
        out, size = c.create_string_buffer(SIGNATURE_BYTES), c.c_size_t(SIGNATURE_BYTES)
        context, key_context = self._contexts(key, identifier)
        try:
            self._checked(lib.EVP_DigestSignInit(context, None, self._sm3, None, key))
            self._checked(lib.EVP_DigestSign(context, out, c.byref(size), data, len(data)) == 1)
        finally:
            lib.EVP_MD_CTX_free(context)
            lib.EVP_PKEY_CTX_free(key_context)
        return out.raw[: size.value]

    def verify(self, handle: object, signature: bytes, data: bytes, identifier: bytes) -> bool:
        lib, key = self._lib, cast("_Key", handle).pointer
        context, key_context = self._contexts(key, identifier)
        try:
            self._checked(lib.EVP_DigestVerifyInit(context, None, self._sm3, None, key))
            holds: bool = lib.EVP_DigestVerify(context, signature, len(signature), data, len(data)) == 1
        finally:
            lib.EVP_MD_CTX_free(context)
            lib.EVP_PKEY_CTX_free(key_context)
        if not holds:
            lib.ERR_clear_error()
        return holds

    def _contexts(self, key: int, identifier: bytes) -> tuple[int, int]:
        """A digest context and the key context that carries the user id; the caller frees both."""
        lib = self._lib
        context, key_context = lib.EVP_MD_CTX_new(), lib.EVP_PKEY_CTX_new(key, None)
        if lib.EVP_PKEY_CTX_set1_id(key_context, identifier, len(identifier)) != 1:
            lib.EVP_MD_CTX_free(context)
            lib.EVP_PKEY_CTX_free(key_context)
            self._checked(0)
        lib.EVP_MD_CTX_set_pkey_ctx(context, key_context)
        return context, key_context

    def _checked(self, result: Any) -> Any:
        """The result of a call that must not fail; clears the error queue of this thread when it did."""
        if not result or (isinstance(result, int) and result < 0):
            self._lib.ERR_clear_error()
            raise CryptoError(
                "libcrypto refused an SM2 operation", "run `yw crypto selftest` and check the library it names"
            )
        return result
