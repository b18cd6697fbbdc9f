"""What can go wrong with keys, encodings and proofs. ``verify`` functions raise: a forgotten check must not pass."""

from __future__ import annotations

from typing import ClassVar

from records.errors import UserError


class CryptoError(UserError):
    """Any refusal of this package."""


class InvalidKey(CryptoError):  # noqa: N818 - reads as the finding it is
    """A key out of range, of another kind, or whose halves do not belong together."""


class InvalidPoint(InvalidKey):
    """A public key that is no point of the SM2 curve."""


class KeyMismatch(InvalidKey):
    """Two halves, or a key and a certificate, that do not belong together."""


class UnsafeFile(CryptoError):  # noqa: N818 - reads as the finding it is
    """A key file or folder that is a link, is linked twice, or is not of this user alone."""


class KeyStateRefused(CryptoError):  # noqa: N818 - reads as the finding it is
    """The state of a key forbids this use or this change of state. Exit 5."""

    exit_code: ClassVar[int] = 5


class InvalidEncoding(CryptoError):  # noqa: N818 - reads as the finding it is
    """Bytes that are not the one strict encoding (DER, PEM, canonical JSON)."""


class AuthenticationFailed(CryptoError):  # noqa: N818 - reads as the finding it is
    """Wrong passphrase, wrong key, changed tag or padding: one text for all, so that it tells an attacker nothing."""

    def __init__(self, *, where: str = "") -> None:
        super().__init__(
            "cannot be opened: wrong passphrase or key, or changed data",
            "check the passphrase; if it is right, restore the file from a backup",
            where=where,
        )


class ProviderUnavailable(CryptoError):  # noqa: N818 - reads as the finding it is
    """No configured provider has the capability; nothing weaker is taken instead."""


class SelfTestFailed(ProviderUnavailable):
    """A provider gave a wrong answer to a known question and is refused."""


class VerificationFailed(CryptoError):  # noqa: N818 - reads as the finding it is
    """A signature, digest or proof does not hold. Exit 1."""

    exit_code: ClassVar[int] = 1


class DigestMismatch(VerificationFailed):
    """The bytes are not the ones that were digested."""


class CertificateRefused(VerificationFailed):
    """A certificate that does not hold: validity, use, or the signature of its issuer."""


class CertificateExpired(CertificateRefused):
    """Outside the validity of a certificate."""


class CertificateRevoked(CertificateRefused):
    """Its issuer has revoked a certificate."""


class RevocationUnknown(CertificateRefused):
    """Nobody with the right to tell says whether a certificate is revoked, or what they say is out of date."""


class WrongUsage(CertificateRefused):
    """A certificate or its key that is not for this use."""


class NameMismatch(CertificateRefused):
    """A certificate that is not for this name."""
