"""Changed copies of valid bytes, many and quick: hypothesis shrinks better, a plain loop tries a hundred times more."""

from __future__ import annotations

import random
from collections.abc import Iterator


def mutations(valid: bytes, count: int, seed: int = 20261122) -> Iterator[bytes]:
    """Copies with one to three edits: a byte set, flipped, inserted or deleted, the end cut, something appended."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    while count:
        data = bytearray(valid)
        for _ in range(rng.randint(1, 3)):
            _edit(data, rng)
        if data != valid:
            count -= 1
            yield bytes(data)


def _edit(data: bytearray, rng: random.Random) -> None:
    at, byte = rng.randrange(len(data) + 1), rng.choice((0, 1, 2, 4, 0x30, 0x7F, 0x80, 0x84, 0xFF, rng.randrange(256)))
    edit = rng.randrange(6)
    if edit == 0:
        data[at : at + 1] = bytes((byte,))
    elif edit == 1 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif edit == 2:
        data.insert(at, byte)
    elif edit == 3:
        del data[at : at + 1]
    elif edit == 4:
        del data[at:]
    else:
        data += bytes((byte,)) * rng.randint(1, 3)
