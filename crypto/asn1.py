"""ASN.1 shapes on asn1crypto, with plain OIDs: its own classes map names globally, and the GM ones are missing.

Shapes: AlgorithmIdentifier (RFC 5280), PBES2 (RFC 8018), attributes; those of CMS stand in ``crypto.cms.shapes``.
"""

from __future__ import annotations

from typing import Any

from asn1crypto import core, x509

from crypto import der
from crypto.errors import InvalidEncoding

SM3 = "1.2.156.10197.1.401"
SM2_WITH_SM3 = "1.2.156.10197.1.501"
SM2_SIGN = "1.2.156.10197.1.301.1"  # GM/T 0010-2012 §6: what older signers name in SignerInfo
SM2_ENCRYPT = "1.2.156.10197.1.301.3"  # GM/T 0006-2012
SM2_ENCRYPT_GMSSL = "1.2.156.10197.1.301.2"  # what GmSSL names instead: the standard's key exchange
SM4_CBC, SM4_GCM = "1.2.156.10197.1.104.2", "1.2.156.10197.1.104.8"
HMAC_SM3 = "1.2.156.10197.1.401.2"  # as GmSSL and GM/T 0091 write it
HMAC_SM3_OPENSSL = "1.2.156.10197.1.401.3.1"  # as OpenSSL and Tongsuo write it
PBES2 = "1.2.840.113549.1.5.13"
PBKDF2 = "1.2.840.113549.1.5.12"
GM_DATA, GM_SIGNED = "1.2.156.10197.6.1.4.2.1", "1.2.156.10197.6.1.4.2.2"
GM_ENVELOPED, GM_SIGNED_AND_ENVELOPED = "1.2.156.10197.6.1.4.2.3", "1.2.156.10197.6.1.4.2.4"
PKCS7_DATA, PKCS7_SIGNED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
PKCS7_ENVELOPED, PKCS7_SIGNED_AND_ENVELOPED = "1.2.840.113549.1.7.3", "1.2.840.113549.1.7.4"
TST_INFO = "1.2.840.113549.1.9.16.1.4"  # id-ct-TSTInfo
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"  # id-aa-signingCertificateV2, RFC 5035
TIMESTAMP_TOKEN = "1.2.840.113549.1.9.16.2.14"  # noqa: S105 - id-aa-timeStampToken, RFC 3161 appendix A

MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What asn1crypto raises on hostile input, its own slips included: a REAL has no ``native``, for one."""


class AlgorithmIdentifier(core.Sequence):  # type: ignore[misc]  # asn1crypto ships no types
    """An algorithm, its parameters absent, NULL or anything."""

    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]  # noqa: RUF012 - asn1crypto's own way


class AlgorithmIdentifiers(core.SetOf):  # type: ignore[misc]
    """DigestAlgorithmIdentifiers."""

    _child_spec = AlgorithmIdentifier


class Pbkdf2Parameters(core.Sequence):  # type: ignore[misc]
    """PBKDF2-params with a given salt; SHA-1 is meant where no PRF stands, and refused."""

    _fields = [  # noqa: RUF012
        ("salt", core.OctetString),
        ("rounds", core.Integer),
        ("key_length", core.Integer, {"optional": True}),
        ("prf", AlgorithmIdentifier, {"optional": True}),
    ]


class Pbkdf2Algorithm(core.Sequence):  # type: ignore[misc]
    """The key derivation of PBES2."""

    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", Pbkdf2Parameters)]  # noqa: RUF012


class CipherAlgorithm(core.Sequence):  # type: ignore[misc]
    """The cipher of PBES2 with its IV."""

    _fields = [("algorithm", core.ObjectIdentifier), ("iv", core.OctetString)]  # noqa: RUF012


class Pbes2Parameters(core.Sequence):  # type: ignore[misc]
    """Derivation and cipher."""

    _fields = [("derivation", Pbkdf2Algorithm), ("cipher", CipherAlgorithm)]  # noqa: RUF012


class Pbes2Algorithm(core.Sequence):  # type: ignore[misc]
    """PBES2 as a whole."""

    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", Pbes2Parameters)]  # noqa: RUF012


class EncryptedPrivateKeyInfo(core.Sequence):  # type: ignore[misc]
    """RFC 5958 §3."""

    _fields = [("encryption", Pbes2Algorithm), ("data", core.OctetString)]  # noqa: RUF012


class AnyValues(core.SetOf):  # type: ignore[misc]
    """Values of an attribute."""

    _child_spec = core.Any


class Attribute(core.Sequence):  # type: ignore[misc]
    """One attribute of a signer."""

    _fields = [("type", core.ObjectIdentifier), ("values", AnyValues)]  # noqa: RUF012


class Attributes(core.SetOf):  # type: ignore[misc]
    """Signed or unsigned attributes."""

    _child_spec = Attribute


def algorithm(oid: str) -> dict[str, Any]:
    """An AlgorithmIdentifier without parameters, as the GM profiles write it."""
    return {"algorithm": oid}


def is_algorithm(found: Any, *oids: str) -> bool:
    """One of the OIDs, with parameters absent or NULL."""
    oid, parameters = found["algorithm"].dotted, found["parameters"].dump()
    return oid in oids and parameters in (b"", b"\x05\x00")


def is_sm2_signature(found: Any, signature: Any) -> bool:
    """The algorithm is SM2 with SM3, and the BIT STRING holds whole bytes."""
    named = is_algorithm(AlgorithmIdentifier.load(found.dump()), SM2_WITH_SM3)
    return named and signature.contents[:1] == b"\0"


def load(shape: Any, data: bytes) -> Any:
    """One element of a shape, and nothing in it that the shape does not name.

    asn1crypto skips elements that stand behind the last one of a SEQUENCE or of an explicit tag. In the parts of a
    structure that no signature covers anything could be hidden so. Raises InvalidEncoding and what ``MALFORMED`` names;
    that the bytes are DER is checked before, by ``crypto.der.check``.
    """
    found = shape.load(data, strict=True)
    _check_shape(found)
    return found


def _check_shape(value: Any) -> None:
    """Elements of certificates are left to ``crypto.x509``, which reads each that comes along."""
    if value.explicit:
        der.read(value.dump())  # too short for its header where a second element was skipped in the wrapper
    if isinstance(value, core.Sequence):
        names = [one[0] for one in value._fields]
        if len(value) > len(names):
            raise InvalidEncoding("it has elements that do not belong there", "ask the signer for it again")
        for name in () if isinstance(value, x509.Certificate) else names:
            _check_shape(value[name])
    elif isinstance(value, (core.SequenceOf, core.SetOf)):
        for one in value:
            _check_shape(one)
