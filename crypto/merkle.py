"""Merkle trees of RFC 6962 §2.1 over SM3.

Leaves are SM3(0x00||data), nodes SM3(0x01||left||right), the empty tree is SM3 of nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence

from crypto.errors import DigestMismatch
from crypto.sm3 import sm3

LEAF, NODE = b"\x00", b"\x01"
_NEXT = "ask for the entry and its proof again"


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry."""
    return sm3(LEAF + data)


def _node(left: bytes, right: bytes) -> bytes:
    return sm3(NODE + left + right)


def root(entries: Iterable[bytes]) -> bytes:
    """The root over entries in order, in one pass: memory grows with the logarithm of their number."""
    stack: list[tuple[int, bytes]] = []  # (height, hash), heights falling
    for entry in entries:
        height, top = 0, leaf_hash(entry)
        while stack and stack[-1][0] == height:
            top, height = _node(stack.pop()[1], top), height + 1
        stack.append((height, top))
    if not stack:
        return sm3(b"")
    top = stack.pop()[1]
    while stack:
        top = _node(stack.pop()[1], top)
    return top


def inclusion_proof(entries: Sequence[bytes], index: int) -> list[bytes]:
    """The sibling hashes from the leaf up (RFC 6962 §2.1.1); IndexError if there is no such entry."""
    if not 0 <= index < len(entries):
        raise IndexError(index)
    level, path = [leaf_hash(entry) for entry in entries], []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
        index //= 2
    return path


def check_inclusion(entry: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Return quietly if ``entry`` is number ``index`` of ``size`` under the root, else raise DigestMismatch."""
    if not hmac.compare_digest(fold(entry, index, size, proof), expected_root):
        raise DigestMismatch("the entry is not under this root", _NEXT)


def fold(entry: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that the proof leads to; DigestMismatch unless it fits index and size. The walk of RFC 9162 §2.1.3.2."""
    known, found, last = 0 <= index < size, leaf_hash(entry), size - 1
    for sibling in proof:
        known = known and last > 0
        if index & 1 or index == last:
            found = _node(sibling, found)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            found = _node(found, sibling)
        index, last = index >> 1, last >> 1
    if not known or last != 0:
        raise DigestMismatch("the entry is not under this root", _NEXT)
    return found
