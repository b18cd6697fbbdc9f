"""SM2 signatures and encryption (GB/T 32918.2 and .4-2016): immutable keys, strict checks in front, ``verify`` raises.

What a provider sees is in range, on the curve and strict DER; what it computes is the digest form, e = SM3(ZA||M).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, NoReturn

from crypto import ciphertext, der
from crypto.curve import FIELD_BYTES, GENERATOR, A, B, N, check_point, check_scalar, point_of_spki, spki
from crypto.errors import (
    AuthenticationFailed,
    CryptoError,
    InvalidEncoding,
    InvalidKey,
    InvalidPoint,
    KeyMismatch,
    SelfTestFailed,
    VerificationFailed,
)
from crypto.providers import registry
from crypto.providers.base import Capability
from crypto.sm3 import DIGEST_BYTES, Sm3, sm3, sm3_hex
from records.secret import Secret

DEFAULT_ID = b"1234567812345678"  # GM/T 0009-2012 §10
MAX_ID_BYTES = 0xFFFF // 8  # ENTL counts bits in two bytes
MAX_TEXT_BYTES = ciphertext.MAX_TEXT_BYTES
_CURVE = A.to_bytes(FIELD_BYTES) + B.to_bytes(FIELD_BYTES) + GENERATOR[1:]
_RETRIES = 100
_SHORT_BYTES = 4096  # up to here one copy is quicker than one call more
_PAIRWISE = b"pairwise consistency"
_REFUSED = "do not trust the data; ask the signer for data and signature again, and check key and id"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of the curve, checked on the way in. Equal by value.

    Attributes:
        point: 04||x||y, 65 bytes.
    """

    point: bytes
    _loaded: dict[Capability, tuple[Any, object]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_point(cls, point: bytes) -> PublicKey:
        """From 04||x||y; raises InvalidPoint."""
        check_point(point)
        return cls(point)

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

    def digest(self, data: bytes, id: bytes = DEFAULT_ID) -> bytes:  # noqa: A002 - the standard's word
        """What is signed: e = SM3(ZA||data), 32 bytes (GB/T 32918.2 §6.1)."""
        if len(data) <= _SHORT_BYTES:
            return sm3(za(self.point, id) + data)
        running = Sm3(za(self.point, id))
        running.update(data)
        return running.digest()

    def verify(self, signature: bytes, data: bytes, id: bytes = DEFAULT_ID) -> None:  # noqa: A002 - the standard's word
        """Return quietly if the DER signature holds for data and user id, else raise VerificationFailed."""
        self.verify_digest(signature, self.digest(data, id))

    def verify_digest(self, signature: bytes, digest: bytes) -> None:
        """The same for e, which must come from ``digest``: an e that a sender names proves nothing."""
        _check_digest(digest)
        try:
            der.parse_signature(signature)
        except InvalidEncoding as error:
            raise VerificationFailed("the signature is malformed: {why}", _REFUSED, why=error) from None
        engine, handle = self._use(Capability.SM2_VERIFY)
        if not engine.verify(handle, digest, signature):
            raise VerificationFailed("the SM2 signature does not hold", _REFUSED)

    def encrypt(self, data: bytes) -> bytes:
        """The ciphertext of 1 to 255 bytes, DER of GM/T 0009; ``crypto.ciphertext`` knows the other forms."""
        if not 1 <= len(data) <= MAX_TEXT_BYTES:
            raise CryptoError(
                "SM2 encrypts 1 to {limit} bytes, not {count}",
                "use the envelope for other data: crypto.envelope, or `yw crypto encrypt`",
                limit=MAX_TEXT_BYTES,
                count=len(data),
            )
        engine, handle = self._use(Capability.SM2_ENCRYPT)
        for _ in range(_RETRIES):
            sealed: bytes = engine.encrypt(handle, data)
            if ciphertext.parse(sealed).text != data:  # a key stream of zeros hides nothing: GB/T 32918.4 §6.1 A5
                return sealed
        raise SelfTestFailed("SM2 encryption leaves the text as it is", "run `yw crypto selftest`")

    def _use(self, capability: Capability) -> tuple[Any, object]:
        """The provider of a capability and this key in its form, loaded once."""
        found = self._loaded.get(capability)
        if found is None:
            engine = registry.public_loader(capability)
            found = self._loaded[capability] = (engine, engine.load_public(self.point))
        return found

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
    _scalar: bytes | None
    _loaded: dict[Capability, tuple[Any, object]]

    @classmethod
    def from_scalar(cls, scalar: bytes, point: bytes | None = None) -> PrivateKey:
        """From 32 bytes with 1 <= d <= n-2; a ``point`` that comes along must be dG. Raises InvalidKey."""
        check_scalar(scalar)
        public = PublicKey.from_point(registry.points().point_of(scalar))
        if point is not None and point != public.point:
            raise KeyMismatch(
                "the private key does not belong to the public key beside it", "restore the key file from a backup"
            )
        return cls(public, scalar, {})

    @classmethod
    def on_device(cls, device: object, handle: object, point: bytes) -> PrivateKey:
        """A key that stays in a device (密码机): a Signer and Decryptor that knows it as ``handle``."""
        serving = dict.fromkeys((Capability.SM2_SIGN, Capability.SM2_DECRYPT), (device, handle))
        return cls(PublicKey.from_point(point), None, serving)

    def sign(self, data: bytes, id: bytes = DEFAULT_ID) -> bytes:  # noqa: A002 - the standard's word
        """A DER signature over data for the user id; a new one each time."""
        return self.sign_digest(self.public.digest(data, id))

    def sign_digest(self, digest: bytes) -> bytes:
        """A DER signature over e = SM3(ZA||M), 32 bytes, which ``PublicKey.digest`` computes."""
        _check_digest(digest)
        engine, handle = self._use(Capability.SM2_SIGN)
        signature: bytes = engine.sign(handle, digest)
        return signature

    def decrypt(self, sealed: bytes) -> bytes:
        """The text of a DER ciphertext; AuthenticationFailed, always the same, for whatever is wrong with it."""
        try:
            parts = ciphertext.parse(sealed)
        except (InvalidEncoding, InvalidPoint):
            raise AuthenticationFailed from None
        engine, handle = self._use(Capability.SM2_DECRYPT)
        text: bytes = engine.decrypt(handle, sealed)
        if text == parts.text:  # a key stream of zeros: GB/T 32918.4 §7.1 B4
            raise AuthenticationFailed
        return text

    def scalar(self) -> bytes:
        """The secret itself, for key files and the key exchange; raises InvalidKey for a key in a device."""
        if self._scalar is None:
            raise InvalidKey("the private key does not leave its device", "use it there, or generate one in a file")
        return self._scalar

    def _use(self, capability: Capability) -> tuple[Any, object]:
        """The provider of a capability and this key in its form, loaded once."""
        found = self._loaded.get(capability)
        if found is None:
            engine = registry.private_loader(capability)
            found = self._loaded[capability] = (engine, engine.load_private(self.scalar(), self.public.point))
        return found

    def __repr__(self) -> str:
        return f"PrivateKey(***, {self.public!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled; store it with crypto.keys.keyfile")


@lru_cache(maxsize=1024)
def za(point: bytes, id: bytes = DEFAULT_ID) -> bytes:  # noqa: A002 - the standard's word
    """ZA = SM3(ENTL||ID||a||b||xG||yG||xA||yA), 32 bytes (GB/T 32918.2 §5.5)."""
    if len(id) > MAX_ID_BYTES:
        raise InvalidKey(
            "an SM2 user id has at most {limit} bytes", "use the default id or a shorter one", limit=MAX_ID_BYTES
        )
    return sm3((8 * len(id)).to_bytes(2) + id + _CURVE + point[1:])


def generate() -> PrivateKey:
    """A new key from the system's random source, tested by one signature before it is handed out."""
    key = PrivateKey.from_scalar((secrets.randbelow(N - 2) + 1).to_bytes(FIELD_BYTES))
    _check_pair(key)
    return key


def device_key(number: int, access_code: Secret, *, encryption: bool = False) -> PrivateKey:
    """A key of the crypto device, its signing or its encryption pair, tested before it is handed out.

    Raises AuthenticationFailed for a wrong access code, InvalidKey if there is none, ProviderUnavailable.
    """
    device = registry.device()
    handle = device.unlock(number, access_code, encryption=encryption)
    key = PrivateKey.on_device(device, handle, device.public_of(number, encryption=encryption))
    if not encryption:
        _check_pair(key)
    elif key.decrypt(key.public.encrypt(_PAIRWISE)) != _PAIRWISE:
        raise _mismatched()
    return key


def _check_pair(key: PrivateKey) -> None:
    try:
        key.public.verify(key.sign(_PAIRWISE), _PAIRWISE)
    except VerificationFailed:
        raise _mismatched() from None


def _mismatched() -> SelfTestFailed:
    return SelfTestFailed("an SM2 key fails its pairwise test", "run `yw crypto selftest`; do not use this library")


def _check_digest(digest: bytes) -> None:
    if len(digest) != DIGEST_BYTES:
        raise InvalidEncoding(
            "an SM2 digest has {expected} bytes, this one {count}",
            "give e = SM3(ZA||M) as PublicKey.digest makes it",
            expected=DIGEST_BYTES,
            count=len(digest),
        )
