"""``gmssl`` 3.2.2 has twelve known flaws: each is shown in the package and then shown to be out of reach behind ours."""

from __future__ import annotations

import random

import pytest
from Cryptodome.Util.asn1 import DerSequence
from gmssl import func, sm2, sm3, sm4

from crypto import ciphertext, curve, der
from crypto.ciphertext import Mode
from crypto.errors import AuthenticationFailed, CryptoError, InvalidPoint, ProviderUnavailable, VerificationFailed
from crypto.providers import gmssl_reference, registry
from crypto.providers.base import Capability
from crypto.providers.gmssl_reference import GmsslProvider
from crypto.providers.openssl import OpensslProvider
from crypto.providers.registry import Options, Registry
from crypto.sm2 import PrivateKey, PublicKey

ALLOWED = Options(allow_slow_reference=True)
SCALAR = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
POINT = OpensslProvider().point_of(SCALAR)
PACKAGE = sm2.CryptSM2(SCALAR.hex(), POINT[1:].hex(), mode=1)
E = bytes(range(32))


@pytest.fixture(autouse=True)
def reference():
    """All of SM2 by the wrapped package."""
    registry.configure(["gmssl", "hashlib"], ALLOWED)
    yield
    registry.configure(registry.DEFAULT_ORDER)


@pytest.fixture
def key() -> PrivateKey:
    return PrivateKey.from_scalar(SCALAR)


def test_1_nonces_of_a_seeded_process_give_the_key_away_and_ours_do_not(monkeypatch) -> None:
    def recovered(sign) -> bytes:
        random.seed(1)
        r, s = sign()
        random.seed(1)
        k = int(func.random_hex(64), 16)
        return ((k - s) * pow(s + r, -1, curve.N) % curve.N).to_bytes(32)

    def theirs() -> tuple[int, int]:
        found = PACKAGE.sign_with_sm3(b"m")
        return int(found[:64], 16), int(found[64:], 16)

    assert recovered(theirs) == SCALAR
    assert recovered(lambda: der.parse_signature(GmsslProvider().sign(SCALAR, E))) != SCALAR
    monkeypatch.setattr(gmssl_reference.secrets, "randbelow", lambda top: top - 1)
    assert 1 <= gmssl_reference._nonce() < curve.N


def _point_that_begins(prefix: bytes) -> tuple[bytes, bytes]:
    engine = OpensslProvider()
    for number in range(1, 100_000):
        scalar = number.to_bytes(32)
        point = engine.point_of(scalar)
        if point[1:].startswith(prefix):
            return scalar, point
    raise AssertionError(prefix)


@pytest.mark.parametrize("prefix", [b"\x04", b"\x40", b"\x00", b"\x44"], ids=lambda one: one.hex())
def test_2_keys_that_begin_with_04_are_whole(prefix: bytes) -> None:
    scalar, point = _point_that_begins(prefix)
    assert sm2.CryptSM2("", point.hex()).public_key != point[1:].hex()
    public = PublicKey.from_point(point)
    public.verify(PrivateKey.from_scalar(scalar).sign(b"x"), b"x")


def test_3_a_changed_ciphertext_is_refused(key: PrivateKey) -> None:
    sealed = bytearray(PACKAGE.encrypt(b"pay 100 yuan"))
    sealed[96] ^= 1
    assert PACKAGE.decrypt(bytes(sealed)) == b"qay 100 yuan"
    theirs = ciphertext.parse(b"\x04" + bytes(sealed), Mode.C1C3C2).encode()
    with pytest.raises(AuthenticationFailed):
        key.decrypt(theirs)
    for at in (40, 90, -1):
        ours = bytearray(key.public.encrypt(b"pay 100 yuan"))
        ours[at] ^= 1
        with pytest.raises(AuthenticationFailed):
            key.decrypt(bytes(ours))


def test_4_points_off_the_curve_are_refused(key: PrivateKey) -> None:
    assert isinstance(PACKAGE.decrypt(b"\1" * 64 + bytes(32) + b"x" * 12), bytes)
    with pytest.raises(InvalidPoint):
        ciphertext.parse(b"\4" + b"\1" * 64 + bytes(32) + b"x" * 12, Mode.C1C3C2)
    off = der.encode_integer(int.from_bytes(b"\1" * 32)) * 2 + der.encode(4, bytes(32)) + der.encode(4, b"x" * 12)
    with pytest.raises(AuthenticationFailed):
        key.decrypt(der.encode(der.SEQUENCE, off))
    with pytest.raises(InvalidPoint):
        PublicKey.from_point(b"\4" + b"\1" * 64)


def test_5_signatures_out_of_range_or_with_a_tail_are_refused(key: PrivateKey) -> None:
    package = sm2.CryptSM2(SCALAR.hex(), POINT[1:].hex(), asn1=True)
    r, s = DerSequence().decode(bytes.fromhex(package.sign_with_sm3(b"m")))
    large = DerSequence([r, s + curve.N * 2**256]).encode()
    assert package.verify_with_sm3(large.hex(), b"m")
    assert PACKAGE.verify_with_sm3(f"{r:064x}{s:064x}deadbeef", b"m")
    key.public.verify(der.encode_signature(r, s), b"m")
    for bad in (large, der.encode_signature(r, s) + b"\0", der.encode_signature(0, s), b"", b"0", b"\x30\x00"):
        with pytest.raises(VerificationFailed):
            key.public.verify(bad, b"m")


def test_6_one_byte_is_always_encrypted(monkeypatch, key: PrivateKey) -> None:
    provider = GmsslProvider()
    streams = iter([b"\0", b"\0", b"\7"])
    monkeypatch.setattr(provider, "_stretch", lambda *_: next(streams))
    assert ciphertext.parse(provider.encrypt(POINT, b"a")).text == b"f"
    with pytest.raises(ValueError, match="invalid literal"):
        PACKAGE.encrypt(b"")
    with pytest.raises(CryptoError, match="1 to 255 bytes"):
        key.public.encrypt(b"")


def test_7_the_form_is_der_of_the_standard(key: PrivateKey) -> None:
    default = sm2.CryptSM2(SCALAR.hex(), POINT[1:].hex())
    assert (default.mode, len(default.encrypt(b"x"))) == (0, 64 + 32 + 1)
    engine = OpensslProvider()
    assert engine.decrypt(engine.load_private(SCALAR, POINT), key.public.encrypt(b"x")) == b"x"
    assert key.decrypt(engine.encrypt(engine.load_public(POINT), b"y")) == b"y"


def test_8_the_user_id_counts(key: PrivateKey) -> None:
    signature = key.sign(b"m", b"TLSv1.3+GM+Cipher+Suite")
    key.public.verify(signature, b"m", b"TLSv1.3+GM+Cipher+Suite")
    with pytest.raises(VerificationFailed):
        key.public.verify(signature, b"m")


def test_9_no_multiplication_sees_the_secret(monkeypatch) -> None:
    """Its ``_kg`` branches on each bit of the scalar: it gets summands that are random each time."""
    seen: list[int] = []
    multiply = sm2.CryptSM2._kg
    monkeypatch.setattr(sm2.CryptSM2, "_kg", lambda self, k, point: seen.append(k) or multiply(self, k, point))
    provider = GmsslProvider()
    secret = int.from_bytes(SCALAR)
    assert provider.point_of(SCALAR) == provider.point_of(SCALAR) == POINT
    assert len(set(seen)) == 4
    assert secret not in seen
    assert sum(seen[:2]) % curve.N == sum(seen[2:]) % curve.N == secret


def test_10_a_digest_can_be_asked_twice() -> None:
    given = list(b"abc")
    assert sm3.sm3_hash(given) != sm3.sm3_hash(given)
    hasher = GmsslProvider().sm3(b"ab")
    hasher.update(b"c")
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert hasher.digest().hex() == hasher.digest().hex() == hasher.copy().digest().hex() == expected


def test_11_sm4_takes_keys_of_16_bytes_and_whole_blocks_and_unpads_nothing() -> None:
    package = sm4.CryptSM4()
    package.set_key(b"k" * 40, sm4.SM4_ENCRYPT)
    assert len(package.crypt_cbc(b"i" * 16, b"a")) == 16
    provider = GmsslProvider()
    for key, iv, blocks in [(40, 16, 16), (15, 16, 16), (16, 12, 16), (16, 16, 15)]:
        for operation in (provider.cbc_encrypt, provider.cbc_decrypt):
            with pytest.raises(CryptoError, match="whole blocks"):
                operation(bytes(key), bytes(iv), bytes(blocks))
    noise = random.Random(1).randbytes(64)  # noqa: S311 - repeatable
    assert provider.cbc_encrypt(b"k" * 16, b"i" * 16, provider.cbc_decrypt(b"k" * 16, b"i" * 16, noise)) == noise


def test_12_what_it_lacks_is_not_offered_and_its_objects_hold_no_key(monkeypatch, key: PrivateKey) -> None:
    assert not hasattr(sm2.CryptSM2, "generate")
    only = Registry(["gmssl"], ALLOWED)
    for capability in (Capability.SM2_EXCHANGE, Capability.SM4_GCM, Capability.HKDF_SM3):
        with pytest.raises(ProviderUnavailable, match=capability.value):
            only.get(capability)
    held: list[str] = []
    create = sm2.CryptSM2.__init__
    monkeypatch.setattr(
        sm2.CryptSM2, "__init__", lambda self, **given: (held.append(given["private_key"]), create(self, **given))[0]
    )
    key.decrypt(key.public.encrypt(b"x"))
    key.sign(b"x")
    assert set(held) == {""}


def test_it_is_off_unless_named_and_allowed() -> None:
    with pytest.raises(ProviderUnavailable, match="pure Python") as refused:
        Registry(["openssl", "gmssl"])
    assert "allow_slow_reference" in refused.value.problems[0].next_step
    assert "gmssl" not in registry.DEFAULT_ORDER


def test_its_uses_are_counted_and_told(key: PrivateKey, caplog: pytest.LogCaptureFixture) -> None:
    key.sign(b"its self-test, once")
    before = gmssl_reference.uses["sm2.sign"]
    key.sign(b"x")
    assert gmssl_reference.uses["sm2.sign"] == before + 1
    caplog.clear()
    GmsslProvider().point_of(SCALAR)
    assert "pure Python" in caplog.text


def test_bulk_data_is_refused() -> None:
    provider = GmsslProvider()
    with pytest.raises(CryptoError, match="65537 bytes at once"):
        provider.sm3(bytes(65_537))
    running = provider.sm3(bytes(65_536))
    with pytest.raises(CryptoError):
        running.update(b"x")
    with pytest.raises(CryptoError):
        provider.cbc_encrypt(bytes(16), bytes(16), bytes(65_552))
