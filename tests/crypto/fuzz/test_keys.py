"""Changed keys, signatures, ciphertexts and envelopes: a typed error, never another key or text, quickly."""

from __future__ import annotations

import io
from functools import lru_cache

import pytest

from crypto import ciphertext, der, envelope, pem
from crypto.ciphertext import Mode
from crypto.keys import keyfile
from crypto.keys.enveloped_key import open_key, seal_key
from crypto.sm2 import PrivateKey, PublicKey, generate
from records.secret import Secret
from tests.crypto.mutation import LONG, UNIT, Parser, attack

KEY, OTHER = generate(), generate()
KEK = envelope.Kek(bytes(range(32)), bytes(range(16)))
TEXT, PASSPHRASE = b"pay 100 yuan", Secret("correct horse")
SEALED = KEY.public.encrypt(TEXT)
ROUNDS_AT_MOST = 1000


def checked(data: bytes) -> None:
    """What the strict reader takes is written by nobody in another way."""
    der.check(data)
    assert again(data) == data


def again(data: bytes) -> bytes:
    """Element by element, encoded anew."""
    tag, at, end = der.read(data)
    if not tag & der.CONSTRUCTED:
        return der.encode(tag, data[at:end])
    inner = b""
    while at < end:
        _, _, stop = der.read(data, at)
        inner, at = inner + again(data[at:stop]), stop
    return der.encode(tag, inner)


def form(mode: Mode) -> Parser:
    """What parses is the one encoding of what was understood."""
    return Parser(
        sample=ciphertext.parse(SEALED).encode(mode),
        read=lambda data: ciphertext.parse(data, mode).encode(mode) == data,
    )


def sealed_envelope(to: PublicKey | envelope.Kek) -> bytes:
    """Three chunks, so that each kind of place is there: first, middle, last."""
    out = io.BytesIO()
    envelope.encrypt_stream(io.BytesIO(bytes(40)), out, to, chunk_bytes=envelope.MIN_CHUNK_BYTES)
    return out.getvalue()


def scalar_and_point(key: PrivateKey) -> tuple[bytes, bytes]:
    return key.scalar(), key.public.point


def public_key_of(data: bytes) -> bool:
    """Text around the block and its line ends have no one form; what is taken is a key by its one encoding."""
    found = keyfile.load_public_key(data)
    return PublicKey.from_spki(found.spki) == found


def private_key(label: str, passphrase: Secret | None) -> Parser:
    body = pem.blocks(keyfile.private_key_pem(KEY, passphrase, rounds=1))[0][1]
    return Parser(
        sample=body,
        read=lambda data: scalar_and_point(keyfile.load_private_key(pem.encode(label, data), passphrase)),
    )


PARSERS = {
    "DER": Parser(sample=pem.blocks(keyfile.private_key_pem(KEY, PASSPHRASE, rounds=1))[0][1], read=checked),
    "signature": Parser(sample=KEY.sign(TEXT), read=lambda data: KEY.public.verify(data, TEXT), strict=True),
    "raw signature": Parser(
        sample=der.signature_to_raw(KEY.sign(TEXT)),
        read=lambda data: der.signature_to_raw(der.signature_from_raw(data)) == data,
    ),
    "ciphertext": Parser(sample=SEALED, read=KEY.decrypt, strict=True),
    **{f"ciphertext as {mode}": form(mode) for mode in Mode},
    "public key": Parser(sample=KEY.public.spki, read=lambda data: PublicKey.from_spki(data).spki == data),
    "private key": private_key(keyfile.PLAIN, None),
    "sealed private key": private_key(keyfile.ENCRYPTED, PASSPHRASE),
    "PEM": Parser(sample=keyfile.public_key_pem(KEY.public), read=public_key_of),
    "enveloped key": Parser(sample=seal_key(OTHER, KEY.public), read=lambda data: open_key(data, KEY).scalar()),
    "envelope under a KEK": Parser(
        sample=sealed_envelope(KEK), read=lambda data: envelope.decrypt(data, KEK), strict=True
    ),
    "envelope for a key": Parser(
        sample=sealed_envelope(KEY.public), read=lambda data: envelope.decrypt(data, KEY), strict=True
    ),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is that of the parsers: few rounds of a key file, and a data key that was opened once stays open."""
    monkeypatch.setattr(keyfile, "MAX_ROUNDS", ROUNDS_AT_MOST)
    monkeypatch.setattr(envelope, "_sm2_opened", lru_cache(maxsize=4)(envelope._sm2_opened))


@pytest.mark.parametrize("count", [UNIT, pytest.param(LONG, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", PARSERS)
def test_a_changed_copy_is_refused_or_means_the_same(kind: str, count: int) -> None:
    attack(PARSERS[kind], count)
