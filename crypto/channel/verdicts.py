"""The TLS library's codes in our words: why a certificate does not hold (X509_V_ERR_…), which alert the peer sent."""

from __future__ import annotations

from OpenSSL._util import ffi, lib

from crypto.errors import (
    CertificateExpired,
    CertificateRefused,
    CertificateRevoked,
    CryptoError,
    NameMismatch,
    RevocationUnknown,
    WrongUsage,
)
from crypto.x509 import parse_certificate

REFUSAL_TEMPLATES = ("certificate {name} is refused: {why}",)
_NEXT = "ask the peer's operator for a certificate of your CA, then try again"
_KINDS: dict[type[CertificateRefused], frozenset[str]] = {
    CertificateExpired: frozenset({"CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"}),
    CertificateRevoked: frozenset({"CERT_REVOKED"}),
    RevocationUnknown: frozenset(
        {
            "UNABLE_TO_GET_CRL",
            "UNABLE_TO_GET_CRL_ISSUER",
            "CRL_NOT_YET_VALID",
            "CRL_HAS_EXPIRED",
            "CRL_SIGNATURE_FAILURE",
            "KEYUSAGE_NO_CRL_SIGN",
            "DIFFERENT_CRL_SCOPE",
            "CRL_PATH_VALIDATION_ERROR",
            "UNHANDLED_CRITICAL_CRL_EXTENSION",
        }
    ),
    WrongUsage: frozenset({"INVALID_PURPOSE", "INVALID_CA", "KEYUSAGE_NO_CERTSIGN", "PATH_LENGTH_EXCEEDED"}),
    NameMismatch: frozenset({"HOSTNAME_MISMATCH", "IP_ADDRESS_MISMATCH"}),
}
ALERTS = {  # RFC 8446 §6
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    116: "certificate_required",
    120: "no_application_protocol",
}


def alert_name(code: int) -> str:
    """The alert's name in RFC 8446, or its number."""
    return ALERTS.get(code, str(code))


def refusal(code: int, certificate: bytes) -> CertificateRefused:
    """The typed error for what the library found wrong with a certificate (DER)."""
    kind = next((kind for kind, names in _KINDS.items() if code in _codes(names)), CertificateRefused)
    text = ffi.string(lib.X509_verify_cert_error_string(code)).decode()
    return kind(REFUSAL_TEMPLATES[0], _NEXT, name=_subject(certificate), why=text)


def _codes(names: frozenset[str]) -> set[int]:
    return {getattr(lib, f"X509_V_ERR_{name}", -1) for name in names}


def _subject(certificate: bytes) -> str:
    """Its subject; whatever cannot be read has none."""
    try:
        return parse_certificate(certificate).subject_text
    except CryptoError:
        return "?"
