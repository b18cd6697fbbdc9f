"""Changed copies of valid bytes, many and quick: hypothesis shrinks better, a plain loop tries a hundred times more.

Most copies are changed byte by byte; some element by element with all lengths right again, for those get past the
strict DER reader in front of everything.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from crypto import der
from crypto.errors import CryptoError

UNIT, LONG = 20_000, 200_000
CASE_SECONDS = 1.0
"""CPU time that no case may need; the slowest take some milliseconds."""
BYTES = bytes((0, 1, 2, 4, 0x30, 0x7F, 0x80, 0x84, 0xFF))
TAGS = bytes((1, 2, 3, 4, 5, 6, 0x0C, 0x17, 0x18, 0x30, 0x31, 0x80, 0xA0, 0xA1, 0xA3))
TREES_IN = 100  # one copy in so many is changed element by element: each costs as much as twenty others

Tree = tuple[int, "bytes | list[Tree]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """A reader under attack.

    Attributes:
        sample: What it reads rightly.
        read: Gives what was understood and is authentic, or raises CryptoError; a changed copy gives the same or raises.
        strict: No changed copy is taken at all, for each byte has one value.
    """

    sample: bytes
    read: Callable[[bytes], object]
    strict: bool = False


def attack(parser: Parser, count: int, error: type[Exception] = CryptoError) -> None:
    """Every changed copy is refused by a typed error, or understood as what was signed; within its time."""
    expected = parser.read(parser.sample)
    trees = tree_mutations(parser.sample, count // TREES_IN)
    for data in chain(mutations(parser.sample, count - count // TREES_IN), trees):
        started = time.thread_time()
        try:
            found = parser.read(data)
        except error:
            pass
        else:
            assert found == expected, data.hex()
            assert not parser.strict, data.hex()
        assert time.thread_time() - started < CASE_SECONDS, data.hex()


def mutations(valid: bytes, count: int, seed: int = 20261122) -> Iterator[bytes]:
    """Copies with one to three edits: bytes set, flipped, inserted, deleted, doubled, the end cut, something appended."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    while count:
        data = bytearray(valid)
        for _ in range(rng.choice((1, 1, 2, 3))):
            _edit(data, rng)
        if data != valid:
            count -= 1
            yield bytes(data)


def _edit(data: bytearray, rng: random.Random) -> None:
    at, byte = int(rng.random() * (len(data) + 1)), rng.choice(BYTES)
    edit = int(rng.random() * 8)
    if edit == 0:
        data[at : at + 1] = bytes((byte,))
    elif edit == 1 and at < len(data):
        data[at] ^= 1 << int(rng.random() * 8)
    elif edit == 2:
        data[at : at + 1] = rng.randbytes(1)
    elif edit == 3:
        data[at:at] = bytes((byte,)) * rng.choice((1, 1, 8))
    elif edit == 4:
        del data[at : at + rng.choice((1, 1, 8))]
    elif edit == 5:
        data[at:at] = data[max(0, at - 8) : at]
    elif edit == 6:
        del data[at:]
    else:
        data += bytes((byte,)) * rng.choice((1, 2, 3))


def tree_mutations(valid: bytes, count: int, seed: int = 20261122) -> Iterator[bytes]:
    """Copies of DER with one to three elements dropped, doubled, swapped, wrapped, renamed or filled anew; none of other bytes."""
    try:
        der.check(valid)
    except CryptoError:
        return
    rng, whole = random.Random(seed), _tree_of(valid)  # noqa: S311 - repeatable, not secret
    while count:
        tree = whole
        for _ in range(rng.choice((1, 1, 2, 3))):
            tree = _grown(tree, rng)
        data = _encode(tree)
        if data != valid:
            count -= 1
            yield data


def _tree_of(data: bytes) -> Tree:
    tag, start, end = der.read(data)
    if not tag & der.CONSTRUCTED:
        return tag, data[start:end]
    children: list[Tree] = []
    while start < end:
        _, _, stop = der.read(data, start)
        children.append(_tree_of(data[start:stop]))
        start = stop
    return tag, children


def _encode(tree: Tree) -> bytes:
    tag, content = tree
    return der.encode(tag, content if isinstance(content, bytes) else b"".join(map(_encode, content)))


def _grown(tree: Tree, rng: random.Random) -> Tree:
    """The tree with one edit somewhere below its root."""
    tag, content = tree
    if isinstance(content, bytes) or not content:
        return _renewed(tree, rng)
    at = rng.randrange(len(content))
    if isinstance(content[at][1], list) and rng.random() < 0.8:
        return tag, [*content[:at], _grown(content[at], rng), *content[at + 1 :]]
    edits: list[Callable[[], list[Tree]]] = [
        list,
        lambda: [content[at], content[at]],
        lambda: [content[at], rng.choice(content)],
        lambda: [rng.choice(content)],
        lambda: [content[at], (5, b"")],
        lambda: [(content[at][0] | der.CONSTRUCTED, [content[at]])],
        lambda: [_renewed(content[at], rng)],
        lambda: [_renewed(content[at], rng)],
    ]
    return tag, [*content[:at], *rng.choice(edits)(), *content[at + 1 :]]


def _renewed(tree: Tree, rng: random.Random) -> Tree:
    """Under another tag, empty, of other bytes, or one of its bytes changed."""
    tag, content = tree
    if isinstance(content, list) or rng.random() < 0.3:
        return rng.choice(TAGS) | tag & der.CONSTRUCTED, content
    if not content or rng.random() < 0.3:
        return tag, rng.choice((b"", b"\0", b"\xff", bytes(64), rng.randbytes(8)))
    at = rng.randrange(len(content))
    return tag, content[:at] + rng.randbytes(1) + content[at + 1 :]
