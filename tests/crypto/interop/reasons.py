"""Why a cell of the matrix is not both ways: artefact, peer, reason. Each was seen on the version in the column's head."""

from __future__ import annotations

from tests.crypto.interop.cells import ARTEFACTS

_ID = "knows no user id there: 3.0 takes the empty one"
_NO_FORMATS = "a library of algorithms, without file formats"
_ORACLES = ("gmssl-pyx", "gmalg")
_OPENSSLS = ("openssl", "openssl4", "tongsuo")
_RAW = "writes and reads DER only"
_NO_TIME = "no time stamps"
_NO_OCSP = "no OCSP"


def _same(peers: tuple[str, ...], artefacts: tuple[str, ...], reason: str) -> dict[tuple[str, str], str]:
    return {(artefact, peer): reason for peer in peers for artefact in artefacts}


_FORMATS = ARTEFACTS[ARTEFACTS.index("private key, plain PKCS#8") :]

REASONS: dict[tuple[str, str], str] = {
    **_same(_ORACLES, _FORMATS, _NO_FORMATS),
    **_same(("openssl", "openssl4", "tongsuo", "gmssl", "gmssl-pyx"), ("SM2 ciphertext, C1C3C2",), _RAW),
    **_same(("openssl", "openssl4", "tongsuo", "gmssl", "gmssl-pyx"), ("SM2 ciphertext, C1C2C3",), _RAW),
    **_same(_OPENSSLS, ("SM4-GCM",), "its command has no authenticated cipher"),
    **_same(_OPENSSLS, ("CMS signed, GM/T 0010",), "knows the OIDs of PKCS#7 only"),
    **_same(_OPENSSLS, ("CMS enveloped, GM/T 0010",), "encrypts for no SM2 certificate, `cms -encrypt` fails"),
    **_same(
        (*_OPENSSLS, "gmssl", "gmssl-pyx"),
        ("SM2 key exchange with confirmation", "SM2 key exchange, the key alone"),
        "not behind its command or interface",
    ),
    ("SM2 key exchange with confirmation", "gmtls"): "hashes RA and RB in the wrong order, and drops leading zeros",
    ("SM2 key exchange with confirmation", "gmalg"): "knows no confirmation",
    ("SM2 key exchange, the key alone", "gmtls"): "drops leading zeros of coordinates: 1 of 128 keys differs",
    ("SM2 key exchange, the key alone", "bouncycastle"): "with confirmation, see above",
    **_same((*_OPENSSLS, "bouncycastle", "gmtls"), ("CMS signed, as GmSSL",), "a form of GmSSL's own"),
    ("CMS signed, GM/T 0010", "gmssl"): "signs without attributes and without Z, see the next row",
    ("SM2 ciphertext, DER", "bouncycastle"): "its engine writes and reads the raw forms",
    ("SM2 ciphertext, DER", "gmalg"): "writes and reads C1C3C2 only",
    ("SM2 ciphertext, C1C2C3", "gmalg"): "writes and reads C1C3C2 only",
    ("HMAC-SM3", "gmalg"): "has none",
    ("SM4-GCM", "gmalg"): "has none",
    ("SM4-GCM", "gmtls"): "its tags differ from those of all others, whatever the lengths",
    ("private key, plain PKCS#8", "gmssl"): "opens and writes sealed keys only",
    ("private key, PBES2 with 1.401.2", "openssl"): "unsupported PRF",
    ("private key, PBES2 with 1.401.2", "openssl4"): "unsupported PRF: it knows 1.401.3.1",
    ("private key, PBES2 with 1.401.2", "tongsuo"): "unsupported PRF: it knows 1.401.3.1",
    ("private key, PBES2 with 1.401.3.1", "openssl"): "unsupported PRF",
    ("private key, PBES2 with 1.401.3.1", "gmssl"): "knows 1.401.2 only",
    **_same(
        ("bouncycastle",),
        ("private key, PBES2 with 1.401.2", "private key, PBES2 with 1.401.3.1"),
        "knows SM4-CBC by no OID, and so no sealed key with it",
    ),
    **_same(
        ("gmtls",),
        ("private key, PBES2 with 1.401.2", "private key, PBES2 with 1.401.3.1"),
        "seals with SHA-1 or SHA-256 and AES",
    ),
    ("revocation list", "openssl"): f"`crl -verify` {_ID}",
    ("OCSP response", "openssl"): f"`ocsp` {_ID}",
    ("OCSP response", "gmssl"): _NO_OCSP,
    ("OCSP response", "bouncycastle"): "not behind the command line of this suite",
    ("OCSP response", "gmtls"): _NO_OCSP,
    ("CMS signed, GM/T 0010", "bouncycastle"): "writes the OIDs of PKCS#7 only",
    ("CMS signed, GM/T 0010", "gmtls"): "writes no CMS",
    ("CMS signed, PKCS#7", "openssl"): "signs no CMS with SM2, and `cms -verify` knows no user id",
    ("CMS signed, PKCS#7", "gmssl"): "knows a form of its own only",
    ("CMS signed, PKCS#7", "gmtls"): "writes no CMS",
    ("CMS enveloped, GM/T 0010", "bouncycastle"): "its SM2 takes the raw ciphertext, and it knows SM4-CBC by no OID",
    ("CMS enveloped, GM/T 0010", "gmtls"): "has no CMS envelopes for SM2",
    ("time-stamp request", "openssl"): "answers none: signs no PKCS#7 with SM2",
    ("time-stamp request", "openssl4"): "answers none: signs no PKCS#7 with SM2",
    ("time-stamp request", "gmssl"): _NO_TIME,
    ("time-stamp request", "bouncycastle"): "its authority is not behind the command line of this suite",
    ("time-stamp request", "gmtls"): _NO_TIME,
    ("time-stamp response", "openssl"): "signs no CMS with SM2, and `cms -verify` knows no user id",
    ("time-stamp response", "openssl4"): "gives none: signs no PKCS#7 with SM2",
    ("time-stamp response", "gmssl"): _NO_TIME,
    ("time-stamp response", "bouncycastle"): "its authority is not behind the command line of this suite",
    ("time-stamp response", "gmtls"): _NO_TIME,
    ("RFC 8998 channel", "openssl"): "3.0 has no suite of RFC 8998",
    ("RFC 8998 channel", "gmtls"): "speaks TLCP only",
}

NOTES = {
    "gmssl": "Its TLS 1.3 knows neither middlebox compatibility nor session tickets: our end runs with `OPENSSL_CONF` "
    "set to a file with `Options = -MiddleboxCompat` and `NumTickets = 0`. Messages for it: `--for gmssl`.",
    "openssl": "Chains are verified link by link: 3.0 applies `-vfyopt distid` to the first certificate only.",
    "openssl4": "Time-stamp tokens are verified by `cms -verify`, for `ts -verify` leaves out Z.",
    "tongsuo": "Time-stamp tokens are verified by `cms -verify`, for `ts -verify` leaves out Z and refuses its own.",
}
