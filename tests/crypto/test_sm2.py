"""Keys: what is refused before a library sees it, and that nothing gives the secret away."""

from __future__ import annotations

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor

import gmalg
import gmssl_pyx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import curve, der
from crypto.errors import CryptoError, InvalidKey, InvalidPoint, VerificationFailed
from crypto.sm2 import DEFAULT_ID, PrivateKey, PublicKey, generate

BASE = curve.GENERATOR


@pytest.mark.parametrize(
    "scalar",
    [
        pytest.param(0, id="0"),
        pytest.param(curve.N - 1, id="n-1, with which OpenSSL hangs"),
        pytest.param(curve.N, id="n"),
        pytest.param(curve.N + 1, id="n+1"),
        pytest.param(2**256 - 1, id="all ones"),
    ],
)
def test_a_scalar_out_of_range_is_refused(scalar: int) -> None:
    with pytest.raises(InvalidKey, match="out of range"):
        PrivateKey.from_scalar(scalar.to_bytes(32))


@pytest.mark.parametrize("scalar", [1, 2, curve.N - 2])
def test_a_scalar_at_the_edge_signs(scalar: int) -> None:
    key = PrivateKey.from_scalar(scalar.to_bytes(32))
    key.public.verify(key.sign(b"x"), b"x")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_scalar_has_32_bytes(size: int) -> None:
    with pytest.raises(InvalidKey):
        PrivateKey.from_scalar(b"\1" * size)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(BASE[:-1] + bytes([BASE[-1] ^ 1]), id="off the curve"),
        pytest.param(b"\4" + bytes(64), id="(0, 0)"),
        pytest.param(b"\4" + curve.P.to_bytes(32) + BASE[33:], id="x = p"),
        pytest.param(b"\2" + BASE[1:33], id="compressed"),
        pytest.param(b"\6" + BASE[1:], id="hybrid"),
        pytest.param(BASE[1:], id="bare x||y"),
        pytest.param(b"\0", id="infinity"),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_is_no_point_is_refused(point: bytes) -> None:
    with pytest.raises(InvalidPoint):
        PublicKey.from_point(point)


def test_a_foreign_public_half_is_refused(key: PrivateKey) -> None:
    with pytest.raises(InvalidKey, match="does not belong"):
        PrivateKey.from_scalar(key.scalar(), generate().public.point)


def test_another_curve_is_refused(key: PrivateKey) -> None:
    p256 = key.public.spki.replace(bytes.fromhex("2a811ccf5501822d"), bytes.fromhex("2a8648ce3d030107"))
    with pytest.raises(InvalidKey, match="not an SM2 public key"):
        PublicKey.from_spki(p256)


def test_wrong_id_wrong_data_wrong_key(key: PrivateKey) -> None:
    signature = key.sign(b"data", b"alice")
    key.public.verify(signature, b"data", b"alice")
    for public, data, identifier in [
        (key.public, b"data", DEFAULT_ID),
        (key.public, b"date", b"alice"),
        (generate().public, b"data", b"alice"),
    ]:
        with pytest.raises(VerificationFailed):
            public.verify(signature, data, identifier)


def test_an_id_too_long_for_its_length_field_is_refused(key: PrivateKey) -> None:
    with pytest.raises(InvalidKey, match="at most 8191"):
        key.sign(b"x", b"i" * 8192)


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=40))
@settings(max_examples=10, deadline=None)
def test_two_independent_libraries_accept_what_we_sign(data: bytes, identifier: bytes) -> None:
    key = generate()
    signature = key.sign(data, identifier)
    raw = der.signature_to_raw(signature)
    assert gmalg.SM2(uid=identifier, pk=key.public.point).verify(data, raw[:32], raw[32:])
    assert gmssl_pyx.sm2_verify(key.public.point[1:], data, signature, signer_id=identifier)


@given(st.binary(max_size=300))
@settings(max_examples=10, deadline=None)
def test_we_accept_what_two_independent_libraries_sign(data: bytes) -> None:
    key = generate()
    r, s = gmalg.SM2(sk=key.scalar(), uid=DEFAULT_ID, pk=key.public.point).sign(data)
    key.public.verify(der.signature_from_raw(r.rjust(32, b"\0") + s.rjust(32, b"\0")), data)
    key.public.verify(gmssl_pyx.sm2_sign(key.scalar(), key.public.point[1:], data), data)


def test_the_secret_is_in_no_text(key: PrivateKey, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger().info("%r %s", key, key)
    secret = key.scalar()
    texts = f"{key!r} {key} {caplog.text} {vars(key.public) if hasattr(key.public, '__dict__') else ''}"
    assert secret.hex() not in texts
    assert repr(secret)[2:-1] not in texts
    with pytest.raises(InvalidKey) as refused:
        PrivateKey.from_scalar((curve.N - 1).to_bytes(32))
    assert f"{curve.N - 1:x}" not in str(refused.value) + repr(refused.value)


def test_a_private_key_is_immutable_and_not_pickled(key: PrivateKey) -> None:
    with pytest.raises(AttributeError):
        key.public = generate().public
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)
    assert pickle.loads(pickle.dumps(key.public)) == key.public  # noqa: S301 - our own


def test_threads_share_one_key(key: PrivateKey) -> None:
    def round_trip(number: int) -> bool:
        data = str(number).encode() * 50
        signature = key.sign(data)
        key.public.verify(signature, data)
        try:
            key.public.verify(signature, data + b"!")
        except CryptoError:
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(200)))
