"""The SM4-GCM envelope (数字信封) for data of any size: one fresh data key, wrapped by SM2 or by a key-encrypting key.

Layout, numbers big-endian::

    "YWE1" | version 1 | algorithm 1 (SM4-GCM) | 7 bytes nonce prefix | chunk size, 4 bytes     fixed part, 17 bytes
    recipient 1 (SM2) or 2 (KEK) | key id, 32 bytes | length, 2 bytes | wrapped data key        recipient part
    chunks: chunk-size bytes of ciphertext and a 16-byte tag each, the last one shorter or full

The chunks are STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): nonce = prefix | index, 4 bytes | last flag, 1 byte,
so none can be cut off, repeated, moved or swapped. Every chunk authenticates the fixed part and the caller's context;
the recipient part is authenticated by the wrap, so that it can be wrapped anew for another key without touching the
chunks. No byte of a chunk is given out before its tag holds; yet only the end of the stream proves that it is whole.
"""

from __future__ import annotations

import hmac
import io
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import BinaryIO

from crypto import sm4
from crypto.errors import AuthenticationFailed, CryptoError, InvalidEncoding
from crypto.sm2 import PrivateKey, PublicKey
from crypto.sm3 import sm3

MAGIC, VERSION, SM4_GCM = b"YWE1", 1, 1
PREFIX_BYTES = 7
CHUNK_BYTES = 1 << 16
MIN_CHUNK_BYTES, MAX_CHUNK_BYTES = 1 << 4, 1 << 24
MAX_CHUNKS = 1 << 32
KEY_ID_BYTES = 32
MAX_WRAPPED_BYTES = 512
_FIXED = struct.Struct(f">4sBB{PREFIX_BYTES}sI")
_RECIPIENT = struct.Struct(f">B{KEY_ID_BYTES}sH")
_NEXT = "give a file that `yw crypto encrypt` wrote"


class Kind(IntEnum):
    """What wraps the data key."""

    SM2 = 1
    KEK = 2


@dataclass(frozen=True, slots=True)
class Kek:
    """A key-encrypting key (密钥加密密钥); its id is told, the key is not.

    Attributes:
        id: 32 bytes that name the key.
        key: 16 bytes.
    """

    id: bytes
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.id) != KEY_ID_BYTES or len(self.key) != sm4.KEY_BYTES:
            raise ValueError("a KEK has an id of 32 bytes and a key of 16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands before the chunks.

    Attributes:
        prefix: The first 7 bytes of every nonce.
        chunk_bytes: Plaintext in a full chunk.
        kind, key_id: Whose key opens it: SM3 of the SubjectPublicKeyInfo, or the id of the KEK.
        wrapped: The data key, wrapped.
    """

    prefix: bytes
    chunk_bytes: int
    kind: Kind
    key_id: bytes
    wrapped: bytes

    @property
    def fixed(self) -> bytes:
        """The part that the chunks authenticate."""
        return _FIXED.pack(MAGIC, VERSION, SM4_GCM, self.prefix, self.chunk_bytes)

    def encode(self) -> bytes:
        """Both parts."""
        return self.fixed + _RECIPIENT.pack(self.kind, self.key_id, len(self.wrapped)) + self.wrapped


def read_header(source: BinaryIO) -> Header:
    """The header at the start of a stream; raises InvalidEncoding for what is no envelope, or of another version."""
    fixed, recipient = _exactly(source, _FIXED.size), _exactly(source, _RECIPIENT.size)
    if len(recipient) != _RECIPIENT.size:
        raise InvalidEncoding("no envelope: the header is cut", _NEXT)
    magic, version, algorithm, prefix, chunk_bytes = _FIXED.unpack(fixed)
    kind, key_id, size = _RECIPIENT.unpack(recipient)
    if magic != MAGIC:
        raise InvalidEncoding("no envelope", _NEXT)
    known = (version, algorithm) == (VERSION, SM4_GCM) and kind in tuple(Kind)
    if not known or not MIN_CHUNK_BYTES <= chunk_bytes <= MAX_CHUNK_BYTES or not 0 < size <= MAX_WRAPPED_BYTES:
        raise InvalidEncoding("an envelope of an unknown version, algorithm or size", _NEXT)
    wrapped = _exactly(source, size)
    if len(wrapped) != size:
        raise InvalidEncoding("no envelope: the header is cut", _NEXT)
    return Header(prefix=prefix, chunk_bytes=chunk_bytes, kind=Kind(kind), key_id=key_id, wrapped=wrapped)


def key_id_of(key: PublicKey | PrivateKey | Kek) -> tuple[Kind, bytes]:
    """How a header names this key."""
    if isinstance(key, Kek):
        return Kind.KEK, key.id
    public = key.public if isinstance(key, PrivateKey) else key
    return Kind.SM2, sm3(public.spki)


def encrypt_stream(
    source: BinaryIO, out: BinaryIO, to: PublicKey | Kek, *, context: bytes = b"", chunk_bytes: int = CHUNK_BYTES
) -> Header:
    """Seal everything that ``source`` gives into ``out``; ``context`` must be given again to open it.

    Raises CryptoError after 2**32 chunks, 256 TiB of the default size.
    """
    if not MIN_CHUNK_BYTES <= chunk_bytes <= MAX_CHUNK_BYTES:
        raise ValueError(f"chunk_bytes is {chunk_bytes}, must be 16 to 2**24")
    key = sm4.new_key()
    header = _addressed(secrets.token_bytes(PREFIX_BYTES), chunk_bytes, key, to)
    out.write(header.encode())
    aad = header.fixed + context
    pieces = enumerate(_pieces(source, chunk_bytes))
    out.writelines(sm4.seal(key, _nonce(header.prefix, at, last=last), chunk, aad) for at, (chunk, last) in pieces)
    return header


def decrypt_stream(source: BinaryIO, key: PrivateKey | Kek, *, context: bytes = b"") -> Iterator[bytes]:
    """The plaintext, chunk by chunk, each only after its tag held.

    Raises InvalidEncoding for what is no envelope, AuthenticationFailed for another key or context and for anything
    changed, cut, repeated or moved. A caller that stops early or keeps output after an error holds a mere beginning.
    """
    header = read_header(source)
    data_key = unwrap(header, key)
    return _opened(source, header, data_key, header.fixed + context)


def _opened(source: BinaryIO, header: Header, key: bytes, aad: bytes) -> Iterator[bytes]:
    for index, (sealed, last) in enumerate(_pieces(source, header.chunk_bytes + sm4.TAG_BYTES)):
        text = sm4.open_sealed(key, _nonce(header.prefix, index, last=last), sealed, aad)
        if not text and index:
            raise AuthenticationFailed  # an empty chunk ends only an empty text: one text has one form
        yield text


def encrypt(data: bytes, to: PublicKey | Kek, *, context: bytes = b"") -> bytes:
    """The whole envelope of data in memory."""
    out = io.BytesIO()
    encrypt_stream(io.BytesIO(data), out, to, context=context)
    return out.getvalue()


def decrypt(sealed: bytes, key: PrivateKey | Kek, *, context: bytes = b"") -> bytes:
    """The data, only once all of it is authentic."""
    return b"".join(decrypt_stream(io.BytesIO(sealed), key, context=context))


def rewrap(source: BinaryIO, out: BinaryIO, old: PrivateKey | Kek, new: PublicKey | Kek) -> Header:
    """Copy an envelope with its data key wrapped for another key; the chunks stay byte by byte as they are."""
    header = read_header(source)
    data_key = unwrap(header, old)
    renewed = _addressed(header.prefix, header.chunk_bytes, data_key, new)
    out.write(renewed.encode())
    while piece := source.read(CHUNK_BYTES):
        out.write(piece)
    return renewed


def unwrap(header: Header, key: PrivateKey | Kek) -> bytes:
    """The data key; AuthenticationFailed for another key or a changed header."""
    if (header.kind, header.key_id) != key_id_of(key):
        raise AuthenticationFailed
    bound = _bound(header.fixed, header.kind, header.key_id)
    if isinstance(key, Kek):
        nonce, sealed = header.wrapped[: sm4.NONCE_BYTES], header.wrapped[sm4.NONCE_BYTES :]
        data_key = sm4.open_sealed(key.key, nonce, sealed, bound) if len(nonce) == sm4.NONCE_BYTES else b""
    else:
        opened = _sm2_opened(key, header.wrapped)
        data_key = opened[: sm4.KEY_BYTES] if hmac.compare_digest(opened[sm4.KEY_BYTES :], bound) else b""
    if len(data_key) != sm4.KEY_BYTES:
        raise AuthenticationFailed
    return data_key


def _sm2_opened(key: PrivateKey, wrapped: bytes) -> bytes:
    """One error for whatever is wrong with the ciphertext."""
    try:
        return key.decrypt(wrapped)
    except CryptoError:
        raise AuthenticationFailed from None


def _addressed(prefix: bytes, chunk_bytes: int, key: bytes, to: PublicKey | Kek) -> Header:
    """A header whose wrap binds the fixed part, the kind and the key id."""
    kind, key_id = key_id_of(to)
    bound = _bound(_FIXED.pack(MAGIC, VERSION, SM4_GCM, prefix, chunk_bytes), kind, key_id)
    if isinstance(to, Kek):
        nonce = sm4.new_nonce()
        wrapped = nonce + sm4.seal(to.key, nonce, key, bound)
    else:
        wrapped = to.encrypt(key + bound)
    return Header(prefix=prefix, chunk_bytes=chunk_bytes, kind=kind, key_id=key_id, wrapped=wrapped)


def _bound(fixed: bytes, kind: Kind, key_id: bytes) -> bytes:
    return sm3(fixed + bytes((kind,)) + key_id)


def _nonce(prefix: bytes, index: int, *, last: bool) -> bytes:
    if index >= MAX_CHUNKS:
        raise CryptoError("the data are too long for one envelope", "split them into several files")
    return prefix + index.to_bytes(4) + bytes((last,))


def _pieces(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Pieces of exactly ``size`` bytes and whether it is the last one, which may be shorter; at least one."""
    piece = _exactly(source, size)
    while len(piece) == size and (following := _exactly(source, size)):
        yield piece, False
        piece = following
    yield piece, True


def _exactly(source: BinaryIO, size: int) -> bytes:
    """``size`` bytes, fewer only at the end: pipes and sockets give what they have."""
    found, left = [], size
    while left and (piece := source.read(left)):
        found.append(piece)
        left -= len(piece)
    return b"".join(found)
