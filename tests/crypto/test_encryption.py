"""SM2 encryption: forms, limits, one refusal for everything, second opinions both ways."""

from __future__ import annotations

import contextlib

import gmalg
import gmssl_pyx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import ciphertext, der
from crypto.ciphertext import Ciphertext, Mode
from crypto.curve import GENERATOR, P
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding, InvalidPoint
from crypto.providers.openssl import OpensslProvider
from crypto.sm2 import MAX_TEXT_BYTES, PrivateKey, PublicKey, generate
from tests.crypto.mutation import mutations
from tests.crypto.test_vectors import kind
from tests.crypto.wording import told

_hex = bytes.fromhex
KEY = generate()
SEALED = KEY.public.encrypt(b"pay 100 yuan")
TEXTS = st.binary(min_size=1, max_size=MAX_TEXT_BYTES)


@kind("sm2-encrypt")
def test_the_ciphertext_of_the_standard_in_all_forms(vector) -> None:
    key = PrivateKey.from_scalar(_hex(vector["d"]))
    sealed = _hex(vector["cipher_der_gmt0009"])
    parts = ciphertext.parse(sealed)
    assert key.decrypt(sealed) == _hex(vector["msg"])
    assert (parts.point, parts.check, parts.text) == tuple(_hex(vector[name]) for name in ("c1", "c3", "c2"))
    for mode, name in [(Mode.C1C3C2, "c1c3c2"), (Mode.C1C2C3, "c1c2c3"), (Mode.DER, "cipher_der_gmt0009")]:
        assert parts.encode(mode) == _hex(vector[name])
        assert ciphertext.parse(_hex(vector[name]), mode) == parts


@kind("sm2-decrypt-reject")
def test_a_ciphertext_that_must_be_rejected(vector) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        PrivateKey.from_scalar(_hex(vector["d"])).decrypt(_hex(vector["cipher_der"]))
    assert str(refused.value) == str(AuthenticationFailed())


@given(TEXTS)
@settings(max_examples=5, deadline=None)
def test_two_independent_libraries_and_ours_read_each_other(text: bytes) -> None:
    sealed = KEY.public.encrypt(text)
    bare = ciphertext.parse(sealed).encode(Mode.C1C3C2)
    peer = gmalg.SM2(sk=KEY.scalar(), pk=KEY.public.point)
    assert KEY.decrypt(sealed) == gmssl_pyx.sm2_decrypt(KEY.scalar(), sealed) == peer.decrypt(bare) == text
    assert KEY.decrypt(gmssl_pyx.sm2_encrypt(KEY.public.point[1:], text)) == text
    assert KEY.decrypt(ciphertext.parse(peer.encrypt(text), Mode.C1C3C2).encode()) == text


def test_two_thousand_messages_of_one_byte() -> None:
    """One key stream in 256 is zero: then a new k is taken, and no byte goes out in the clear."""
    for number in range(2000):
        text = bytes((number % 256,))
        sealed = KEY.public.encrypt(text)
        assert ciphertext.parse(sealed).text != text
        if number % 10 == 0:
            assert KEY.decrypt(sealed) == text


def test_a_stream_of_zeros_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard's B4, also where a library leaves it out: the text would be what everyone can read."""

    class Careless(OpensslProvider):
        def decrypt(self, handle: object, ciphertext_: bytes) -> bytes:
            del handle
            return ciphertext.parse(ciphertext_).text

    monkeypatch.setattr("crypto.providers.registry.private_loader", lambda _: Careless())
    with pytest.raises(AuthenticationFailed):
        PrivateKey.from_scalar(KEY.scalar()).decrypt(SEALED)


@pytest.mark.parametrize("size", [0, 256, 1 << 20])
def test_other_sizes_are_sent_to_the_envelope(size: int) -> None:
    with pytest.raises(CryptoError, match="1 to 255 bytes") as refused:
        KEY.public.encrypt(bytes(size))
    assert "envelope" in refused.value.problems[0].next_step


@pytest.mark.parametrize("size", [1, 31, 32, 33, 255])
def test_sizes_at_the_edge(size: int) -> None:
    assert KEY.decrypt(KEY.public.encrypt(bytes(size))) == bytes(size)


def test_a_changed_ciphertext_gives_the_one_refusal() -> None:
    for data in (*mutations(SEALED, 2000), SEALED + b"\0"):
        with pytest.raises(AuthenticationFailed) as refused:
            KEY.decrypt(data)
        assert str(refused.value) == str(AuthenticationFailed())


WRONG_LENGTH, CUT = "the SM2 ciphertext has parts of a wrong length", "the SM2 ciphertext is cut"
NO_SEQUENCE = "the SM2 ciphertext is no DER SEQUENCE, or has bytes after it"
X, Y = GENERATOR[1:33].hex(), GENERATOR[33:].hex()


def in_der(*parts: str) -> bytes:
    """A SEQUENCE of elements given in hex."""
    return der.encode(der.SEQUENCE, _hex("".join(parts)))


POINT, CHECK, LETTER = f"0220{X}022100{Y}", "0420" + "00" * 32, "040141"


@pytest.mark.parametrize(
    ("data", "mode", "why"),
    [
        pytest.param(b"\x31" + SEALED[1:], Mode.DER, NO_SEQUENCE, id="SET"),
        pytest.param(SEALED + b"\0", Mode.DER, NO_SEQUENCE, id="a byte behind"),
        pytest.param(
            in_der(POINT, "0c20" + "00" * 32, LETTER), Mode.DER, "no OCTET STRING at byte 71", id="text as C3"
        ),
        pytest.param(in_der(POINT, CHECK, "0c0141"), Mode.DER, "no OCTET STRING at byte 105", id="text as C2"),
        pytest.param(in_der(POINT, CHECK, LETTER, "0500"), Mode.DER, WRONG_LENGTH, id="a fifth part"),
        pytest.param(in_der(f"022101{X}022100{Y}", CHECK, LETTER), Mode.DER, WRONG_LENGTH, id="x of 257 bits"),
        pytest.param(in_der(POINT, "041f" + "00" * 31, LETTER), Mode.DER, WRONG_LENGTH, id="C3 of 31 bytes"),
        pytest.param(in_der(POINT, CHECK, "0400"), Mode.DER, WRONG_LENGTH, id="no C2"),
        pytest.param(GENERATOR + bytes(32 + 256), Mode.C1C3C2, WRONG_LENGTH, id="C2 of 256 bytes"),
        pytest.param(GENERATOR + bytes(32), Mode.C1C3C2, CUT, id="no C2 in C1C3C2"),
        pytest.param(GENERATOR + bytes(32), Mode.C1C2C3, CUT, id="no C2 in C1C2C3"),
        pytest.param(b"", Mode.C1C2C3, CUT, id="empty"),
    ],
)
def test_a_ciphertext_is_refused_with_the_reason(data: bytes, mode: Mode, why: str) -> None:
    with pytest.raises(InvalidEncoding) as refused:
        ciphertext.parse(data, mode)
    assert told(refused) == (why, "get it again from its sender, and ask which form it has: der, c1c3c2 or c1c2c3")


@pytest.mark.parametrize("size", [1, 255])
def test_the_shortest_and_the_longest_text_are_read(size: int) -> None:
    for mode in Mode:
        parts = Ciphertext(point=GENERATOR, check=bytes(32), text=bytes(size))
        assert ciphertext.parse(parts.encode(mode), mode) == parts


@given(st.sampled_from(Mode), st.binary(max_size=500))
@settings(max_examples=100, deadline=None)
def test_bytes_that_parse_are_the_one_encoding(mode: Mode, data: bytes) -> None:
    with contextlib.suppress(InvalidEncoding, InvalidPoint):
        assert ciphertext.parse(data, mode).encode(mode) == data


def test_the_old_order_is_never_guessed() -> None:
    parts = ciphertext.parse(SEALED)
    old = parts.encode(Mode.C1C2C3)
    mistaken = ciphertext.parse(old, Mode.C1C3C2)
    assert mistaken != parts
    with pytest.raises(AuthenticationFailed):
        KEY.decrypt(mistaken.encode())
    assert ciphertext.parse(old, Mode.C1C2C3) == parts


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(GENERATOR[:-1] + b"\0", id="off the curve"),
        pytest.param(b"\4" + P.to_bytes(32) + GENERATOR[33:], id="x = p"),
        pytest.param(GENERATOR[1:] + b"\0", id="without 04, as gmssl writes it"),
    ],
)
def test_c1_must_be_on_the_curve(point: bytes) -> None:
    with pytest.raises(InvalidPoint):
        ciphertext.parse(point + bytes(32) + b"text", Mode.C1C3C2)
    with pytest.raises(InvalidPoint):
        Ciphertext(point=point, check=bytes(32), text=b"text")


def test_a_wrong_key_gives_the_one_refusal() -> None:
    with pytest.raises(AuthenticationFailed):
        generate().decrypt(SEALED)


def test_a_changed_provider_answer_is_not_handed_out(monkeypatch) -> None:
    class Clear(OpensslProvider):
        def encrypt(self, handle: object, text: bytes) -> bytes:
            parts = ciphertext.parse(super().encrypt(handle, text))
            return Ciphertext(point=parts.point, check=parts.check, text=text).encode()

    monkeypatch.setattr("crypto.providers.registry.public_loader", lambda _: Clear())
    with pytest.raises(CryptoError, match="leaves the text as it is"):
        PublicKey.from_point(KEY.public.point).encrypt(b"text")


def test_der_encode_uses_the_long_form_from_128_bytes() -> None:
    for size in (0, 127, 128, 255, 256, 65536):
        element = der.encode(der.OCTET_STRING, bytes(size))
        assert der.read(element) == (der.OCTET_STRING, len(element) - size, len(element))
