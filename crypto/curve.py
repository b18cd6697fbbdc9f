"""The SM2 curve (GB/T 32918.5-2017) and what a key must fulfil before a library sees it.

OpenSSL 3.0 loads d = 0, hangs in signing with d = n-1 and accepts a foreign public half: so range, curve and P = dG
are checked here.
"""

from __future__ import annotations

from crypto.errors import InvalidKey, InvalidPoint

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
GENERATOR = bytes.fromhex(
    "0432c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
FIELD_BYTES = 32
POINT_BYTES = 65
UNCOMPRESSED = 4  # SEC 1 §2.3.3
CURVE_OID = "1.2.156.10197.1.301"

_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_PKCS8 = bytes.fromhex("308193020100301306072a8648ce3d020106082a811ccf5501822d047930770201010420")
_PKCS8_POINT = bytes.fromhex("a00a06082a811ccf5501822da144034200")


def check_scalar(scalar: bytes) -> None:
    """32 bytes, 1 <= d <= n-2 (GB/T 32918.1 §6.1: d = n-1 has no signature); raises InvalidKey."""
    if len(scalar) != FIELD_BYTES or not 1 <= int.from_bytes(scalar) <= N - 2:
        raise InvalidKey(
            "the SM2 private key is out of range (1 to n-2, 32 bytes)",
            "generate a new key: yw crypto keygen --out KEY.pem",
        )


def check_point(point: bytes) -> None:
    """04||x||y with x, y < p on the curve; raises InvalidPoint. The cofactor is 1, so any such point has order n."""
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    encoded = len(point) == POINT_BYTES and point[0] == UNCOMPRESSED and x < P and y < P
    if not encoded or (y * y - (x * x + A) * x - B) % P:
        raise InvalidPoint(
            "the public key is no point of the SM2 curve", "ask its owner for the key again, as PEM or 04||x||y"
        )


def spki(point: bytes) -> bytes:
    """SubjectPublicKeyInfo, DER: id-ecPublicKey with the curve's OID."""
    return _SPKI + point


def point_of_spki(der: bytes) -> bytes:
    """The point in the one DER form of an SM2 SubjectPublicKeyInfo; raises InvalidKey, InvalidPoint."""
    if not der.startswith(_SPKI) or len(der) != len(_SPKI) + POINT_BYTES:
        raise InvalidKey("not an SM2 public key", "give an SM2 key: id-ecPublicKey on curve 1.2.156.10197.1.301")
    check_point(der[len(_SPKI) :])
    return der[len(_SPKI) :]


def pkcs8(scalar: bytes, point: bytes) -> bytes:
    """PrivateKeyInfo (RFC 5208) around ECPrivateKey (RFC 5915) with the public half, DER.

    The curve stands twice: RFC 5915 §3 wants it inside as well, and GmSSL reads no key without.
    """
    return _PKCS8 + scalar + _PKCS8_POINT + point
