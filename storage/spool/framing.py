"""Bytes of a segment: one header, then frames. All numbers little-endian.

Header, 80 bytes: magic ``YWSPOOL`` and format number 1 (8 bytes), base ordinal (u64), created (i64, µs since 1970),
boot id (16 bytes), the chain's head before the first entry (32 bytes), four bytes of zero, CRC32 of all that (u32).
Frame: length of the body (u32), CRC32 of the body (u32), body. Body: received (i64, µs since 1970), kind (u8),
lengths of source, peer and format (u16 each), these three in UTF-8, payload. The live segment is padded with zeros to
its allocated size; a length of zero is no frame.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crypto.chain import link
from records.instants import microseconds
from records.spool import Entry, Kind, Position

MAGIC = b"YWSPOOL\x01"
MAX_BODY = 256 * 1024 * 1024
HEADER_BYTES = 80
FRAME_BYTES = 8

_HEADER = struct.Struct("<8sQq16s32s4x")
_CRC = struct.Struct("<I")
_FRAME = struct.Struct("<II")
_RECEIVED = struct.Struct("<q")
_ABOUT = struct.Struct("<BHHH")
_PEEK = struct.Struct("<IIqBHHH")
_LEAST_BODY = _RECEIVED.size + _ABOUT.size
_FIXED = FRAME_BYTES + _LEAST_BODY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CACHED = 4096
_MAX_NAME = 0xFFFF

_CODES = {Kind.SAMPLES: 1, Kind.USAGE: 2, Kind.EVIDENCE: 3, Kind.RAW: 4, Kind.EVENT: 5}
_KINDS = {code: kind for kind, code in _CODES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a segment begins with.

    Attributes:
        base: Ordinal of its first entry.
        created: µs since 1970.
        boot: The kernel's boot id when it was made; another boot means that the tail may be lost.
        head: The chain's head before its first entry.
    """

    base: int
    created: int
    boot: bytes
    head: bytes

    def encode(self) -> bytes:
        """80 bytes."""
        packed = _HEADER.pack(MAGIC, self.base, self.created, self.boot, self.head)
        return packed + _CRC.pack(zlib.crc32(packed))


def decode_header(data: bytes) -> Header | None:
    """The header; None if it is short, of another format or damaged."""
    if len(data) < HEADER_BYTES or _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[: _HEADER.size]):
        return None
    magic, base, created, boot, head = _HEADER.unpack_from(data)
    return Header(base=base, created=created, boot=boot, head=head) if magic == MAGIC else None


class Encoder:
    """Entries to frames; remembers the names that repeat in every entry."""

    def __init__(self) -> None:
        self._about: dict[tuple[Kind, str, str, str], bytes] = {}

    def encode(self, entries: Sequence[Entry], head: bytes) -> tuple[bytes, bytes]:
        """All frames in one piece and the chain's new head; ValueError for an entry that the format cannot hold."""
        parts: list[bytes] = []
        for entry in entries:
            body = b"".join((_RECEIVED.pack(microseconds(entry.received_at)), self._named(entry), entry.payload))
            if len(body) > MAX_BODY:
                raise ValueError(f"an entry of {len(body)} bytes is larger than {MAX_BODY}")
            head = link(head, body)
            parts += (_FRAME.pack(len(body), zlib.crc32(body)), body)
        return b"".join(parts), head

    def _named(self, entry: Entry) -> bytes:
        key = (entry.kind, entry.source, entry.peer, entry.format)
        found = self._about.get(key)
        if found is None:
            found = _encode_names(*key)
            if len(self._about) >= _CACHED:
                self._about.clear()
            self._about[key] = found
        return found


def _encode_names(kind: Kind, source: str, peer: str, form: str) -> bytes:
    names = [text.encode() for text in (source, peer, form)]
    if max(map(len, names)) > _MAX_NAME:
        raise ValueError(f"source, peer and format hold at most {_MAX_NAME} bytes each")
    return _ABOUT.pack(_CODES[kind], *map(len, names)) + b"".join(names)


def frame_end(data: bytes, at: int) -> int:
    """Where the whole and undamaged frame at ``at`` ends; 0 if there is none."""
    if at + _FIXED > len(data):
        return 0
    length, crc = _FRAME.unpack_from(data, at)
    end = at + FRAME_BYTES + length
    if length < _LEAST_BODY or end > len(data) or zlib.crc32(memoryview(data)[at + FRAME_BYTES : end]) != crc:
        return 0
    return int(end)


def claimed_end(data: bytes, at: int) -> int:
    """Where the frame at ``at`` says that it ends, damaged or not; ``at`` if even that is not readable."""
    if at + FRAME_BYTES > len(data):
        return at
    length = _FRAME.unpack_from(data, at)[0]
    return at + FRAME_BYTES + int(length) if _LEAST_BODY <= length <= MAX_BODY else at


def received_of(data: bytes, at: int) -> int:
    """When the entry of the whole frame at ``at`` was received, µs since 1970."""
    return int(_RECEIVED.unpack_from(data, at + FRAME_BYTES)[0])


_new = object.__new__
_put_kind, _put_source, _put_peer, _put_format, _put_received_at, _put_payload = (
    vars(Entry)[name].__set__ for name in ("kind", "source", "peer", "format", "received_at", "payload")
)
_put_partition, _put_offset = (vars(Position)[name].__set__ for name in ("partition", "offset"))


def _entry(about: tuple[Kind, str, str, str], received_at: datetime, payload: bytes) -> Entry:
    """As ``Entry(…)``, which takes five times as long for being frozen: most of what reading costs."""
    entry = _new(Entry)
    _put_kind(entry, about[0])
    _put_source(entry, about[1])
    _put_peer(entry, about[2])
    _put_format(entry, about[3])
    _put_received_at(entry, received_at)
    _put_payload(entry, payload)
    return entry


def _position(partition: str, offset: int) -> Position:
    position = _new(Position)
    _put_partition(position, partition)
    _put_offset(position, offset)
    return position


class Decoder:
    """Frames to entries; remembers the names that repeat."""

    def __init__(self) -> None:
        self._names: dict[bytes, tuple[Kind, str, str, str]] = {}

    def read(
        self, data: bytes, at: int, first: Position, *, limit: int, kinds: Container[Kind] | None = None
    ) -> tuple[list[tuple[Position, Entry]], int, int]:
        """Entries of the whole frames from byte ``at`` on.

        Returns:
            At most ``limit`` entries of these kinds, the byte and the ordinal behind the last frame that was looked at.
        """
        found: list[tuple[Position, Entry]] = []
        partition, ordinal = first.partition, first.offset
        before, received_at = 0, _EPOCH
        crc32 = zlib.crc32
        view, size = memoryview(data), len(data)
        while len(found) < limit and at + _FIXED <= size:
            length, crc, received, code, source, peer, form = _PEEK.unpack_from(data, at)
            end = at + FRAME_BYTES + length
            if length < _LEAST_BODY or end > size or crc32(view[at + FRAME_BYTES : end]) != crc:  # as frame_end
                break
            if kinds is None or _KINDS.get(code) in kinds:
                payload = at + _FIXED + source + peer + form
                names = data[at + 16 : payload]
                about = self._names.get(names) or self._remember(names, source, peer)
                if received != before:  # entries of one batch mostly came at the same instant
                    before, received_at = received, _EPOCH + timedelta(microseconds=received)
                found.append((_position(partition, ordinal), _entry(about, received_at, data[payload:end])))
            at = end
            ordinal += 1
        return found, at, ordinal

    def _remember(self, names: bytes, source: int, peer: int) -> tuple[Kind, str, str, str]:
        text = names[_ABOUT.size :]
        peer += source
        found = (_KINDS[names[0]], text[:source].decode(), text[source:peer].decode(), text[peer:].decode())
        if len(self._names) >= _CACHED:
            self._names.clear()
        self._names[names] = found
        return found
