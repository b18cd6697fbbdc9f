"""``gmssl`` 3.2.2, pure Python: a reference and a last resort, off unless ``allow_slow_reference = true``.

Only its arithmetic of points, its verification equation, its compression function and its block cipher are used;
everything around them is ours, so that none of its known flaws can be reached:

1. nonces from a Mersenne Twister, k = 0: k comes from ``secrets``, in [1, n-1], and is retried;
2. ``lstrip("04")`` eats key bytes: the key is set past the constructor;
3. ``decrypt`` never compares C3: it is not called, C3 is compared in constant time;
4. points are not checked: they are, in front (``crypto.curve``, ``crypto.ciphertext``);
5. r and s are not checked, trailing bytes pass: strict DER in front, exactly 64 bytes here;
6. ``encrypt`` returns None for a key stream of zeros: it is not called, k is retried;
7. C1C2C3 by default, without 04: only GM/T 0009 DER leaves this module;
8. the user id is fixed: ZA is computed in front;
9. not constant in time: k and d are split into two random summands, so no call ever branches on their own bits;
10. ``sm3_hash`` pads the caller's list: it gets a copy;
11. SM4 takes keys of any length and unpads blindly: 16 bytes and whole blocks only, and its padding is not used;
12. keys live as text in its objects: they get random summands only, and what it lacks is not offered.
"""

from __future__ import annotations

import hmac
import importlib.metadata
import logging
import secrets
from collections import Counter
from functools import cached_property
from typing import Any, Self, cast

from crypto import ciphertext, der
from crypto.curve import FIELD_BYTES, GENERATOR, N
from crypto.errors import AuthenticationFailed, CryptoError, ProviderUnavailable
from crypto.providers.base import About, Capability

MAX_BULK_BYTES = 1 << 16  # 64 KiB take it half a second
BLOCK_BYTES = 16
HMAC_BLOCK_BYTES = 64
CAPABILITIES = frozenset(
    {
        Capability.SM2_POINT,
        Capability.SM2_SIGN,
        Capability.SM2_VERIFY,
        Capability.SM2_ENCRYPT,
        Capability.SM2_DECRYPT,
        Capability.SM3,
        Capability.HMAC_SM3,
        Capability.SM4_CBC,
    }
)
_log = logging.getLogger(__name__)

uses: Counter[str] = Counter()
"""How often each operation fell back to this module in this process (yunwang_crypto_fallback_total)."""


class GmsslProvider:
    """The wrapped reference; a handle is the scalar or the point."""

    name = "gmssl"

    @cached_property
    def _package(self) -> tuple[Any, Any, Any]:
        try:
            from gmssl import sm2, sm3, sm4  # noqa: PLC0415 - optional
        except ImportError:
            raise ProviderUnavailable(
                "the provider {name} needs a package that is not installed",
                "install it: pip install 'yunwang[{name}]'",
                where="[crypto] providers",
                name=self.name,
            ) from None
        _log.warning("SM2 and SM3 by pure Python: slow, and not constant in time")
        return sm2, sm3, sm4

    @cached_property
    def about(self) -> About:
        return About(
            name=self.name,
            library="gmssl",
            version=importlib.metadata.version("gmssl"),
            file=str(self._package[0].__file__),
            capabilities=CAPABILITIES,
        )

    def load_private(self, scalar: bytes, point: bytes) -> bytes:
        del point
        return scalar

    def load_public(self, point: bytes) -> bytes:
        return point

    def point_of(self, scalar: bytes) -> bytes:
        uses["sm2.point"] += 1
        return self._multiply(int.from_bytes(scalar), GENERATOR)

    def sign(self, handle: object, digest: bytes) -> bytes:
        uses["sm2.sign"] += 1
        d, e = int.from_bytes(cast("bytes", handle)), int.from_bytes(digest)
        while True:
            k = _nonce()
            r = (e + int.from_bytes(self._multiply(k, GENERATOR)[1:33])) % N
            s = _inverse(1 + d) * (k - r * d) % N
            if r and s and r + k != N:
                return der.encode_signature(r, s)

    def verify(self, handle: object, digest: bytes, signature: bytes) -> bool:
        uses["sm2.verify"] += 1
        engine = self._engine()
        engine.public_key = cast("bytes", handle)[1:].hex()
        return bool(engine.verify(der.signature_to_raw(signature).hex(), digest))

    def encrypt(self, handle: object, text: bytes) -> bytes:
        uses["sm2.encrypt"] += 1
        while True:
            k = _nonce()
            shared = self._multiply(k, cast("bytes", handle))
            stream = self._stretch(shared[1:], len(text))
            if any(stream):
                check = self._digest(shared[1:33] + text + shared[33:])
                point = self._multiply(k, GENERATOR)
                return ciphertext.Ciphertext(point=point, check=check, text=_xor(text, stream)).encode()

    def decrypt(self, handle: object, sealed: bytes) -> bytes:
        uses["sm2.decrypt"] += 1
        parts = ciphertext.parse(sealed)
        shared = self._multiply(int.from_bytes(cast("bytes", handle)), parts.point)
        text = _xor(parts.text, self._stretch(shared[1:], len(parts.text)))
        if not hmac.compare_digest(self._digest(shared[1:33] + text + shared[33:]), parts.check):
            raise AuthenticationFailed
        return text

    def sm3(self, data: bytes = b"", /) -> _Hasher:
        uses["sm3"] += 1
        return _Hasher(self, bytearray(data))

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        """RFC 2104 on the digest above."""
        uses["hmac-sm3"] += 1
        block = (self._digest(key) if len(key) > HMAC_BLOCK_BYTES else key).ljust(HMAC_BLOCK_BYTES, b"\0")
        inner = self._digest(bytes(byte ^ 0x36 for byte in block) + data)
        return self._digest(bytes(byte ^ 0x5C for byte in block) + inner)

    def cbc_encrypt(self, key: bytes, iv: bytes, blocks: bytes) -> bytes:
        """The package pads what is whole already; that block is dropped again."""
        uses["sm4-cbc"] += 1
        self._check_blocks(key, iv, blocks)
        sm4 = self._package[2]
        engine = sm4.CryptSM4()
        engine.set_key(key, sm4.SM4_ENCRYPT)
        return bytes(engine.crypt_cbc(iv, blocks))[: len(blocks)]

    def cbc_decrypt(self, key: bytes, iv: bytes, blocks: bytes) -> bytes:
        """Block by block: the package's own unpadding looks at nothing but the last byte."""
        uses["sm4-cbc"] += 1
        self._check_blocks(key, iv, blocks)
        sm4 = self._package[2]
        engine = sm4.CryptSM4()
        engine.set_key(key, sm4.SM4_DECRYPT)
        plain, before = bytearray(), iv
        for at in range(0, len(blocks), BLOCK_BYTES):
            block = blocks[at : at + BLOCK_BYTES]
            plain += _xor(bytes(engine.one_round(engine.sk, list(block))), before)
            before = block
        return bytes(plain)

    def _check_blocks(self, key: bytes, iv: bytes, blocks: bytes) -> None:
        if len(key) != BLOCK_BYTES or len(iv) != BLOCK_BYTES or len(blocks) % BLOCK_BYTES:
            raise CryptoError("SM4-CBC takes a key and an IV of 16 bytes, and whole blocks", "check the caller")
        check_size(len(blocks))

    def _engine(self) -> Any:
        return self._package[0].CryptSM2(private_key="", public_key="", mode=1)

    def _multiply(self, scalar: int, point: bytes) -> bytes:
        """[scalar]point as [a]point + [scalar - a]point with a random a (flaw 9)."""
        engine = self._engine()
        while True:
            share = _nonce()
            rest = (scalar - share) % N
            if rest not in {0, share}:
                break
        one, other = (engine._kg(part, point[1:].hex()) for part in (share, rest))  # noqa: SLF001 - it has no other way
        found = engine._convert_jacb_to_nor(engine._add_point(f"{one}1", other))  # noqa: SLF001
        return b"\x04" + bytes.fromhex(found)

    def _stretch(self, secret: bytes, length: int) -> bytes:
        """The KDF of GB/T 32918.4 §5.4.3."""
        count = -(-length // FIELD_BYTES)
        return b"".join(self._digest(secret + number.to_bytes(4)) for number in range(1, count + 1))[:length]

    def _digest(self, data: bytes) -> bytes:
        check_size(len(data))
        return bytes.fromhex(self._package[1].sm3_hash(list(data)))


class _Hasher:
    """A running digest that keeps what it has read, for the package knows no other way."""

    def __init__(self, provider: GmsslProvider, data: bytearray) -> None:
        self._provider = provider
        self._data = data
        check_size(len(data))

    def update(self, data: bytes, /) -> None:
        check_size(len(self._data) + len(data))
        self._data += data

    def digest(self) -> bytes:
        return self._provider._digest(bytes(self._data))  # noqa: SLF001 - one module

    def copy(self) -> Self:
        return type(self)(self._provider, bytearray(self._data))


def check_size(size: int) -> None:
    """Raises CryptoError for what would take pure Python more than half a second."""
    if size > MAX_BULK_BYTES:
        raise CryptoError(
            "pure Python does not work on {size} bytes at once, at most {limit}",
            "put another provider before gmssl under [crypto] providers",
            where="[crypto] providers",
            size=size,
            limit=MAX_BULK_BYTES,
        )


def _nonce() -> int:
    return secrets.randbelow(N - 1) + 1


def _inverse(number: int) -> int:
    """1/number mod n of a secret, blinded."""
    blind = _nonce()
    return pow(number * blind, -1, N) * blind % N


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
