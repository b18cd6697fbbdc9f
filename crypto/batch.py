"""Batch signing (批量签名): one SM2 signature over the RFC 6962 root of many records, and a proof for each of them.

Signed is ``"YWBATCH1" | number of records, 8 bytes | root``, so a proof cannot claim another size. A proof is as small
as the tree is high, and holds without the other records.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from crypto.errors import DigestMismatch, InvalidEncoding, VerificationFailed
from crypto.merkle import LEAF, NODE, fold
from crypto.sm2 import DEFAULT_ID, PrivateKey, PublicKey
from crypto.sm3 import DIGEST_BYTES, sm3

MAGIC = b"YWBATCH1"
MAX_RECORDS = 1 << 40
MAX_SIGNATURE_BYTES = 72
_HEAD = struct.Struct(">8sQQBB")  # magic, index, size, length of the signature, number of hashes
_NEXT = "ask for the record and its proof again, from whoever signed the batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That one record is in a signed batch.

    Attributes:
        index: Number of the record, from 0.
        size: How many records the batch has.
        path: The sibling hashes from the leaf up.
        signature: DER, over size and root.
    """

    index: int
    size: int
    path: tuple[bytes, ...]
    signature: bytes

    def verify(self, record: bytes, key: PublicKey, id: bytes = DEFAULT_ID) -> None:  # noqa: A002 - the standard's word
        """Return quietly if the record is number ``index`` of the batch that ``key`` signed, else VerificationFailed.

        Whoever verifies decides which index it must be: compare ``proof.index`` with the record's own place.
        """
        if not 0 <= self.index < self.size <= MAX_RECORDS or len(self.path) != path_length(self.index, self.size):
            raise DigestMismatch("the proof does not fit a batch of this size", _NEXT)
        root = fold(record, self.index, self.size, self.path)
        key.verify(self.signature, _signed(self.size, root), id)

    def encode(self) -> bytes:
        """The one byte form."""
        head = _HEAD.pack(MAGIC, self.index, self.size, len(self.signature), len(self.path))
        return head + self.signature + b"".join(self.path)

    @classmethod
    def decode(cls, data: bytes) -> Proof:
        """From its one byte form; raises InvalidEncoding."""
        if len(data) < _HEAD.size:
            raise InvalidEncoding("the proof is cut", _NEXT)
        magic, index, size, signature_bytes, hashes = _HEAD.unpack_from(data)
        end = _HEAD.size + signature_bytes
        known = magic == MAGIC and index < size <= MAX_RECORDS and signature_bytes <= MAX_SIGNATURE_BYTES
        if not known or len(data) != end + hashes * DIGEST_BYTES or hashes != path_length(index, size):
            raise InvalidEncoding("these bytes are no proof of a signed batch", _NEXT)
        path = tuple(data[at : at + DIGEST_BYTES] for at in range(end, len(data), DIGEST_BYTES))
        return cls(index=index, size=size, path=path, signature=data[_HEAD.size : end])


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A signed batch, able to prove each of its records.

    Attributes:
        size, root, signature: What was signed, and the signature in DER.
    """

    size: int
    root: bytes
    signature: bytes
    _levels: tuple[list[bytes], ...] = field(repr=False)

    def proof(self, index: int) -> Proof:
        """The proof of one record; IndexError if there is none."""
        if not 0 <= index < self.size:
            raise IndexError(index)
        return Proof(index=index, size=self.size, path=self._path(index), signature=self.signature)

    def proofs(self) -> Iterator[Proof]:
        """The proofs of all records in order."""
        return map(self.proof, range(self.size))

    def _path(self, index: int) -> tuple[bytes, ...]:
        path = []
        for level in self._levels:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return tuple(path)


def sign_batch(records: Sequence[bytes], key: PrivateKey, id: bytes = DEFAULT_ID) -> Batch:  # noqa: A002 - the standard's word
    """Sign all records at once; raises ValueError for none."""
    if not records:
        raise ValueError("a batch has at least one record")
    level = [sm3(LEAF + record) for record in records]
    levels = []
    while len(level) > 1:
        levels.append(level)
        paired = [sm3(NODE + left + right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    signature = key.sign(_signed(len(records), level[0]), id)
    return Batch(size=len(records), root=level[0], signature=signature, _levels=tuple(levels))


def path_length(index: int, size: int) -> int:
    """How many hashes the proof of a record has: one for each level where it has a sibling."""
    count, last = 0, size - 1
    while last > 0:
        count += index != last or bool(index & 1)
        index, last = index >> 1, last >> 1
    return count


def check_signed_root(size: int, root: bytes, signature: bytes, key: PublicKey, id: bytes = DEFAULT_ID) -> None:  # noqa: A002 - the standard's word
    """Return quietly if ``key`` signed a batch of this size and root, for who has all records; VerificationFailed."""
    if len(root) != DIGEST_BYTES or not 1 <= size <= MAX_RECORDS:
        raise VerificationFailed("this is no size and root of a batch", _NEXT)
    key.verify(signature, _signed(size, root), id)


def _signed(size: int, root: bytes) -> bytes:
    return MAGIC + size.to_bytes(8) + root
