"""Key files: both OIDs of HMAC-SM3 are read, everything else is refused with one text."""

from __future__ import annotations

import pytest

from crypto import asn1, pem
from crypto.curve import CURVE_OID, pkcs8
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding, InvalidKey
from crypto.keys import keyfile
from crypto.sm2 import PrivateKey, generate
from records.secret import Secret

PASSPHRASE = Secret("口令 correct horse")


@pytest.mark.parametrize("prf", [asn1.HMAC_SM3, asn1.HMAC_SM3_OPENSSL])
def test_an_encrypted_key_comes_back(key: PrivateKey, prf: str) -> None:
    data = keyfile.private_key_pem(key, PASSPHRASE, rounds=3, prf=prf)
    again = keyfile.load_private_key(data, PASSPHRASE)
    assert (again.scalar(), again.public) == (key.scalar(), key.public)
    assert key.scalar() not in pem.blocks(data)[0][1]


def test_plain_private_and_public_keys_come_back(key: PrivateKey) -> None:
    assert keyfile.load_private_key(keyfile.private_key_pem(key, None), None).scalar() == key.scalar()
    assert keyfile.load_public_key(keyfile.public_key_pem(key.public)) == key.public


def test_the_curve_stands_inside_too_and_keys_written_without_it_are_read(key: PrivateKey) -> None:
    body = pkcs8(key.scalar(), key.public.point)
    assert body.count(bytes.fromhex("a00a06082a811ccf5501822d")) == 1  # RFC 5915 §3; GmSSL reads no key without
    old = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
    without = old + key.scalar() + bytes.fromhex("a144034200") + key.public.point
    for one in (body, without):
        assert keyfile.load_private_key(pem.encode(keyfile.PLAIN, one), None).scalar() == key.scalar()


def test_the_default_rounds_are_written(key: PrivateKey) -> None:
    body = pem.blocks(keyfile.private_key_pem(key, PASSPHRASE))[0][1]
    assert keyfile._parameters(body)[1] == 210_000


def test_a_sealed_key_needs_its_public_half_for_there_is_no_tag(key: PrivateKey) -> None:
    inner = keyfile._EcPrivateKey({"version": 1, "scalar": key.scalar()}).dump()
    algorithm = {"algorithm": keyfile.EC_PUBLIC_KEY, "curve": CURVE_OID}
    plain = keyfile._PrivateKeyInfo({"version": 0, "algorithm": algorithm, "key": inner}).dump()
    assert keyfile.load_private_key(pem.encode(keyfile.PLAIN, plain), None).public == key.public
    sealed = keyfile._seal(plain, PASSPHRASE, 1, asn1.HMAC_SM3)
    with pytest.raises(AuthenticationFailed):
        keyfile.load_private_key(pem.encode(keyfile.ENCRYPTED, sealed), PASSPHRASE)


def test_a_wrong_passphrase_says_nothing_else(key: PrivateKey) -> None:
    data = keyfile.private_key_pem(key, PASSPHRASE, rounds=1)
    for number in range(40):
        with pytest.raises((AuthenticationFailed, InvalidEncoding)) as refused:
            keyfile.load_private_key(data, Secret(f"guess {number}"))
        assert str(refused.value) == str(AuthenticationFailed())


def test_no_passphrase_for_an_encrypted_key(key: PrivateKey) -> None:
    with pytest.raises(CryptoError, match="no passphrase"):
        keyfile.load_private_key(keyfile.private_key_pem(key, PASSPHRASE, rounds=1), None)


def test_every_changed_byte_of_a_key_file_is_refused(key: PrivateKey) -> None:
    body = pem.blocks(keyfile.private_key_pem(key, PASSPHRASE, rounds=1))[0][1]
    for at in range(len(body)):
        changed = bytearray(body)
        changed[at] ^= 0x40
        try:
            found = keyfile.load_private_key(pem.encode(keyfile.ENCRYPTED, bytes(changed)), PASSPHRASE)
        except CryptoError:
            continue
        pytest.fail(f"byte {at} may be changed: {found!r}")


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        pytest.param(lambda key: pkcs8(bytes(32), key.public.point), InvalidKey, id="d = 0"),
        pytest.param(lambda key: pkcs8(key.scalar(), generate().public.point), InvalidKey, id="foreign public half"),
        pytest.param(lambda key: pkcs8(key.scalar(), key.public.point) + b"\0", InvalidEncoding, id="trailing byte"),
        pytest.param(
            lambda key: pkcs8(key.scalar(), key.public.point).replace(
                bytes.fromhex("2a811ccf5501822d"), bytes.fromhex("2a8648ce3d030107")
            ),
            InvalidKey,
            id="P-256",
        ),
        pytest.param(lambda _: b"\x30\x00", InvalidEncoding, id="empty"),
    ],
)
def test_a_plain_key_is_checked(key: PrivateKey, edit, error) -> None:
    with pytest.raises(error):
        keyfile.load_private_key(pem.encode(keyfile.PLAIN, edit(key)), None)


def test_too_many_rounds_are_not_done(key: PrivateKey) -> None:
    body = keyfile.private_key_pem(key, PASSPHRASE, rounds=65_536)
    low = pem.blocks(body)[0][1]
    high = low.replace(bytes.fromhex("0203010000"), bytes.fromhex("02037fffff"))
    assert high != low
    keyfile._parameters(high)
    with pytest.raises(InvalidEncoding, match="at most"):
        keyfile._check_scheme([asn1.PBES2, asn1.PBKDF2, asn1.SM4_CBC], sm3=True, rounds=10**9, iv=bytes(16))


@pytest.mark.parametrize("data", [b"", b"text", b"-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_pem_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidEncoding):
        keyfile.load_private_key(data, None)


def test_a_certificate_is_no_key() -> None:
    data = pem.encode("CERTIFICATE", b"\x30\x00")
    with pytest.raises(InvalidEncoding):
        keyfile.load_private_key(data, None)
    with pytest.raises(InvalidEncoding):
        keyfile.load_public_key(data)
