"""Private keys in files: plain, and sealed with both names that HMAC-SM3 has."""

from __future__ import annotations

import pytest

from crypto import asn1, pem
from crypto.errors import AuthenticationFailed
from crypto.keys import keyfile
from crypto.sm2 import PrivateKey
from records.secret import Secret
from tests.crypto.interop.cells import Way, meets
from tests.peers.base import RefusedError

DATA = b"data"
PASS = "correct horse"


@meets("private key, plain PKCS#8", Way.THEY_READ, "read_key")
def test_they_sign_with_our_plain_key(peer, key: PrivateKey) -> None:
    key.public.verify(peer.read_key(keyfile.private_key_pem(key, None), DATA), DATA)


@meets("private key, plain PKCS#8", Way.WE_READ, "write_key")
def test_we_sign_with_their_plain_key(peer) -> None:
    found = keyfile.load_private_key(peer.write_key(), None)
    found.public.verify(found.sign(DATA), DATA)


def _they_open(peer, key: PrivateKey, prf: str) -> None:
    sealed = keyfile.private_key_pem(key, Secret(PASS), rounds=5000, prf=prf)
    key.public.verify(peer.read_sealed_key(sealed, PASS, DATA), DATA)
    with pytest.raises(RefusedError):
        peer.read_sealed_key(sealed, "wrong", DATA)


def _we_open(peer, prf: str) -> None:
    sealed = peer.write_sealed_key(PASS)
    found = keyfile.load_private_key(sealed, Secret(PASS))
    found.public.verify(found.sign(DATA), DATA)
    with pytest.raises(AuthenticationFailed):
        keyfile.load_private_key(sealed, Secret("wrong"))
    info = asn1.EncryptedPrivateKeyInfo.load(pem.blocks(sealed)[0][1])
    assert info["encryption"]["parameters"]["derivation"]["parameters"]["prf"]["algorithm"].dotted == prf


@meets("private key, PBES2 with 1.401.2", Way.THEY_READ, "read_sealed_key", but=("openssl4", "tongsuo"))
def test_they_open_our_key_with_the_oid_of_the_gm_standards(peer, key: PrivateKey) -> None:
    _they_open(peer, key, asn1.HMAC_SM3)


@meets("private key, PBES2 with 1.401.2", Way.WE_READ, "write_sealed_key", but=("openssl4", "tongsuo"))
def test_we_open_their_key_with_the_oid_of_the_gm_standards(peer) -> None:
    _we_open(peer, asn1.HMAC_SM3)


@meets("private key, PBES2 with 1.401.3.1", Way.THEY_READ, "read_sealed_key", but=("gmssl",))
def test_they_open_our_key_with_the_oid_of_openssl(peer, key: PrivateKey) -> None:
    _they_open(peer, key, asn1.HMAC_SM3_OPENSSL)


@meets("private key, PBES2 with 1.401.3.1", Way.WE_READ, "write_sealed_key", but=("gmssl",))
def test_we_open_their_key_with_the_oid_of_openssl(peer) -> None:
    _we_open(peer, asn1.HMAC_SM3_OPENSSL)
