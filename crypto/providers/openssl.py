"""SM2 of a libcrypto, by ctypes. Thread safe: handles are only read, a context serves one call at a time, GIL released.

Only the digest form is used: ZA is computed in ``crypto.sm2``, for before OpenSSL 4.0 the user id is empty by default.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from crypto.curve import FIELD_BYTES, POINT_BYTES, UNCOMPRESSED, pkcs8, spki
from crypto.errors import AuthenticationFailed, InvalidKey, InvalidPoint
from crypto.providers import libcrypto
from crypto.providers.base import SM2, About, split_version

NID_SM2 = 1172
SIGNATURE_BYTES = 80  # a DER signature has at most 72
OVERHEAD_BYTES = 112  # of a DER ciphertext: C1 with two sign bytes, C3, tags and lengths are at most 110


class _Key:
    """An EVP_PKEY with the contexts made for it, all freed with the object.

    A context is taken from its list for one call and put back: ``list.pop`` and ``append`` are atomic, so no
    two threads ever have the same one.
    """

    __slots__ = ("_lib", "contexts", "pointer")

    def __init__(self, pointer: int, lib: Any) -> None:
        self.pointer = pointer
        self.contexts: dict[str, list[int]] = {"sign": [], "verify": [], "encrypt": [], "decrypt": []}
        self._lib = lib

    def __del__(self) -> None:
        for contexts in self.contexts.values():
            for context in contexts:
                self._lib.EVP_PKEY_CTX_free(context)
        self._lib.EVP_PKEY_free(self.pointer)


class OpensslProvider:
    """All of SM2."""

    name = "openssl"

    @cached_property
    def _lib(self) -> Any:
        return libcrypto.load()

    @cached_property
    def about(self) -> About:
        library, version = split_version(self._lib.OpenSSL_version(0).decode())
        return About(
            name=self.name, library=library, version=version, file=libcrypto.file_of(self._lib), capabilities=SM2
        )

    def load_private(self, scalar: bytes, point: bytes) -> _Key:
        return self._load(self._lib.d2i_AutoPrivateKey, pkcs8(scalar, point))

    def load_public(self, point: bytes) -> _Key:
        return self._load(self._lib.d2i_PUBKEY, spki(point))

    def _load(self, read: Any, der: bytes) -> _Key:
        pointer = read(None, c.byref(c.c_char_p(der)), len(der))
        if not pointer:
            self._lib.ERR_clear_error()
            raise InvalidKey("the library refuses this SM2 key", "generate a new key: yw crypto keygen --out KEY.pem")
        return _Key(pointer, self._lib)

    def sign(self, handle: object, digest: bytes) -> bytes:
        lib, out, size = self._lib, c.create_string_buffer(SIGNATURE_BYTES), c.c_size_t(SIGNATURE_BYTES)

        def call(context: int) -> int:
            return cast("int", lib.EVP_PKEY_sign(context, out, c.byref(size), digest, len(digest)))

        libcrypto.checked(self._lib, self._within(cast("_Key", handle), "sign", call) == 1)
        return out.raw[: size.value]

    def verify(self, handle: object, digest: bytes, signature: bytes) -> bool:
        lib = self._lib

        def call(context: int) -> int:
            return cast("int", lib.EVP_PKEY_verify(context, signature, len(signature), digest, len(digest)))

        return self._within(cast("_Key", handle), "verify", call) == 1

    def encrypt(self, handle: object, text: bytes) -> bytes:
        found = self._crypt(cast("_Key", handle), "encrypt", text, len(text) + OVERHEAD_BYTES)
        return cast("bytes", libcrypto.checked(self._lib, found))

    def decrypt(self, handle: object, ciphertext: bytes) -> bytes:
        text = self._crypt(cast("_Key", handle), "decrypt", ciphertext, len(ciphertext))
        if text is None:
            raise AuthenticationFailed
        return text

    def _crypt(self, key: _Key, what: str, data: bytes, room: int) -> bytes | None:
        out, size = c.create_string_buffer(room), c.c_size_t(room)
        function = getattr(self._lib, f"EVP_PKEY_{what}")

        def call(context: int) -> int:
            return cast("int", function(context, out, c.byref(size), data, len(data)))

        done = self._within(key, what, call) == 1
        found = out.raw[: size.value] if done else None
        if what == "decrypt":
            c.memset(out, 0, room)
        return found

    def _within(self, key: _Key, what: str, call: Callable[[int], int]) -> int:
        """What the call returns with a context of the key; the error queue is empty afterwards."""
        free = key.contexts[what]
        try:
            context = free.pop()
        except IndexError:
            context = self._context(key, what)
        result = call(context)
        free.append(context)
        if result != 1:
            self._lib.ERR_clear_error()
        return result

    def _context(self, key: _Key, what: str) -> int:
        context = libcrypto.checked(self._lib, self._lib.EVP_PKEY_CTX_new(key.pointer, None))
        if getattr(self._lib, f"EVP_PKEY_{what}_init")(context) != 1:
            self._lib.EVP_PKEY_CTX_free(context)
            libcrypto.checked(self._lib, 0)
        return cast("int", context)

    def point_of(self, scalar: bytes) -> bytes:
        with libcrypto.Arithmetic(self._lib, NID_SM2) as curve:
            product = curve.point()
            curve.call("EC_POINT_mul", product, curve.secret(scalar), None, None)
            return self._octets(curve, product)

    def shared_point(self, own: tuple[bytes, bytes, int], peer: tuple[bytes, bytes, int]) -> bytes:
        """In libcrypto alone: t and the product with it are secret, and its ladder takes the same time for every t."""
        with libcrypto.Arithmetic(self._lib, NID_SM2) as curve:
            factor = self._factor(curve, *own)
            total, part = curve.point(peer[0]), curve.point(peer[1])
            number = curve.secret(peer[2].to_bytes(FIELD_BYTES))
            curve.call("EC_POINT_mul", part, None, part, number)
            curve.call("EC_POINT_add", total, total, part)
            curve.call("EC_POINT_mul", total, None, total, factor)
            if self._lib.EC_POINT_is_at_infinity(curve.group, total):
                raise InvalidPoint("the key exchange ends in the point at infinity", "begin the exchange again")
            return self._octets(curve, total)

    def _factor(self, curve: libcrypto.Arithmetic, private: bytes, ephemeral: bytes, bar: int) -> int:
        """The exponent (d + x̄r) mod n."""
        lib, order = self._lib, self._lib.EC_GROUP_get0_order(curve.group)
        product, number = curve.secret(ephemeral), curve.secret(bar.to_bytes(FIELD_BYTES))
        libcrypto.checked(lib, lib.BN_mod_mul(product, product, number, order, curve.scratch))
        libcrypto.checked(lib, lib.BN_mod_add(product, product, curve.secret(private), order, curve.scratch))
        return product

    def _octets(self, curve: libcrypto.Arithmetic, point: int) -> bytes:
        out = c.create_string_buffer(POINT_BYTES)
        size = self._lib.EC_POINT_point2oct(curve.group, point, UNCOMPRESSED, out, len(out), curve.scratch)
        libcrypto.checked(self._lib, size == POINT_BYTES)
        return out.raw
