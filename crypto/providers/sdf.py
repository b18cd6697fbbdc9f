"""A crypto device (服务器密码机) by its vendor's library, GM/T 0018 (SDF): keys inside it sign and decrypt.

Sessions are pooled; after an error of device or line they are closed as they come back, the device is opened again, and
the call is tried once more. The vendor's file is loaded by the path in ``[crypto] sdf_library``.
"""

from __future__ import annotations

import ctypes as c
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from crypto import ciphertext, der
from crypto.curve import FIELD_BYTES, check_point
from crypto.errors import AuthenticationFailed, CryptoError, InvalidKey, ProviderUnavailable
from crypto.providers.base import About, Capability
from records.secret import Secret

FIELD_ROOM = 64  # ECCref_MAX_LEN: 512 bits, numbers stand right-aligned
SM2_SIGNING, SM2_ENCRYPTION = 0x0002_0200, 0x0002_0800  # SGD_SM2_1, SGD_SM2_3
BASE = 0x0100_0000
_REOPEN = {BASE + code for code in (3, 4, 5, 6)}  # SDR_COMMFAIL, HARDFAIL, OPENDEVICE, OPENSESSION
_DENIED, _NO_KEY, _BAD_SIGNATURE = BASE + 7, BASE + 8, BASE + 14
CAPABILITIES = frozenset({Capability.SM2_DEVICE, Capability.SM2_VERIFY, Capability.SM2_ENCRYPT})


class _Public(c.Structure):
    """ECCrefPublicKey."""

    _fields_ = (("bits", c.c_uint), ("x", c.c_ubyte * FIELD_ROOM), ("y", c.c_ubyte * FIELD_ROOM))


class _Signature(c.Structure):
    """ECCSignature."""

    _fields_ = (("r", c.c_ubyte * FIELD_ROOM), ("s", c.c_ubyte * FIELD_ROOM))


class _Cipher(c.Structure):
    """ECCCipher with room for the longest text."""

    _fields_ = (
        ("x", c.c_ubyte * FIELD_ROOM),
        ("y", c.c_ubyte * FIELD_ROOM),
        ("check", c.c_ubyte * ciphertext.DIGEST_BYTES),
        ("size", c.c_uint),
        ("text", c.c_ubyte * (ciphertext.MAX_TEXT_BYTES + 1)),
    )


_P, _UINT, _BYTES, _POINTER = c.c_void_p, c.c_uint, c.c_char_p, c.POINTER
_FUNCTIONS: dict[str, list[object]] = {
    "SDF_OpenDevice": [_POINTER(_P)],
    "SDF_CloseDevice": [_P],
    "SDF_OpenSession": [_P, _POINTER(_P)],
    "SDF_CloseSession": [_P],
    "SDF_GetPrivateKeyAccessRight": [_P, _UINT, _BYTES, _UINT],
    "SDF_ExportSignPublicKey_ECC": [_P, _UINT, _POINTER(_Public)],
    "SDF_ExportEncPublicKey_ECC": [_P, _UINT, _POINTER(_Public)],
    "SDF_InternalSign_ECC": [_P, _UINT, _BYTES, _UINT, _POINTER(_Signature)],
    "SDF_ExternalVerify_ECC": [_P, _UINT, _POINTER(_Public), _BYTES, _UINT, _POINTER(_Signature)],
    "SDF_ExternalEncrypt_ECC": [_P, _UINT, _POINTER(_Public), _BYTES, _UINT, _POINTER(_Cipher)],
}
_DECRYPT: dict[str, list[object]] = {  # an extension of the vendors, in two shapes that cannot be told apart
    "algorithm": [_P, _UINT, _UINT, _POINTER(_Cipher), _P, _POINTER(_UINT)],
    "plain": [_P, _UINT, _POINTER(_Cipher), _P, _POINTER(_UINT)],
}


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A key in the device: each number has a pair for signing and one for encryption, and an access code for both."""

    number: int
    encryption: bool
    access_code: Secret = field(repr=False)


@dataclass(slots=True)
class _Opened:
    """The device as opened once; closed when it has failed, or is no longer wanted, and its last session is closed."""

    handle: c.c_void_p
    sessions: int = 0
    failed: bool = False


@dataclass(slots=True)
class _Session:
    """A session and the keys that it may use."""

    handle: c.c_void_p
    device: _Opened
    granted: set[int] = field(default_factory=set)


class _DeviceError(Exception):
    """What an SDF function returned."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08X}")
        self.code = code


class SdfProvider:
    """The device; thread safe: a session serves one call at a time."""

    name = "sdf"

    def __init__(self, library: str, decrypt: str = "") -> None:
        self._path = library
        self._decrypt = decrypt
        self._lock = threading.Lock()
        self._device: _Opened | None = None
        self._free: list[_Session] = []

    @cached_property
    def _lib(self) -> Any:
        if not self._path or not Path(self._path).is_absolute():
            raise ProviderUnavailable(
                "no library is named for the provider {name}",
                "set its absolute path under [crypto]",
                where="[crypto] sdf_library",
                name=self.name,
            )
        try:
            return _bound(c.CDLL(self._path), self._decrypt)
        except (OSError, AttributeError) as error:
            raise ProviderUnavailable(
                "{path} cannot be used: {why}",
                "name the SDF library (GM/T 0018) of the device's vendor",
                where="[crypto] sdf_library",
                path=self._path,
                why=error,
            ) from None

    @cached_property
    def about(self) -> About:
        library = Path(self._path).name
        self._lib  # noqa: B018 - a library that cannot be loaded is told here
        return About(name=self.name, library=library, version="GM/T 0018", file=self._path, capabilities=CAPABILITIES)

    def public_of(self, number: int, *, encryption: bool = False) -> bytes:
        """The public half of a key in the device; raises InvalidPoint, InvalidKey if there is no such key."""
        found = _Public()
        name = "SDF_ExportEncPublicKey_ECC" if encryption else "SDF_ExportSignPublicKey_ECC"
        self._call(lambda session: getattr(self._lib, name)(session, number, c.byref(found)))
        point = b"\x04" + _number(found.x) + _number(found.y)
        check_point(point)
        return point

    def answers(self) -> bool:
        """Whether a session can be opened; raises ProviderUnavailable."""
        self._call(lambda _: 0)
        return True

    def unlock(self, number: int, access_code: Secret, *, encryption: bool = False) -> DeviceKey:
        """The handle of a key; raises AuthenticationFailed for a wrong access code."""
        key = DeviceKey(number, encryption, access_code)
        self._call(lambda _: 0, key)
        return key

    def load_private(self, scalar: bytes, point: bytes) -> object:
        del scalar, point
        raise InvalidKey("the device signs with keys of its own only", "name a key in it: --key sdf:NUMBER")

    def load_public(self, point: bytes) -> _Public:
        return _Public(256, _room(point[1:33]), _room(point[33:]))

    def sign(self, handle: object, digest: bytes) -> bytes:
        key, found = cast("DeviceKey", handle), _Signature()
        if key.encryption:
            raise InvalidKey("this key in the device is for encryption", "sign with its signing pair")
        self._call(
            lambda session: self._lib.SDF_InternalSign_ECC(session, key.number, digest, len(digest), c.byref(found)),
            key,
        )
        return der.signature_from_raw(_number(found.r) + _number(found.s))

    def verify(self, handle: object, digest: bytes, signature: bytes) -> bool:
        raw = der.signature_to_raw(signature)
        given = _Signature(_room(raw[:FIELD_BYTES]), _room(raw[FIELD_BYTES:]))
        arguments = (SM2_SIGNING, c.byref(cast("_Public", handle)), digest, len(digest), c.byref(given))
        try:
            self._raw(lambda session: self._lib.SDF_ExternalVerify_ECC(session, *arguments))
        except _DeviceError as error:
            if error.code == _BAD_SIGNATURE:
                return False
            raise _told(error) from None
        return True

    def encrypt(self, handle: object, text: bytes) -> bytes:
        found = _Cipher()
        arguments = (SM2_ENCRYPTION, c.byref(cast("_Public", handle)), text, len(text), c.byref(found))
        self._call(lambda session: self._lib.SDF_ExternalEncrypt_ECC(session, *arguments))
        return ciphertext.Ciphertext(
            point=b"\x04" + _number(found.x) + _number(found.y),
            check=bytes(found.check),
            text=bytes(found.text[: min(found.size, len(found.text))]),
        ).encode()

    def decrypt(self, handle: object, sealed: bytes) -> bytes:
        key, parts = cast("DeviceKey", handle), ciphertext.parse(sealed)
        if not key.encryption or not self._decrypt:
            raise InvalidKey(
                "this key in the device does not decrypt",
                "use its encryption pair, and set sdf_decrypt under [crypto] as the vendor's header declares it",
            )
        given = _Cipher(_room(parts.point[1:33]), _room(parts.point[33:]), _octets(parts.check), len(parts.text))
        c.memmove(given.text, parts.text, len(parts.text))
        out, size = c.create_string_buffer(len(given.text)), c.c_uint(len(given.text))
        middle = (SM2_ENCRYPTION,) if self._decrypt == "algorithm" else ()
        arguments = (key.number, *middle, c.byref(given), out, c.byref(size))
        try:
            self._raw(lambda session: self._lib.SDF_InternalDecrypt_ECC(session, *arguments), key)
        except _DeviceError as error:
            if error.code in _REOPEN:
                raise _told(error) from None
            raise AuthenticationFailed from None
        return out.raw[: size.value]

    def _call(self, function: Callable[[c.c_void_p], int], key: DeviceKey | None = None) -> None:
        """A function that must succeed."""
        try:
            self._raw(function, key)
        except _DeviceError as error:
            raise _told(error) from None

    def _raw(self, function: Callable[[c.c_void_p], int], key: DeviceKey | None = None) -> None:
        """Call with a session; once more with a new one if the device or the line failed. Raises _DeviceError."""
        try:
            self._once(function, key)
        except _DeviceError as error:
            if error.code not in _REOPEN:
                raise
            self._once(function, key)

    def _once(self, function: Callable[[c.c_void_p], int], key: DeviceKey | None) -> None:
        with self._session() as session:
            if key is not None and key.number not in session.granted:
                code = key.access_code.reveal().encode()
                _check(self._lib.SDF_GetPrivateKeyAccessRight(session.handle, key.number, code, len(code)))
                session.granted.add(key.number)
            _check(function(session.handle))

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        """A session of one's own for a while."""
        session = self._taken()
        try:
            yield session
        except _DeviceError as error:
            session.device.failed |= error.code in _REOPEN
            raise
        finally:
            self._put_back(session)

    def _taken(self) -> _Session:
        with self._lock:
            if self._device is not None and self._device.failed:
                self._drop()
            if self._free:
                return self._free.pop()
            if self._device is None:
                handle = c.c_void_p()
                _check(self._lib.SDF_OpenDevice(c.byref(handle)))
                self._device = _Opened(handle)
            return self._open_session(self._device)

    def _open_session(self, device: _Opened) -> _Session:
        handle = c.c_void_p()
        code = self._lib.SDF_OpenSession(device.handle, c.byref(handle))
        device.failed |= code in _REOPEN
        _check(code)
        device.sessions += 1
        return _Session(handle, device)

    def _put_back(self, session: _Session) -> None:
        with self._lock:
            if session.device is self._device and not session.device.failed:
                self._free.append(session)
            else:
                self._close_session(session)

    def close(self) -> None:
        """Close what is open, sessions in use when they come back; a later call opens the device anew."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        device, free, self._device, self._free = self._device, self._free, None, []
        for session in free:
            self._close_session(session)
        if device is not None and not free and not device.sessions:
            self._lib.SDF_CloseDevice(device.handle)

    def _close_session(self, session: _Session) -> None:
        self._lib.SDF_CloseSession(session.handle)
        session.device.sessions -= 1
        if session.device is not self._device and not session.device.sessions:
            self._lib.SDF_CloseDevice(session.device.handle)


def _bound(library: c.CDLL, decrypt: str) -> c.CDLL:
    """Set argument and result types; AttributeError if a function is missing."""
    wanted = _FUNCTIONS | ({"SDF_InternalDecrypt_ECC": _DECRYPT[decrypt]} if decrypt else {})
    for name, arguments in wanted.items():
        function = getattr(library, name)
        function.restype, function.argtypes = c.c_uint, arguments
    return library


def _check(code: int) -> None:
    if code:
        raise _DeviceError(code)


def _told(error: _DeviceError) -> CryptoError:
    """What the user is told about an error code."""
    if error.code == _DENIED:
        return AuthenticationFailed()
    if error.code == _NO_KEY:
        return InvalidKey("the device has no key of this number", "ask its administrator which keys there are")
    return ProviderUnavailable(
        "the crypto device answers with error {code}",
        "look at the device and the line to it, then run `yw crypto selftest`",
        where="[crypto] sdf_library",
        code=str(error),
    )


def _number(room: Any) -> bytes:
    """32 bytes from 64, right-aligned; a larger number becomes all ones, which no check in front accepts."""
    octets = bytes(room)
    return octets[-FIELD_BYTES:] if not any(octets[:-FIELD_BYTES]) else b"\xff" * FIELD_BYTES


def _room(number: bytes) -> Any:
    return (c.c_ubyte * FIELD_ROOM)(*number.rjust(FIELD_ROOM, b"\0"))


def _octets(data: bytes) -> Any:
    return (c.c_ubyte * len(data))(*data)
