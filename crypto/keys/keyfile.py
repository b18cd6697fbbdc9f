"""SM2 keys in files: PKCS#8 under a passphrase (PBES2: PBKDF2-HMAC-SM3, SM4-CBC), plain PKCS#8, SubjectPublicKeyInfo.

The big libraries write two OIDs for HMAC-SM3; both are read, the one of GmSSL and the GM standards is written.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import Any

from asn1crypto import core

from crypto import asn1, curve, der, pem
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding, InvalidKey
from crypto.providers import registry
from crypto.providers.base import Capability
from crypto.sm2 import PrivateKey, PublicKey
from crypto.sm3 import pbkdf2_sm3
from records.secret import Secret

ROUNDS = 210_000
MAX_ROUNDS = 10_000_000
BLOCK_BYTES = 16
SALT_BYTES = 16
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
ENCRYPTED, PLAIN, PUBLIC = "ENCRYPTED PRIVATE KEY", "PRIVATE KEY", "PUBLIC KEY"
_NEXT = "give a PKCS#8 key in PEM as `yw crypto keygen` writes it"


class _EcPrivateKey(core.Sequence):  # type: ignore[misc]  # asn1crypto ships no types
    """RFC 5915."""

    _fields = [  # noqa: RUF012 - asn1crypto's own way
        ("version", core.Integer),
        ("scalar", core.OctetString),
        ("curve", core.ObjectIdentifier, {"explicit": 0, "optional": True}),
        ("point", core.OctetBitString, {"explicit": 1, "optional": True}),
    ]


class _EcAlgorithm(core.Sequence):  # type: ignore[misc]
    _fields = [("algorithm", core.ObjectIdentifier), ("curve", core.ObjectIdentifier)]  # noqa: RUF012


class _PrivateKeyInfo(core.Sequence):  # type: ignore[misc]
    """RFC 5208, attributes left out."""

    _fields = [("version", core.Integer), ("algorithm", _EcAlgorithm), ("key", core.OctetString)]  # noqa: RUF012


def private_key_pem(
    key: PrivateKey, passphrase: Secret | None, *, rounds: int = ROUNDS, prf: str = asn1.HMAC_SM3
) -> bytes:
    """The key as PEM: sealed under the passphrase, plain only where None is given."""
    plain = curve.pkcs8(key.scalar(), key.public.point)
    if passphrase is None:
        return pem.encode(PLAIN, plain)
    return pem.encode(ENCRYPTED, _seal(plain, passphrase, rounds, prf))


def load_private_key(data: bytes, passphrase: Secret | None) -> PrivateKey:
    """A key from PEM; raises AuthenticationFailed for a wrong passphrase, InvalidKey, InvalidEncoding."""
    label, body = pem.blocks(data)[0]
    if label == ENCRYPTED:
        if passphrase is None:
            raise CryptoError("the key is encrypted and no passphrase is given", "give --passphrase-file FILE")
        return _opened_key(_open(body, passphrase))
    if label != PLAIN:
        raise InvalidEncoding("PEM block {label} is no private key", _NEXT, label=label)
    return _private_key(body, sealed=False)


def is_encrypted(data: bytes) -> bool:
    """Whether a PEM file's first block is an encrypted private key; raises InvalidEncoding for no PEM."""
    return pem.blocks(data)[0][0] == ENCRYPTED


def _opened_key(plain: bytes) -> PrivateKey:
    """What was sealed; whatever is wrong with it now is told as a wrong passphrase, for it may be one."""
    try:
        return _private_key(plain, sealed=True)
    except (InvalidEncoding, InvalidKey):
        raise AuthenticationFailed from None


def public_key_pem(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo as PEM."""
    return pem.encode(PUBLIC, key.spki)


def load_public_key(data: bytes) -> PublicKey:
    """A public key from PEM."""
    label, body = pem.blocks(data)[0]
    if label != PUBLIC:
        raise InvalidEncoding("PEM block {label} is no public key", "give a SubjectPublicKeyInfo in PEM", label=label)
    return PublicKey.from_spki(body)


def _private_key(body: bytes, *, sealed: bool) -> PrivateKey:
    """From a DER PrivateKeyInfo on the SM2 curve; the public half must be there if it was sealed.

    CBC has no tag: a changed ciphertext shows only where the scalar no longer fits the public half beside it.
    """
    try:
        der.check(body)
        info = _PrivateKeyInfo.load(body, strict=True)
        inner = _EcPrivateKey.load(info["key"].native, strict=True)
        scalar, point = inner["scalar"].native, inner["point"].native
        curves = {info["algorithm"]["curve"].dotted, inner["curve"].dotted if inner["curve"] else curve.CURVE_OID}
        sound = _encode(info, inner) == body and (point is not None or not sealed)
    except (InvalidEncoding, *asn1.MALFORMED):
        sound = False
    if not sound:
        raise InvalidEncoding("the private key is no DER PrivateKeyInfo on an elliptic curve", _NEXT)
    if curves != {curve.CURVE_OID}:
        raise InvalidKey(
            "the private key is on another curve than SM2", "generate an SM2 key: yw crypto keygen --out KEY.pem"
        )
    return PrivateKey.from_scalar(scalar, point)


def _encode(info: Any, inner: Any) -> bytes:
    """The one encoding of what was understood: anything else in the file makes it differ."""
    key: dict[str, Any] = {"version": 1, "scalar": inner["scalar"].native}
    if inner["curve"]:
        key["curve"] = inner["curve"].dotted
    if inner["point"].native is not None:
        key["point"] = inner["point"].native
    algorithm = {"algorithm": EC_PUBLIC_KEY, "curve": info["algorithm"]["curve"].dotted}
    return bytes(_PrivateKeyInfo({"version": 0, "algorithm": algorithm, "key": _EcPrivateKey(key).dump()}).dump())


def _seal(plain: bytes, passphrase: Secret, rounds: int, prf: str) -> bytes:
    salt, iv = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(BLOCK_BYTES)
    pad = BLOCK_BYTES - len(plain) % BLOCK_BYTES
    key = pbkdf2_sm3(passphrase.reveal().encode(), salt, rounds, BLOCK_BYTES)
    parameters = {"salt": salt, "rounds": rounds, "key_length": BLOCK_BYTES, "prf": asn1.algorithm(prf)}
    scheme = {
        "derivation": {"algorithm": asn1.PBKDF2, "parameters": parameters},
        "cipher": {"algorithm": asn1.SM4_CBC, "iv": iv},
    }
    data = registry.ciphers(Capability.SM4_CBC).cbc_encrypt(key, iv, plain + bytes((pad,)) * pad)
    info = asn1.EncryptedPrivateKeyInfo({"encryption": {"algorithm": asn1.PBES2, "parameters": scheme}, "data": data})
    return bytes(info.dump())


def _open(body: bytes, passphrase: Secret) -> bytes:
    """The plain PKCS#8; wrong passphrase, padding and changed data give the one AuthenticationFailed."""
    salt, rounds, iv, data = _parameters(body)
    key = pbkdf2_sm3(passphrase.reveal().encode(), salt, rounds, BLOCK_BYTES)
    if not data or len(data) % BLOCK_BYTES:
        raise AuthenticationFailed
    padded = registry.ciphers(Capability.SM4_CBC).cbc_decrypt(key, iv, data)
    pad = padded[-1]
    if (
        not 1 <= pad <= BLOCK_BYTES
        or not hmac.compare_digest(padded[-pad:], bytes((pad,)) * pad)
        or padded[0] != der.SEQUENCE
    ):
        raise AuthenticationFailed
    return padded[:-pad]


def _parameters(body: bytes) -> tuple[bytes, int, bytes, bytes]:
    """Salt, rounds, IV and ciphertext; raises InvalidEncoding for another scheme than PBKDF2-HMAC-SM3 with SM4-CBC."""
    try:
        der.check(body)
        info = asn1.EncryptedPrivateKeyInfo.load(body, strict=True)
        scheme: Any = info["encryption"]["parameters"]
        derivation, cipher = scheme["derivation"], scheme["cipher"]
        inner = derivation["parameters"]
        names = [info["encryption"]["algorithm"].dotted, derivation["algorithm"].dotted, cipher["algorithm"].dotted]
        sm3 = asn1.is_algorithm(inner["prf"], asn1.HMAC_SM3, asn1.HMAC_SM3_OPENSSL) and inner["key_length"].native in (
            None,
            BLOCK_BYTES,
        )
        salt, rounds, iv, data = inner["salt"].native, inner["rounds"].native, cipher["iv"].native, info["data"].native
    except asn1.MALFORMED:
        raise InvalidEncoding("the encrypted key is not PBES2 with PBKDF2-HMAC-SM3 and SM4-CBC", _NEXT) from None
    _check_scheme(names, sm3=sm3, rounds=rounds, iv=iv)
    return salt, rounds, iv, data


def _check_scheme(names: Sequence[str], *, sm3: bool, rounds: int, iv: bytes) -> None:
    if names != [asn1.PBES2, asn1.PBKDF2, asn1.SM4_CBC] or not sm3 or len(iv) != BLOCK_BYTES:
        raise InvalidEncoding("the encrypted key is not PBES2 with PBKDF2-HMAC-SM3 and SM4-CBC", _NEXT)
    if not 1 <= rounds <= MAX_ROUNDS:
        raise InvalidEncoding(
            "the key file asks for {rounds} rounds, at most {limit} are done", _NEXT, rounds=rounds, limit=MAX_ROUNDS
        )
