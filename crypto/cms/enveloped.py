"""EnvelopedData and SignedAndEnvelopedData (数字信封, GM/T 0010-2012 §9, §10): SM2 for the key, SM4-CBC for the data.

CBC is what the peers read, and it has no tag: who wants more than secrecy signs as well, or uses ``crypto.envelope``
(SM4-GCM) between sites of ours. Whatever fails once a recipient is found is one ``AuthenticationFailed``, and nothing
is given out before everything holds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import core

from crypto import asn1
from crypto.cms import shapes
from crypto.cms.checking import check_content, check_statement
from crypto.cms.message import (
    MAX_MESSAGE_BYTES,
    SignedMessage,
    check_size,
    parsing,
    read_certificates,
    read_signers,
    require,
)
from crypto.cms.signing import certificates, issuer_and_serial, signer_info, signing_time
from crypto.cms.verifying import Signed
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding, VerificationFailed, WrongUsage
from crypto.identity import SiteIdentity
from crypto.pki.revocation import NOTHING_KNOWN, Revocations
from crypto.providers import registry
from crypto.providers.base import Capability
from crypto.sm2 import PrivateKey
from crypto.sm3 import sm3
from crypto.sm4 import KEY_BYTES
from crypto.x509 import Certificate

BLOCK_BYTES = 16
MAX_RECIPIENTS = 1000
ENCRYPTING_USES = frozenset({"key_encipherment", "data_encipherment", "key_agreement"})
_ENVELOPED = {asn1.GM_ENVELOPED: asn1.GM_DATA, asn1.PKCS7_ENVELOPED: asn1.PKCS7_DATA}
_BOTH = {asn1.GM_SIGNED_AND_ENVELOPED: asn1.GM_DATA, asn1.PKCS7_SIGNED_AND_ENVELOPED: asn1.PKCS7_DATA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who opens a message: a private key and the certificate that the sender encrypted for."""

    key: PrivateKey
    certificate: Certificate

    def __post_init__(self) -> None:
        if self.key.public != self.certificate.public_key:
            raise CryptoError(
                "the certificate is for another key", "give the certificate that the message was encrypted for"
            )


def encrypt(data: bytes, recipients: Sequence[Certificate], *, pkcs7: bool = False, for_gmssl: bool = False) -> bytes:
    """DER EnvelopedData that any of the recipients opens; raises WrongUsage for a certificate that only signs.

    ``for_gmssl`` names SM2 encryption by the one OID that GmSSL's ``cmsdecrypt`` knows.
    """
    enveloped_type = asn1.PKCS7_ENVELOPED if pkcs7 else asn1.GM_ENVELOPED
    version = 0 if pkcs7 else 1  # RFC 5652 §6.1; GM/T 0010 §9.1
    key = secrets.token_bytes(KEY_BYTES)
    content = {
        "version": version,
        "recipients": _recipients(key, recipients, version, asn1.SM2_ENCRYPT_GMSSL if for_gmssl else asn1.SM2_ENCRYPT),
        "content": _encrypted(key, data, _ENVELOPED[enveloped_type]),
    }
    return bytes(shapes.EnvelopedContent({"type": enveloped_type, "content": content}).dump())


def sign_and_encrypt(
    data: bytes,
    signers: Sequence[SiteIdentity],
    recipients: Sequence[Certificate],
    at: datetime,
    *,
    pkcs7: bool = False,
) -> bytes:
    """DER SignedAndEnvelopedData: the signatures stand outside the encryption, as the standard has it."""
    both_type = asn1.PKCS7_SIGNED_AND_ENVELOPED if pkcs7 else asn1.GM_SIGNED_AND_ENVELOPED
    key, values = secrets.token_bytes(KEY_BYTES), {asn1.SIGNING_TIME: signing_time(at)}
    content = {
        "version": 1,
        "recipients": _recipients(key, recipients, 0 if pkcs7 else 1, asn1.SM2_ENCRYPT),
        "digest_algorithms": [asn1.algorithm(asn1.SM3)],
        "content": _encrypted(key, data, _BOTH[both_type]),
        "certificates": certificates([one.chain for one in signers]),
        "signers": [signer_info(one, _BOTH[both_type], sm3(data), values) for one in signers],
    }
    return bytes(shapes.SignedAndEnvelopedContent({"type": both_type, "content": content}).dump())


def _recipients(key: bytes, recipients: Sequence[Certificate], version: int, algorithm: str) -> list[dict[str, Any]]:
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise CryptoError("a message has 1 to {limit} recipients", "name them by --cert", limit=MAX_RECIPIENTS)
    return [_recipient(key, one, version, algorithm) for one in recipients]


def _recipient(key: bytes, certificate: Certificate, version: int, algorithm: str) -> dict[str, Any]:
    if certificate.key_usage is not None and not certificate.key_usage & ENCRYPTING_USES:
        raise WrongUsage(
            "certificate {name} is for signing, not for encryption",
            "ask {name} for the certificate of their encryption key",
            name=certificate.subject_text,
        )
    return {
        "version": version,
        "rid": issuer_and_serial(certificate),
        "key_algorithm": asn1.algorithm(algorithm),
        "encrypted_key": certificate.public_key.encrypt(key),
    }


def _encrypted(key: bytes, data: bytes, data_type: str) -> dict[str, Any]:
    iv, pad = secrets.token_bytes(BLOCK_BYTES), BLOCK_BYTES - len(data) % BLOCK_BYTES
    blocks = registry.ciphers(Capability.SM4_CBC).cbc_encrypt(key, iv, data + bytes([pad]) * pad)
    cipher = {"algorithm": asn1.SM4_CBC, "parameters": core.OctetString(iv)}
    return {"type": data_type, "cipher": cipher, "content": blocks}


def is_signed(message: bytes) -> bool:
    """Whether it is SignedAndEnvelopedData by its type; raises VerificationFailed where it is no message at all."""
    with parsing("the message is malformed ({error})"):
        check_size(message, MAX_MESSAGE_BYTES)
        return shapes.AnyContent.load(message, strict=True)["type"].dotted in _BOTH


def decrypt(message: bytes, recipient: Recipient) -> bytes:
    """The data of EnvelopedData.

    Raises:
        VerificationFailed: The message is malformed.
        CryptoError: It is for others.
        AuthenticationFailed: It was changed, or encrypted for another key under this certificate's name.
    """
    with parsing("the message is malformed ({error})"):
        check_size(message, MAX_MESSAGE_BYTES)
        outer = asn1.load(shapes.EnvelopedContent, message)
        open_it = _opener(outer, _ENVELOPED, versions={0, 1, 2})
    return open_it(recipient)


def decrypt_signed(
    message: bytes,
    recipient: Recipient,
    anchors: Sequence[Certificate],
    *,
    at: datetime,
    known: Revocations = NOTHING_KNOWN,
) -> Signed:
    """Data and signers of SignedAndEnvelopedData; raises as ``decrypt``, and VerificationFailed for a signer refused.

    What the signatures say in the clear is checked first, so that nothing told after decryption depends on how far an
    attacker's change of the ciphertext got.
    """
    with parsing("the message is malformed ({error})"):
        check_size(message, MAX_MESSAGE_BYTES)
        outer = asn1.load(shapes.SignedAndEnvelopedContent, message)
        open_it = _opener(outer, _BOTH, versions={1})
        found = _signed_part(outer["content"], _BOTH[outer["type"].dotted])
    signers = tuple(check_statement(one, found, anchors, at=at, known=known) for one in found.signers)
    data = open_it(recipient)
    try:
        for one in found.signers:
            check_content(one, data)
    except VerificationFailed:
        raise AuthenticationFailed from None
    return Signed(content=data, signers=signers)


def _signed_part(content: Any, data_type: str) -> SignedMessage:
    known = read_certificates(content["certificates"])
    signers = read_signers(content["digest_algorithms"], content["signers"], known, data_type)
    return SignedMessage(version=1, data_type=data_type, content=None, certificates=known, signers=signers)


def _opener(outer: Any, families: Mapping[str, str], versions: set[int]) -> Callable[[Recipient], bytes]:
    """The message's form checked; what is returned opens it."""
    content = outer["content"]
    encrypted, recipients = content["content"], content["recipients"]
    require(families.get(outer["type"].dotted) == encrypted["type"].dotted, "another content type than encrypted data")
    require(content["version"].native in versions, "another version")
    require(1 <= len(recipients) <= MAX_RECIPIENTS, "no recipient, or too many")
    require(encrypted["cipher"]["algorithm"].dotted == asn1.SM4_CBC, "another cipher than SM4-CBC")
    iv = encrypted["cipher"]["parameters"].parse(core.OctetString).native
    require(len(iv) == BLOCK_BYTES, "an IV that has not 16 bytes")
    keys = {_rid(one): _wrapped(one) for one in recipients}
    blocks = encrypted["content"].native
    return lambda recipient: _open(_key(keys, recipient), iv, blocks)


def _rid(found: Any) -> tuple[bytes, int]:
    return found["rid"]["issuer"].dump(), found["rid"]["serial"].native


def _wrapped(found: Any) -> bytes:
    require(found["version"].native in {0, 1}, "another version")
    known = asn1.is_algorithm(found["key_algorithm"], asn1.SM2_ENCRYPT, asn1.SM2_ENCRYPT_GMSSL)
    require(known, "a key that is not encrypted by SM2")
    return bytes(found["encrypted_key"].native)


def _key(keys: Mapping[tuple[bytes, int], bytes], recipient: Recipient) -> bytes:
    wrapped = keys.get((recipient.certificate.issuer, recipient.certificate.serial))
    if wrapped is None:
        raise InvalidEncoding(
            "the message is not for {name}",
            "use the key of one of its recipients",
            name=recipient.certificate.subject_text,
        )
    return recipient.key.decrypt(wrapped)


def _open(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    if len(key) != KEY_BYTES or not blocks or len(blocks) % BLOCK_BYTES:
        raise AuthenticationFailed
    text = registry.ciphers(Capability.SM4_CBC).cbc_decrypt(key, iv, blocks)
    pad = text[-1]
    if not 1 <= pad <= BLOCK_BYTES or text[-pad:] != bytes([pad]) * pad:
        raise AuthenticationFailed
    return text[:-pad]
