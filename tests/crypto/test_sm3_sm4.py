"""Digests in pieces, files, and the limits of SM4-GCM."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL._util import ffi, lib

from crypto import sm3, sm4
from crypto.errors import AuthenticationFailed, CryptoError, DigestMismatch, InvalidKey


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_pieces_give_the_digest_of_the_whole(pieces: list[bytes]) -> None:
    running = sm3.Sm3()
    for piece in pieces:
        before = running.copy()
        running.update(piece)
        before.update(piece)
        assert before.digest() == running.digest()
    assert running.hexdigest() == sm3.sm3_hex(b"".join(pieces))


def test_a_file_has_the_digest_of_its_bytes(tmp_path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "f").write_bytes(data)
    assert sm3.sm3_file(tmp_path / "f") == sm3.sm3(data)


def test_check_sm3_raises() -> None:
    sm3.check_sm3(b"a", sm3.sm3(b"a"))
    with pytest.raises(DigestMismatch):
        sm3.check_sm3(b"a", sm3.sm3(b"b"))


@given(st.binary(max_size=100), st.binary(max_size=20), st.integers(0, 10**6))
def test_any_changed_bit_is_found(text: bytes, aad: bytes, where: int) -> None:
    key, nonce = sm4.new_key(), sm4.new_nonce()
    sealed = bytearray(sm4.seal(key, nonce, text, aad))
    assert sm4.open_sealed(key, nonce, bytes(sealed), aad) == text
    sealed[where // 8 % len(sealed)] ^= 1 << where % 8
    with pytest.raises(AuthenticationFailed):
        sm4.open_sealed(key, nonce, bytes(sealed), aad)


def test_aad_and_a_cut_tag() -> None:
    key, nonce = bytes(16), bytes(12)
    sealed = sm4.seal(key, nonce, b"text", b"table|row")
    for bad, aad in [(sealed, b"table|other"), (sealed[:-1], b"table|row"), (sealed[-15:], b""), (b"", b"")]:
        with pytest.raises(AuthenticationFailed) as refused:
            sm4.open_sealed(key, nonce, bad, aad)
        assert str(refused.value) == str(AuthenticationFailed())


def test_a_wrong_tag_is_told_alike_after_a_foreign_error() -> None:
    """Then ``cryptography`` finds the error that pyOpenSSL left, and raises ValueError where it means InvalidTag."""
    bio = lib.BIO_new_mem_buf(b"no PEM", 6)
    assert lib.PEM_read_bio_X509(bio, ffi.NULL, ffi.NULL, ffi.NULL) == ffi.NULL
    lib.BIO_free(bio)
    with pytest.raises(AuthenticationFailed):
        sm4.open_sealed(bytes(16), bytes(12), bytes(32))


@pytest.mark.parametrize(("key", "nonce"), [(15, 12), (32, 12), (16, 16), (16, 0)])
def test_other_sizes_are_refused(key: int, nonce: int) -> None:
    with pytest.raises(InvalidKey):
        sm4.seal(bytes(key), bytes(nonce), b"")


def test_a_derivation_needs_a_round() -> None:
    with pytest.raises(CryptoError, match="one round"):
        sm3.pbkdf2_sm3(b"p", b"s", 0, 16)
