"""The id of an event: the same bytes from the same place have the same id, so whatever is replayed changes nothing."""

from __future__ import annotations

import struct

from crypto.sm3 import sm3

_LENGTH = struct.Struct(">I")
_OFFSET = struct.Struct(">Q")


def event_id(source: str, offset: int, payload: bytes) -> str:
    """SM3 in lower-case hex over (source, offset, payload), DESIGN §4.

    Hashed are: length of ``source`` in UTF-8 (4 bytes), ``source``, ``offset`` (8 bytes), ``payload``; numbers big-
    endian. The length and the fixed width keep two different triples from ever hashing the same bytes.

    Args:
        source: Where (source, offset) is fixed: a file's SM3, a partition, an API's name.
        offset: Record number or ordinal there, from 0.
        payload: The bytes as they entered.
    """
    name = source.encode()
    return sm3(b"".join((_LENGTH.pack(len(name)), name, _OFFSET.pack(offset), payload))).hex()
