"""ASN.1 shapes of CMS (RFC 5652, GB/T 35275-2017, GM/T 0010-2012) and of time-stamp tokens (RFC 3161, RFC 5035)."""

from __future__ import annotations

from asn1crypto import core, x509

from crypto.asn1 import AlgorithmIdentifier, AlgorithmIdentifiers, Attributes


class IssuerAndSerial(core.Sequence):  # type: ignore[misc]  # asn1crypto ships no types
    """Which certificate is meant."""

    _fields = [("issuer", x509.Name), ("serial", core.Integer)]  # noqa: RUF012 - asn1crypto's own way


class SignerInfo(core.Sequence):  # type: ignore[misc]
    """One signature with its signed attributes."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("sid", IssuerAndSerial),
        ("digest_algorithm", AlgorithmIdentifier),
        ("signed_attrs", Attributes, {"implicit": 0, "optional": True}),
        ("signature_algorithm", AlgorithmIdentifier),
        ("signature", core.OctetString),
        ("unsigned_attrs", Attributes, {"implicit": 1, "optional": True}),
    ]


class SignerInfos(core.SetOf):  # type: ignore[misc]
    """All signatures."""

    _child_spec = SignerInfo


class Certificates(core.SetOf):  # type: ignore[misc]
    """The chains that come along."""

    _child_spec = x509.Certificate


class EncapsulatedContent(core.Sequence):  # type: ignore[misc]
    """What was signed; the content itself is absent where the signature is detached."""

    _fields = [("type", core.ObjectIdentifier), ("content", core.OctetString, {"explicit": 0, "optional": True})]  # noqa: RUF012


class SignedData(core.Sequence):  # type: ignore[misc]
    """Signatures over one content."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("digest_algorithms", AlgorithmIdentifiers),
        ("content", EncapsulatedContent),
        ("certificates", Certificates, {"implicit": 0, "optional": True}),
        ("signers", SignerInfos),
    ]


class RecipientInfo(core.Sequence):  # type: ignore[misc]
    """The content key, encrypted for one certificate (KeyTransRecipientInfo)."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("rid", IssuerAndSerial),
        ("key_algorithm", AlgorithmIdentifier),
        ("encrypted_key", core.OctetString),
    ]


class RecipientInfos(core.SetOf):  # type: ignore[misc]
    """All recipients."""

    _child_spec = RecipientInfo


class EncryptedContent(core.Sequence):  # type: ignore[misc]
    """What was encrypted, and how."""

    _fields = [  # noqa: RUF012
        ("type", core.ObjectIdentifier),
        ("cipher", AlgorithmIdentifier),
        ("content", core.OctetString, {"implicit": 0}),
    ]


class EnvelopedData(core.Sequence):  # type: ignore[misc]
    """One content for several recipients."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("recipients", RecipientInfos),
        ("content", EncryptedContent),
    ]


class SignedAndEnvelopedData(core.Sequence):  # type: ignore[misc]
    """Signed by several, for several (PKCS#7 §11, GM/T 0010 §10)."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("recipients", RecipientInfos),
        ("digest_algorithms", AlgorithmIdentifiers),
        ("content", EncryptedContent),
        ("certificates", Certificates, {"implicit": 0, "optional": True}),
        ("signers", SignerInfos),
    ]


class SignedContent(core.Sequence):  # type: ignore[misc]
    """ContentInfo that holds SignedData."""

    _fields = [("type", core.ObjectIdentifier), ("content", SignedData, {"explicit": 0})]  # noqa: RUF012


class EnvelopedContent(core.Sequence):  # type: ignore[misc]
    """ContentInfo that holds EnvelopedData."""

    _fields = [("type", core.ObjectIdentifier), ("content", EnvelopedData, {"explicit": 0})]  # noqa: RUF012


class SignedAndEnvelopedContent(core.Sequence):  # type: ignore[misc]
    """ContentInfo that holds SignedAndEnvelopedData."""

    _fields = [("type", core.ObjectIdentifier), ("content", SignedAndEnvelopedData, {"explicit": 0})]  # noqa: RUF012


class AnyContent(core.Sequence):  # type: ignore[misc]
    """ContentInfo whose type is looked at first."""

    _fields = [("type", core.ObjectIdentifier), ("content", core.Any, {"explicit": 0})]  # noqa: RUF012


class MessageImprint(core.Sequence):  # type: ignore[misc]
    """Digest of what is time-stamped."""

    _fields = [("algorithm", AlgorithmIdentifier), ("digest", core.OctetString)]  # noqa: RUF012


class Accuracy(core.Sequence):  # type: ignore[misc]
    """How far the time may be off."""

    _fields = [  # noqa: RUF012
        ("seconds", core.Integer, {"optional": True}),
        ("millis", core.Integer, {"implicit": 0, "optional": True}),
        ("micros", core.Integer, {"implicit": 1, "optional": True}),
    ]


class TimeInfo(core.Sequence):  # type: ignore[misc]
    """TSTInfo (RFC 3161 §2.4.2); extensions are left out and refused."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("policy", core.ObjectIdentifier),
        ("imprint", MessageImprint),
        ("serial", core.Integer),
        ("at", core.GeneralizedTime),
        ("accuracy", Accuracy, {"optional": True}),
        ("ordering", core.Boolean, {"default": False}),
        ("nonce", core.Integer, {"optional": True}),
        ("tsa", x509.GeneralName, {"explicit": 0, "optional": True}),
    ]


class IssuerSerial(core.Sequence):  # type: ignore[misc]
    """RFC 5035 §5."""

    _fields = [("issuer", x509.GeneralNames), ("serial", core.Integer)]  # noqa: RUF012


class CertificateId(core.Sequence):  # type: ignore[misc]
    """ESSCertIDv2; the digest is SM3, so its algorithm always stands there."""

    _fields = [  # noqa: RUF012
        ("algorithm", AlgorithmIdentifier),
        ("digest", core.OctetString),
        ("issuer_serial", IssuerSerial, {"optional": True}),
    ]


class CertificateIds(core.SequenceOf):  # type: ignore[misc]
    """The signer's certificate first."""

    _child_spec = CertificateId


class SigningCertificate(core.Sequence):  # type: ignore[misc]
    """SigningCertificateV2."""

    _fields = [("certificates", CertificateIds), ("policies", core.Any, {"optional": True})]  # noqa: RUF012
