"""SM2 signatures and SM4-GCM of a library built from ``native/accelerator`` (Go, emmansun/gmsm): for much signing.

It is loaded by the path in ``[crypto] accelerator_library`` and never by default. The Go runtime has threads of its own
that do not survive fork(2): a process that was forked after loading is refused.
"""

from __future__ import annotations

import ctypes as c
import os
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from crypto.errors import AuthenticationFailed, CryptoError, InvalidKey, ProviderUnavailable
from crypto.providers.base import About, Capability

TAG_BYTES = 16
SIGNATURE_BYTES = 72
_HANDLE, _INT, _SIZE, _BYTES, _OUT = c.c_size_t, c.c_int, c.c_size_t, c.c_char_p, c.c_void_p
_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "yw_library": (_BYTES, []),
    "yw_private_new": (_HANDLE, [_BYTES, _BYTES]),
    "yw_public_new": (_HANDLE, [_BYTES]),
    "yw_free": (None, [_HANDLE]),
    "yw_sign": (_INT, [_HANDLE, _BYTES, _OUT]),
    "yw_verify": (_INT, [_HANDLE, _BYTES, _BYTES, _SIZE]),
    "yw_gcm_seal": (_INT, [_BYTES, _BYTES, _BYTES, _SIZE, _BYTES, _SIZE, _OUT]),
    "yw_gcm_open": (_INT, [_BYTES, _BYTES, _BYTES, _SIZE, _BYTES, _SIZE, _OUT]),
}
CAPABILITIES = frozenset({Capability.SM2_SIGN, Capability.SM2_VERIFY, Capability.SM4_GCM})


class _Key:
    """A key in the library, freed with the object, in the process that made it."""

    __slots__ = ("_free", "_pid", "handle")

    def __init__(self, handle: int, free: Any) -> None:
        self.handle = handle
        self._free = free
        self._pid = os.getpid()

    def __del__(self) -> None:
        if os.getpid() == self._pid:
            self._free(self.handle)


class AcceleratorProvider:
    """Ten times the signatures of libcrypto, twice its SM4-GCM: measured by ``bench/crypto.py``."""

    name = "accelerator"

    def __init__(self, library: str) -> None:
        self._path = library
        self._pid = os.getpid()

    @cached_property
    def _library(self) -> Any:
        if not self._path or not Path(self._path).is_absolute():
            raise ProviderUnavailable(
                "no library is named for the provider {name}",
                "set its absolute path under [crypto]",
                where=f"[crypto] {self.name}_library",
                name=self.name,
            )
        try:
            return _bound(c.CDLL(self._path))
        except (OSError, AttributeError) as error:
            raise ProviderUnavailable(
                "{path} cannot be used: {why}",
                "build it by native/accelerator/build.sh on this machine",
                where=f"[crypto] {self.name}_library",
                path=self._path,
                why=error,
            ) from None

    @property
    def _lib(self) -> Any:
        if os.getpid() != self._pid:
            raise ProviderUnavailable(
                "the accelerator does not survive a fork of its process",
                "start worker processes afresh, or take it out of [crypto] providers",
                where="[crypto] providers",
            )
        return self._library

    @cached_property
    def about(self) -> About:
        library, _, version = self._lib.yw_library().decode().partition(" ")
        return About(name=self.name, library=library, version=version, file=self._path, capabilities=CAPABILITIES)

    def load_private(self, scalar: bytes, point: bytes) -> _Key:
        return self._key(self._lib.yw_private_new(scalar, point[1:]))

    def load_public(self, point: bytes) -> _Key:
        return self._key(self._lib.yw_public_new(point[1:]))

    def _key(self, handle: int) -> _Key:
        if not handle:
            raise InvalidKey("the library refuses this SM2 key", "generate a new key: yw crypto keygen --out KEY.pem")
        return _Key(handle, self._lib.yw_free)

    def sign(self, handle: object, digest: bytes) -> bytes:
        out = c.create_string_buffer(SIGNATURE_BYTES)
        size = self._lib.yw_sign(cast("_Key", handle).handle, digest, out)
        if size <= 0:
            raise CryptoError("the accelerator refused to sign", "run `yw crypto selftest`")
        return out.raw[:size]

    def verify(self, handle: object, digest: bytes, signature: bytes) -> bool:
        found = self._lib.yw_verify(cast("_Key", handle).handle, digest, signature, len(signature))
        return cast("int", found) == 1

    def gcm_seal(self, key: bytes, nonce: bytes, text: bytes, aad: bytes) -> bytes:
        out = _Room(len(text) + TAG_BYTES)
        if self._lib.yw_gcm_seal(key, nonce, text, len(text), aad, len(aad), out.address) != 1:
            raise CryptoError("the accelerator refused to encrypt", "run `yw crypto selftest`")
        return out.taken()

    def gcm_open(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        out = _Room(len(sealed))
        if self._lib.yw_gcm_open(key, nonce, sealed, len(sealed), aad, len(aad), out.address) != 1:
            raise AuthenticationFailed
        return out.taken(len(sealed) - TAG_BYTES)


class _Room:
    """Memory for an answer; a bytearray, for ctypes would fill a buffer with zeros and copy it once more."""

    def __init__(self, size: int) -> None:
        self._bytes = bytearray(size)
        self._view = (c.c_char * size).from_buffer(self._bytes)
        self.address = c.addressof(self._view)

    def taken(self, size: int | None = None) -> bytes:
        return bytes(memoryview(self._bytes)[:size])


def _bound(library: c.CDLL) -> c.CDLL:
    """Set argument and result types; AttributeError if a function is missing."""
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
