"""The envelope: what comes back, and that nothing of it can be cut, moved, repeated, swapped or changed."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import envelope
from crypto.envelope import (
    CHUNK_BYTES,
    Kek,
    Kind,
    decrypt,
    decrypt_stream,
    encrypt,
    encrypt_stream,
    read_header,
    rewrap,
    unwrap,
)
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding
from crypto.sm2 import PrivateKey, generate
from tests.crypto.wording import told

KEK = Kek(bytes(range(32)), bytes(range(16)))
OTHER = Kek(bytes(32), bytes(range(16)))
TAG, CHUNK = 16, 32
HEAD = 17 + 35 + 12 + 16 + 16  # fixed, recipient, wrapped by a KEK


class Dripping(io.RawIOBase):
    """A pipe that gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1))


NEXT = "give a file that `yw crypto encrypt` wrote"
STRANGE = "an envelope of an unknown version, algorithm or size"


def seal(data: bytes, chunk_bytes: int = CHUNK) -> bytes:
    out = io.BytesIO()
    encrypt_stream(io.BytesIO(data), out, KEK, chunk_bytes=chunk_bytes)
    return out.getvalue()


SEALED = seal(bytes(100))


def parts(sealed: bytes) -> tuple[bytes, list[bytes]]:
    """Header and chunks with their tags."""
    step = CHUNK + TAG
    return sealed[:HEAD], [sealed[at : at + step] for at in range(HEAD, len(sealed), step)]


@given(data=st.binary(max_size=5 * CHUNK), context=st.binary(max_size=20))
def test_whatever_was_sealed_comes_back(data: bytes, context: bytes) -> None:
    out = io.BytesIO()
    encrypt_stream(io.BytesIO(data), out, KEK, context=context, chunk_bytes=CHUNK)
    assert decrypt(out.getvalue(), KEK, context=context) == data
    assert len(out.getvalue()) == HEAD + len(data) + TAG * max(1, -(-len(data) // CHUNK))


@pytest.mark.parametrize("size", [0, 1, 255, 256, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_sizes_at_the_edges_of_a_chunk(key: PrivateKey, size: int) -> None:
    data = bytes(size)
    assert decrypt(encrypt(data, key.public), key) == data
    assert b"".join(decrypt_stream(Dripping(encrypt(data, KEK)), KEK)) == data


def test_two_envelopes_of_the_same_data_share_nothing() -> None:
    one, two = seal(bytes(100)), seal(bytes(100))
    assert one[HEAD:] != two[HEAD:]
    assert read_header(io.BytesIO(one)).prefix != read_header(io.BytesIO(two)).prefix


def test_a_wrong_key_or_context_opens_nothing(key: PrivateKey) -> None:
    sealed = encrypt(b"text", key.public, context=b"table|row")
    for wrong, context in ((generate(), b"table|row"), (key, b"table|other"), (key, b""), (KEK, b"table|row")):
        with pytest.raises(AuthenticationFailed):
            decrypt(sealed, wrong, context=context)
    with pytest.raises(AuthenticationFailed):
        decrypt(encrypt(b"text", KEK), Kek(KEK.id, bytes(16)))
    with pytest.raises(AuthenticationFailed):
        decrypt(encrypt(b"text", KEK), OTHER)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda c: c[:-1], id="last chunk cut off"),
        pytest.param(lambda c: c[1:], id="first chunk cut off"),
        pytest.param(lambda c: [c[1], c[0], *c[2:]], id="swapped"),
        pytest.param(lambda c: [c[0], c[0], *c[1:]], id="repeated"),
        pytest.param(lambda c: [*c, c[-1]], id="last repeated"),
        pytest.param(lambda c: [*c[:-1], c[-1][:-1]], id="one byte cut"),
        pytest.param(lambda c: [*c, b"\0"], id="one byte more"),
        pytest.param(lambda c: [*c[:-2], c[-1]], id="one before the last left out"),
        pytest.param(lambda _: [], id="header alone"),
        pytest.param(lambda c: [c[-1]], id="last alone"),
        pytest.param(lambda c: [*c[:-1], parts(seal(bytes(3 * CHUNK)))[1][-1]], id="chunk of another envelope"),
    ],
)
def test_chunks_are_where_they_belong_or_refused(edit) -> None:
    header, chunks = parts(seal(bytes(range(3 * CHUNK))))
    with pytest.raises(AuthenticationFailed):
        decrypt(header + b"".join(edit(chunks)), KEK)


def test_an_empty_last_chunk_after_full_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer of such a form holds the key; the reader still takes one form only."""
    full = [(bytes(CHUNK), False), (b"", True)]
    real = envelope._pieces
    monkeypatch.setattr(envelope, "_pieces", lambda *_: iter(full))
    sealed = seal(b"")
    monkeypatch.setattr(envelope, "_pieces", real)
    with pytest.raises(AuthenticationFailed):
        decrypt(sealed, KEK)


def test_every_changed_byte_is_refused(key: PrivateKey) -> None:
    for sealed, opener in ((seal(bytes(40)), KEK), (encrypt(bytes(40), key.public), key)):
        for at in range(len(sealed)):
            changed = bytearray(sealed)
            changed[at] ^= 1
            with pytest.raises((AuthenticationFailed, InvalidEncoding)):
                decrypt(bytes(changed), opener)


def test_every_cut_is_refused() -> None:
    sealed = seal(bytes(3 * CHUNK))
    for size in range(len(sealed)):
        with pytest.raises((AuthenticationFailed, InvalidEncoding)):
            decrypt(sealed[:size], KEK)


def test_no_byte_of_a_chunk_is_given_before_its_tag_holds() -> None:
    sealed = bytearray(seal(bytes(range(3 * CHUNK))))
    sealed[HEAD + CHUNK + TAG] ^= 1  # in the second chunk
    given_out = decrypt_stream(io.BytesIO(bytes(sealed)), KEK)
    assert next(given_out) == bytes(range(CHUNK))
    with pytest.raises(AuthenticationFailed):
        next(given_out)


def test_a_data_key_is_wrapped_for_another_without_touching_the_chunks(key: PrivateKey) -> None:
    sealed, out, back = seal(bytes(100)), io.BytesIO(), io.BytesIO()
    renewed = rewrap(Dripping(sealed), out, KEK, key.public)
    assert (renewed.kind, out.getvalue()[-len(sealed) + HEAD :]) == (Kind.SM2, sealed[HEAD:])
    assert decrypt(out.getvalue(), key) == bytes(100)
    with pytest.raises(AuthenticationFailed):
        decrypt(out.getvalue(), KEK)
    rewrap(io.BytesIO(out.getvalue()), back, key, OTHER)
    assert decrypt(back.getvalue(), OTHER) == bytes(100)


@pytest.mark.parametrize("data", [b"", b"YWE1", bytes(200), b"YWE1\x02" + bytes(200), b"\x30\x82" + bytes(100)])
def test_what_is_no_envelope_is_told(data: bytes) -> None:
    with pytest.raises(InvalidEncoding):
        decrypt(data, KEK)


def test_a_header_names_the_key_that_opens_it(key: PrivateKey) -> None:
    found = read_header(io.BytesIO(encrypt(b"text", key.public)))
    assert (found.kind, found.key_id.hex()) == (Kind.SM2, key.public.fingerprint)
    assert (read_header(io.BytesIO(SEALED)).kind, read_header(io.BytesIO(SEALED)).key_id) == (Kind.KEK, KEK.id)


def test_a_data_key_is_bound_to_its_header(key: PrivateKey) -> None:
    """Else a changed header would come out of a new wrap as if it had always been so."""
    for sealed, opener in ((SEALED, KEK), (encrypt(bytes(100), key.public), key)):
        whole = read_header(io.BytesIO(sealed))
        unwrap(whole, opener)
        for changed in (
            replace(whole, prefix=bytes(7)),
            replace(whole, chunk_bytes=whole.chunk_bytes + 1),
            replace(whole, wrapped=whole.wrapped[:-1]),
            replace(whole, wrapped=b"short"),
        ):
            with pytest.raises(AuthenticationFailed):
                unwrap(changed, opener)
            with pytest.raises(AuthenticationFailed):
                rewrap(io.BytesIO(changed.encode() + sealed[len(whole.encode()) :]), io.BytesIO(), opener, OTHER)


def test_chunks_are_counted_to_the_end_of_their_number() -> None:
    assert envelope._nonce(bytes(7), (1 << 32) - 1, last=True) == bytes(7) + b"\xff\xff\xff\xff\x01"
    with pytest.raises(CryptoError) as refused:
        envelope._nonce(bytes(7), 1 << 32, last=False)
    assert told(refused) == ("the data are too long for one envelope", "split them into several files")


def with_wrapped(size: int) -> bytes:
    """A header that says so many bytes of wrapped key, and their number."""
    return SEALED[:50] + size.to_bytes(2) + bytes(size)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(SEALED[:51], "no envelope: the header is cut", id="cut in the recipient part"),
        pytest.param(SEALED[: HEAD - 1], "no envelope: the header is cut", id="cut in the wrapped key"),
        pytest.param(b"YWE2" + SEALED[4:], "no envelope", id="another mark"),
        pytest.param(SEALED[:4] + b"\2" + SEALED[5:], STRANGE, id="another version"),
        pytest.param(SEALED[:5] + b"\2" + SEALED[6:], STRANGE, id="another algorithm"),
        pytest.param(SEALED[:17] + b"\3" + SEALED[18:], STRANGE, id="another kind of key"),
        pytest.param(with_wrapped(0), STRANGE, id="no wrapped key"),
        pytest.param(with_wrapped(513), STRANGE, id="a wrapped key too long"),
    ],
)
def test_what_is_wrong_with_a_header_is_told(data: bytes, why: str) -> None:
    with pytest.raises(InvalidEncoding) as refused:
        read_header(io.BytesIO(data))
    assert told(refused) == (why, NEXT)


@pytest.mark.parametrize("size", [1, 512])
def test_a_wrapped_key_of_any_size_between_is_read(size: int) -> None:
    assert read_header(io.BytesIO(with_wrapped(size))).wrapped == bytes(size)


@pytest.mark.parametrize("size", [16, 1 << 24])
def test_the_smallest_and_the_largest_chunk(size: int) -> None:
    assert decrypt(seal(b"text", chunk_bytes=size), KEK) == b"text"


@pytest.mark.parametrize("size", [0, 15, (1 << 24) + 1, 1 << 31])
def test_chunk_sizes_out_of_range_are_refused_on_both_sides(size: int) -> None:
    with pytest.raises(ValueError, match="chunk_bytes"):
        seal(b"", chunk_bytes=size)
    sealed = bytearray(seal(b"x"))
    sealed[13:17] = size.to_bytes(4)
    with pytest.raises(InvalidEncoding):
        decrypt(bytes(sealed), KEK)


def test_keys_do_not_show() -> None:
    assert KEK.key.hex() not in repr(KEK)
    assert repr(KEK.key) not in repr(KEK)
    for id_bytes, key_bytes in ((32, 15), (31, 16)):
        with pytest.raises(ValueError, match=r"^a KEK has an id of 32 bytes and a key of 16$"):
            Kek(bytes(id_bytes), bytes(key_bytes))


def fuzz(data: bytes) -> None:
    with contextlib.suppress(CryptoError):
        assert decrypt(data, KEK) is None


@given(data=st.binary(max_size=300))
@settings(max_examples=2000, deadline=None)
def test_random_bytes_meet_a_typed_error(data: bytes) -> None:
    fuzz(data)
    fuzz(b"YWE1\x01\x01" + data)
