"""Finding and binding a libcrypto >= 3.0 by ctypes: every function gets its types, else 64-bit pointers are cut."""

from __future__ import annotations

import ctypes as c
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from crypto.errors import CryptoError, ProviderUnavailable

MINIMUM = 0x3000_0000  # OpenSSL 3.0: OPENSSL_VERSION_NUMBER is 0xMNN00PP0
SONAMES = ("libcrypto.so.4", "libcrypto.so.3")
_P, _INT, _SIZE, _BYTES = c.c_void_p, c.c_int, c.c_size_t, c.c_char_p

SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "OpenSSL_version": (_BYTES, [_INT]),
    "OpenSSL_version_num": (c.c_ulong, []),
    "ERR_clear_error": (None, []),
    "EVP_PKEY_CTX_new": (_P, [_P, _P]),
    "EVP_PKEY_CTX_free": (None, [_P]),
    "EVP_PKEY_sign_init": (_INT, [_P]),
    "EVP_PKEY_sign": (_INT, [_P, _P, c.POINTER(_SIZE), _BYTES, _SIZE]),
    "EVP_PKEY_verify_init": (_INT, [_P]),
    "EVP_PKEY_verify": (_INT, [_P, _BYTES, _SIZE, _BYTES, _SIZE]),
    "EVP_PKEY_encrypt_init": (_INT, [_P]),
    "EVP_PKEY_encrypt": (_INT, [_P, _P, c.POINTER(_SIZE), _BYTES, _SIZE]),
    "EVP_PKEY_decrypt_init": (_INT, [_P]),
    "EVP_PKEY_decrypt": (_INT, [_P, _P, c.POINTER(_SIZE), _BYTES, _SIZE]),
    "EVP_PKEY_free": (None, [_P]),
    "d2i_AutoPrivateKey": (_P, [_P, c.POINTER(_BYTES), c.c_long]),
    "d2i_PUBKEY": (_P, [_P, c.POINTER(_BYTES), c.c_long]),
    "BN_bin2bn": (_P, [_BYTES, _INT, _P]),
    "BN_clear_free": (None, [_P]),
    "BN_CTX_secure_new": (_P, []),
    "BN_CTX_free": (None, [_P]),
    "BN_mod_mul": (_INT, [_P, _P, _P, _P, _P]),
    "BN_mod_add": (_INT, [_P, _P, _P, _P, _P]),
    "EC_GROUP_new_by_curve_name": (_P, [_INT]),
    "EC_GROUP_free": (None, [_P]),
    "EC_POINT_new": (_P, [_P]),
    "EC_POINT_clear_free": (None, [_P]),
    "EC_GROUP_get0_order": (_P, [_P]),
    "EC_POINT_add": (_INT, [_P, _P, _P, _P, _P]),
    "EC_POINT_is_at_infinity": (_INT, [_P, _P]),
    "EC_POINT_oct2point": (_INT, [_P, _P, _BYTES, _SIZE, _P]),
    "EC_POINT_mul": (_INT, [_P, _P, _P, _P, _P, _P]),
    "EC_POINT_point2oct": (_SIZE, [_P, _P, _INT, _P, _SIZE, _P]),
}


class Arithmetic:
    """One calculation on a curve: what is made within is wiped and freed at the end, whatever happens.

    Attributes:
        group: The EC_GROUP.
        scratch: A BN_CTX in secure memory.
    """

    def __init__(self, lib: Any, curve: int) -> None:
        self._lib = lib
        self.group = checked(lib, lib.EC_GROUP_new_by_curve_name(curve))
        self.scratch = lib.BN_CTX_secure_new()
        self._points: list[int] = []
        self._numbers: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._numbers:
            self._lib.BN_clear_free(number)
        for point in self._points:
            self._lib.EC_POINT_clear_free(point)
        self._lib.BN_CTX_free(self.scratch)
        self._lib.EC_GROUP_free(self.group)

    def point(self, octets: bytes | None = None) -> int:
        """A new point: infinity, or the one that 04||x||y tells."""
        self._points.append(checked(self._lib, self._lib.EC_POINT_new(self.group)))
        if octets is not None:
            read = self._lib.EC_POINT_oct2point(self.group, self._points[-1], octets, len(octets), self.scratch)
            checked(self._lib, read == 1)
        return self._points[-1]

    def secret(self, octets: bytes) -> int:
        """A number."""
        self._numbers.append(checked(self._lib, self._lib.BN_bin2bn(octets, len(octets), None)))
        return self._numbers[-1]

    def call(self, name: str, *arguments: int | None) -> None:
        """A function of points on this curve; raises CryptoError if it fails."""
        checked(self._lib, getattr(self._lib, name)(self.group, *arguments, self.scratch))


def checked(lib: Any, result: Any) -> Any:
    """The result of a call that must not fail; clears the error queue of this thread when it did."""
    if not result or (isinstance(result, int) and result < 0):
        lib.ERR_clear_error()
        raise CryptoError(
            "libcrypto refused an SM2 operation", "run `yw crypto selftest` and check the library it names"
        )
    return result


class _Place(c.Structure):
    """``Dl_info`` of dladdr(3)."""

    _fields_ = (("file", c.c_char_p), ("base", c.c_void_p), ("symbol", c.c_char_p), ("address", c.c_void_p))


def load() -> c.CDLL:
    """The libcrypto to use: ``YW_LIBCRYPTO`` alone where it is set, the system's, the psycopg-binary wheel's.

    Raises ProviderUnavailable with what was tried.
    """
    wanted = os.environ.get("YW_LIBCRYPTO")
    tried: list[str] = []
    for name in [wanted] if wanted else candidates():
        try:
            return bind(c.CDLL(name))
        except (OSError, AttributeError, ProviderUnavailable) as error:
            tried.append(f"{name}: {error}")
    raise ProviderUnavailable(
        "no usable libcrypto for SM2 ({tried})",
        "install OpenSSL 3.0 or later, or the Python package psycopg-binary, or name a library in YW_LIBCRYPTO",
        tried="; ".join(tried),
    )


def candidates() -> Iterator[str]:
    """The system's libcrypto by its soname, then the copy that psycopg-binary brings, for hosts with OpenSSL 1.1."""
    yield from SONAMES
    wheel = importlib.util.find_spec("psycopg_binary")
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        yield from sorted(str(found) for found in Path(f"{folder}.libs").glob("libcrypto-*.so.*"))


def bind(library: c.CDLL) -> c.CDLL:
    """Set argument and result types; AttributeError if a function is missing, ProviderUnavailable if it is too old."""
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if library.OpenSSL_version_num() < MINIMUM:
        raise ProviderUnavailable(
            "{version} is older than 3.0", "install OpenSSL 3.0 or later", version=library.OpenSSL_version(0).decode()
        )
    return library


def file_of(library: Any) -> str:
    """The file a library was loaded from, by dladdr(3); its name where the C library cannot tell."""
    find = c.CDLL(None).dladdr
    find.restype, find.argtypes = c.c_int, [c.c_void_p, c.POINTER(_Place)]
    place = _Place()
    if find(c.cast(library.OpenSSL_version, c.c_void_p), c.byref(place)) and place.file:
        return str(os.path.realpath(place.file.decode()))
    return str(library._name)  # noqa: SLF001 - ctypes has no other way to tell the name
