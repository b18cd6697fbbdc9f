"""SM2, SM3, SM4 themselves: what one side makes the other side takes, and refuses when it was changed."""

from __future__ import annotations

import secrets

import pytest

from crypto import ciphertext, sm4
from crypto.errors import AuthenticationFailed, VerificationFailed
from crypto.exchange import Initiator, Parties, Responder
from crypto.sm2 import DEFAULT_ID, PrivateKey, generate
from crypto.sm3 import hmac_sm3, sm3
from tests.crypto.interop.cells import Way, meets
from tests.peers.base import RefusedError

DATA = "按实结算 ".encode() * 40
IDS = [DEFAULT_ID, b"TLSv1.3+GM+Cipher+Suite", b"a"]
TEXTS = [b"a", bytes(range(16)), b"0" * 255]


@pytest.mark.parametrize("data", [b"", b"abc", DATA, b"\0" * 64], ids=len)
@meets("SM3", Way.WE_READ, "digest")
def test_digests_agree(peer, data: bytes) -> None:
    assert peer.digest(data) == sm3(data)


@meets("HMAC-SM3", Way.WE_READ, "hmac")
def test_hmacs_agree(peer) -> None:
    assert peer.hmac(b"k" * 32, DATA) == hmac_sm3(b"k" * 32, DATA)


@meets("SM4-GCM", Way.THEY_READ, "gcm_open")
def test_they_open_what_we_seal(peer) -> None:
    key, nonce = sm4.new_key(), sm4.new_nonce()
    sealed = sm4.seal(key, nonce, DATA, b"context")
    assert peer.gcm_open(key, nonce, b"context", sealed) == DATA
    with pytest.raises(RefusedError):
        peer.gcm_open(key, nonce, b"another", sealed)


@meets("SM4-GCM", Way.WE_READ, "gcm_seal")
def test_we_open_what_they_seal(peer) -> None:
    key, nonce = sm4.new_key(), sm4.new_nonce()
    sealed = peer.gcm_seal(key, nonce, b"context", DATA)
    assert sm4.open_sealed(key, nonce, sealed, b"context") == DATA
    with pytest.raises(AuthenticationFailed):
        sm4.open_sealed(key, nonce, sealed, b"another")


@pytest.mark.parametrize("id_", IDS, ids=lambda one: one.decode())
@meets("SM2 signature, any user id", Way.THEY_READ, "verify")
def test_they_verify_what_we_sign(peer, key: PrivateKey, id_: bytes) -> None:
    signature = key.sign(DATA, id_)
    peer.verify(key.public, signature, DATA, id_)
    for wrong in ((generate().public, DATA, id_), (key.public, DATA + b"!", id_), (key.public, DATA, b"other")):
        with pytest.raises(RefusedError):
            peer.verify(wrong[0], signature, *wrong[1:])


@pytest.mark.parametrize("id_", IDS, ids=lambda one: one.decode())
@meets("SM2 signature, any user id", Way.WE_READ, "sign")
def test_we_verify_what_they_sign(peer, key: PrivateKey, id_: bytes) -> None:
    signature = peer.sign(key, DATA, id_)
    key.public.verify(signature, DATA, id_)
    for wrong in ((generate().public, DATA, id_), (key.public, DATA + b"!", id_), (key.public, DATA, b"other")):
        with pytest.raises(VerificationFailed):
            wrong[0].verify(signature, *wrong[1:])


@pytest.mark.parametrize("text", TEXTS, ids=len)
@meets("SM2 ciphertext, DER", Way.THEY_READ, "decrypt")
def test_they_decrypt_what_we_encrypt(peer, key: PrivateKey, text: bytes) -> None:
    sealed = key.public.encrypt(text)
    assert peer.decrypt(key, sealed) == text
    with pytest.raises(RefusedError):
        peer.decrypt(key, sealed[:-1] + bytes((sealed[-1] ^ 1,)))


@pytest.mark.parametrize("text", TEXTS, ids=len)
@meets("SM2 ciphertext, DER", Way.WE_READ, "encrypt")
def test_we_decrypt_what_they_encrypt(peer, key: PrivateKey, text: bytes) -> None:
    sealed = peer.encrypt(key.public, text)
    assert key.decrypt(sealed) == text
    with pytest.raises(AuthenticationFailed):
        key.decrypt(sealed[:-1] + bytes((sealed[-1] ^ 1,)))


def _they_decrypt_raw(peer, key: PrivateKey, mode: ciphertext.Mode) -> None:
    sealed = ciphertext.parse(key.public.encrypt(TEXTS[1])).encode(mode)
    assert peer.decrypt_raw(key, sealed, mode.value) == TEXTS[1]
    with pytest.raises(RefusedError):
        peer.decrypt_raw(key, sealed[:-1] + bytes((sealed[-1] ^ 1,)), mode.value)


def _we_decrypt_raw(peer, key: PrivateKey, mode: ciphertext.Mode) -> None:
    sealed = peer.encrypt_raw(key.public, TEXTS[1], mode.value)
    assert key.decrypt(ciphertext.parse(sealed, mode).encode()) == TEXTS[1]


@meets("SM2 ciphertext, C1C3C2", Way.THEY_READ, "decrypt_raw")
def test_they_decrypt_our_c1c3c2(peer, key: PrivateKey) -> None:
    _they_decrypt_raw(peer, key, ciphertext.Mode.C1C3C2)


@meets("SM2 ciphertext, C1C3C2", Way.WE_READ, "encrypt_raw")
def test_we_decrypt_their_c1c3c2(peer, key: PrivateKey) -> None:
    _we_decrypt_raw(peer, key, ciphertext.Mode.C1C3C2)


@meets("SM2 ciphertext, C1C2C3", Way.THEY_READ, "decrypt_raw", but=("gmalg",))
def test_they_decrypt_our_c1c2c3(peer, key: PrivateKey) -> None:
    _they_decrypt_raw(peer, key, ciphertext.Mode.C1C2C3)


@meets("SM2 ciphertext, C1C2C3", Way.WE_READ, "encrypt_raw", but=("gmalg",))
def test_we_decrypt_their_c1c2c3(peer, key: PrivateKey) -> None:
    _we_decrypt_raw(peer, key, ciphertext.Mode.C1C2C3)


@meets("SM2 key exchange with confirmation", Way.THEY_READ, "answer_exchange")
def test_they_confirm_as_responder(peer, key: PrivateKey) -> None:
    other = generate()
    ours = Initiator(Parties(key=key, peer=other.public, id=b"alice", peer_id=b"bob", key_bytes=48))
    point, theirs, confirmation, expected = peer.answer_exchange(other, b"bob", key.public, b"alice", ours.point, 48)
    assert ours.confirm(point, confirmation) == (theirs, expected)


@meets("SM2 key exchange with confirmation", Way.WE_READ, "begin_exchange")
def test_they_confirm_as_initiator(peer, key: PrivateKey) -> None:
    other = generate()
    ours = Responder(Parties(key=key, peer=other.public, id=b"bob", peer_id=b"alice", key_bytes=48))
    point, finish = peer.begin_exchange(other, b"alice", key.public, b"bob", 48)
    theirs, answer = finish(ours.point, ours.respond(point))
    assert ours.confirm(answer) == theirs
    with pytest.raises(RefusedError):
        finish(ours.point, bytes(32))


@meets("SM2 key exchange, the key alone", Way.THEY_READ, "answer_bare_exchange")
def test_they_agree_as_responder(peer, key: PrivateKey) -> None:
    """The peer knows no confirmation, so the key is looked at from within."""
    other = generate()
    ours = Initiator(Parties(key=key, peer=other.public, id=b"alice", peer_id=b"bob", key_bytes=48))
    point, theirs = peer.answer_bare_exchange(other, b"bob", key.public, b"alice", ours.point, 48)
    assert ours._agree(point, initiator=True).key == theirs


@meets("SM2 key exchange, the key alone", Way.WE_READ, "begin_bare_exchange")
def test_they_agree_as_initiator(peer, key: PrivateKey) -> None:
    other = generate()
    ours = Responder(Parties(key=key, peer=other.public, id=b"bob", peer_id=b"alice", key_bytes=48))
    point, finish = peer.begin_bare_exchange(other, b"alice", key.public, b"bob", 48)
    ours.respond(point)
    assert ours._agreed is not None
    assert ours._agreed.key == finish(ours.point)


@meets("SM2 signature, any user id", Way.WE_READ, "sign")
def test_a_key_whose_coordinates_begin_with_zero_signs(peer) -> None:
    """A coordinate or scalar that is shorter than 32 bytes is where encodings go wrong."""
    key = next(one for one in map(_key_of, range(1, 2000)) if one.public.point[1] == 0 or one.public.point[33] == 0)
    data = secrets.token_bytes(8)
    key.public.verify(peer.sign(key, data, DEFAULT_ID), data)


def _key_of(number: int) -> PrivateKey:
    return PrivateKey.from_scalar(number.to_bytes(32))
