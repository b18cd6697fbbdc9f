"""SM2EnvelopedKey (GM/T 0009-2012 §7.4): how a CA hands over the encryption key of dual certificates (双证书).

A fresh SM4 key encrypts the private key block by block (the standard's ECB: two random blocks, once), and is itself
encrypted for the applicant's signing key. The structure has no tag: that the opened key fits the public key beside it
is the proof, and checked.
"""

from __future__ import annotations

from typing import Any

from asn1crypto import core

from crypto import asn1, curve, der, sm4
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding
from crypto.providers import registry
from crypto.providers.base import Capability
from crypto.sm2 import PrivateKey, PublicKey

SM4_ECB = "1.2.156.10197.1.104.1"
SM4_ANY = "1.2.156.10197.1.104"  # as some CAs name it
MAX_BYTES = 1024
BLOCK_BYTES = 16
_NEXT = "ask the CA for the encryption key again"


class _Ciphertext(core.Sequence):  # type: ignore[misc]  # asn1crypto ships no types
    """SM2Cipher; its members are checked by ``crypto.ciphertext``."""

    _fields = [  # noqa: RUF012 - asn1crypto's own way
        ("x", core.Integer),
        ("y", core.Integer),
        ("check", core.OctetString),
        ("text", core.OctetString),
    ]


class _EnvelopedKey(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("algorithm", asn1.AlgorithmIdentifier),
        ("wrapped", _Ciphertext),
        ("public", core.OctetBitString),
        ("sealed", core.OctetBitString),
    ]


def seal_key(key: PrivateKey, to: PublicKey) -> bytes:
    """The private key for the holder of another one, DER."""
    data_key = sm4.new_key()
    found: dict[str, Any] = {
        "algorithm": asn1.algorithm(SM4_ECB),
        "wrapped": _Ciphertext.load(to.encrypt(data_key)),
        "public": key.public.point,
        "sealed": _blocks(data_key, key.scalar(), encrypt=True),
    }
    return bytes(_EnvelopedKey(found).dump())


def open_key(data: bytes, key: PrivateKey) -> PrivateKey:
    """The encryption key; raises InvalidEncoding for another structure, AuthenticationFailed for all that follows."""
    algorithm, wrapped, point, sealed = _parts(data)
    if algorithm not in {SM4_ECB, SM4_ANY} or len(sealed) != curve.FIELD_BYTES:
        raise InvalidEncoding("the enveloped key is not under SM4", _NEXT)
    data_key = key.decrypt(wrapped)
    if len(data_key) != sm4.KEY_BYTES:
        raise AuthenticationFailed
    try:
        return PrivateKey.from_scalar(_blocks(data_key, sealed, encrypt=False), point)
    except CryptoError:
        raise AuthenticationFailed from None


def _parts(data: bytes) -> tuple[str, bytes, bytes, bytes]:
    try:
        der.check(data[:MAX_BYTES])
        found = _EnvelopedKey.load(data, strict=True)
        parts = found["algorithm"]["algorithm"].dotted, found["wrapped"].dump()
        public, sealed = found["public"].native, found["sealed"].native
        sound = (
            _EnvelopedKey(
                {**{name: found[name] for name in ("algorithm", "wrapped")}, "public": public, "sealed": sealed}
            ).dump()
            == data
        )
    except (InvalidEncoding, *asn1.MALFORMED):
        sound = False
    if not sound:
        raise InvalidEncoding("not an SM2EnvelopedKey", _NEXT)
    return (*parts, public, sealed)


def _blocks(key: bytes, data: bytes, *, encrypt: bool) -> bytes:
    """Each block alone, by CBC with a zero IV over one block: there is no ECB in this house."""
    cipher = registry.ciphers(Capability.SM4_CBC)
    one = cipher.cbc_encrypt if encrypt else cipher.cbc_decrypt
    zero = bytes(BLOCK_BYTES)
    return b"".join(one(key, zero, data[at : at + BLOCK_BYTES]) for at in range(0, len(data), BLOCK_BYTES))
