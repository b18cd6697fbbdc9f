"""SM2 signatures (GB/T 32918.2-2016): immutable keys, strict checks in front of the provider, ``verify`` raises."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from crypto import der
from crypto.curve import FIELD_BYTES, N, check_point, check_scalar, point_of_spki, spki
from crypto.errors import InvalidEncoding, InvalidKey, KeyMismatch, SelfTestFailed, VerificationFailed
from crypto.providers import registry
from crypto.providers.base import Signatures
from crypto.sm3 import sm3_hex

DEFAULT_ID = b"1234567812345678"  # GM/T 0009-2012 §10
MAX_ID_BYTES = 0xFFFF // 8  # ENTL counts bits in two bytes
_REFUSED = "do not trust the data; ask the signer for data and signature again, and check key and id"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of the curve, checked on the way in. Equal by value.

    Attributes:
        point: 04||x||y, 65 bytes.
    """

    point: bytes
    _engine: Signatures = field(repr=False, compare=False)
    _handle: object = field(repr=False, compare=False)

    @classmethod
    def from_point(cls, point: bytes) -> PublicKey:
        """From 04||x||y; raises InvalidPoint."""
        check_point(point)
        engine = registry.signatures()
        return cls(point, engine, engine.load_public(point))

    @classmethod
    def from_spki(cls, spki_der: bytes) -> PublicKey:
        """From a DER SubjectPublicKeyInfo; raises InvalidKey or InvalidPoint."""
        return cls.from_point(point_of_spki(spki_der))

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return spki(self.point)

    @property
    def fingerprint(self) -> str:
        """SM3 of the SubjectPublicKeyInfo, hex."""
        return sm3_hex(self.spki)

    def verify(self, signature: bytes, data: bytes, id: bytes = DEFAULT_ID) -> None:  # noqa: A002 - the standard's word
        """Return quietly if the DER signature holds for data and user id, else raise VerificationFailed."""
        _check_id(id)
        try:
            der.parse_signature(signature)
        except InvalidEncoding as error:
            raise VerificationFailed("the signature is malformed: {why}", _REFUSED, why=error) from None
        if not self._engine.verify(self._handle, signature, data, id):
            raise VerificationFailed("the SM2 signature does not hold", _REFUSED)

    def __reduce__(self) -> tuple[object, ...]:
        return partial(PublicKey.from_point, self.point), ()

    def __repr__(self) -> str:
        return f"PublicKey({self.point.hex()})"


@dataclass(frozen=True, slots=True, eq=False)
class PrivateKey:
    """A private key; its representation hides it, and it cannot be pickled.

    Attributes:
        public: The public half.
    """

    public: PublicKey
    _scalar: bytes
    _engine: Signatures
    _handle: object

    @classmethod
    def from_scalar(cls, scalar: bytes, point: bytes | None = None) -> PrivateKey:
        """From 32 bytes with 1 <= d <= n-2; a ``point`` that comes along must be dG. Raises InvalidKey."""
        check_scalar(scalar)
        engine = registry.signatures()
        public = PublicKey.from_point(engine.point_of(scalar))
        if point is not None and point != public.point:
            raise KeyMismatch(
                "the private key does not belong to the public key beside it", "restore the key file from a backup"
            )
        return cls(public, scalar, engine, engine.load_private(scalar, public.point))

    def sign(self, data: bytes, id: bytes = DEFAULT_ID) -> bytes:  # noqa: A002 - the standard's word
        """A DER signature over data for the user id; a new one each time."""
        _check_id(id)
        return self._engine.sign(self._handle, data, id)

    def scalar(self) -> bytes:
        """The secret itself, for the one writer of key files."""
        return self._scalar

    def __repr__(self) -> str:
        return f"PrivateKey(***, {self.public!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled; store it with crypto.keys.keyfile")


def generate() -> PrivateKey:
    """A new key from the system's random source, tested by one signature before it is handed out."""
    key = PrivateKey.from_scalar((secrets.randbelow(N - 2) + 1).to_bytes(FIELD_BYTES))
    try:
        key.public.verify(key.sign(b"pairwise consistency"), b"pairwise consistency")
    except VerificationFailed:
        raise SelfTestFailed(
            "a new SM2 key fails its pairwise test", "run `yw crypto selftest`; do not use this library"
        ) from None
    return key


def _check_id(identifier: bytes) -> None:
    if len(identifier) > MAX_ID_BYTES:
        raise InvalidKey(
            "an SM2 user id has at most {limit} bytes", "use the default id or a shorter one", limit=MAX_ID_BYTES
        )
