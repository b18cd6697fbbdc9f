"""SM3 of CPython's own ``hashlib``, where the OpenSSL it links has it: the quickest per call, so it stands first."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from functools import cached_property
from typing import Protocol, cast

from crypto.providers.base import About, Capability, Hasher, split_version


class StdlibProvider:
    """``hashlib.new("sm3")`` and HMAC on it; nothing if this Python has no SM3."""

    name = "hashlib"

    @cached_property
    def about(self) -> About:
        has_sm3 = "sm3" in hashlib.algorithms_available
        capabilities = frozenset({Capability.SM3, Capability.HMAC_SM3} if has_sm3 else ())
        library, version = split_version(ssl.OPENSSL_VERSION)
        return About(name=self.name, library=library, version=version, file=_file(), capabilities=capabilities)

    @cached_property
    def _fresh(self) -> Hasher:
        return cast("Hasher", hashlib.new("sm3"))

    def sm3(self, data: bytes = b"", /) -> Hasher:
        """A copy of a fresh digest: a third quicker than looking the algorithm up by name each time."""
        hasher = self._fresh.copy()
        if data:
            hasher.update(data)
        return hasher

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, "sm3")


class _Module(Protocol):
    __file__: str


def _file() -> str:
    import _hashlib  # noqa: PLC0415 - a Python without OpenSSL has none, and then no SM3 either

    return str(cast("_Module", _hashlib).__file__)
