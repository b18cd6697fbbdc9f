"""Signed and encrypted messages (密码消息, GB/T 35275-2017, GM/T 0010-2012, RFC 5652) on SM2, SM3 and SM4."""

from crypto.cms.artefact import read_signer, verify_detached
from crypto.cms.enveloped import Recipient, decrypt, decrypt_signed, encrypt, sign_and_encrypt
from crypto.cms.signer import NotTrusted, Signer
from crypto.cms.signing import sign, sign_detached, sign_for_gmssl
from crypto.cms.token import TimeInfo, Timestamp, read_token
from crypto.cms.verifying import Signed, read_signed

__all__ = [
    "NotTrusted",
    "Recipient",
    "Signed",
    "Signer",
    "TimeInfo",
    "Timestamp",
    "decrypt",
    "decrypt_signed",
    "encrypt",
    "read_signed",
    "read_signer",
    "read_token",
    "sign",
    "sign_and_encrypt",
    "sign_detached",
    "sign_for_gmssl",
    "verify_detached",
]
