"""As much BER (X.690) as SNMP v2c messages need (RFC 3416, RFC 1901)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
COUNTER32, GAUGE32, TICKS, COUNTER64 = 0x41, 0x42, 0x43, 0x46
NO_SUCH_INSTANCE, END_OF_MIB = b"\x81\x00", b"\x82\x00"
GET, GET_NEXT, RESPONSE, GET_BULK = 0xA0, 0xA1, 0xA2, 0xA5
V2C = 1
TOO_BIG = 1
_LONG_LENGTH = 0x80

Oid = tuple[int, ...]


class Malformed(ValueError):  # noqa: N818 - said to nobody, the datagram is dropped
    """The bytes are no SNMP v2c request."""


def tlv(tag: int, body: bytes) -> bytes:
    """Tag, length, body."""
    size = len(body)
    if size < _LONG_LENGTH:
        return bytes((tag, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_LENGTH | len(length))) + length + body


def whole(tag: int, value: int) -> bytes:
    """A non-negative INTEGER, Counter, Gauge or TimeTicks: at most eight octets and a leading zero."""
    size = value.bit_length() // 8 + 1
    return bytes((tag, size)) + value.to_bytes(size, "big")


def oid(parts: Oid) -> bytes:
    """An OBJECT IDENTIFIER."""
    body = bytearray((parts[0] * 40 + parts[1],))
    for part in parts[2:]:
        digits = [part & 0x7F]
        while part := part >> 7:
            digits.append(0x80 | (part & 0x7F))
        body += bytes(reversed(digits))
    return tlv(OID, bytes(body))


@dataclass(frozen=True, slots=True)
class Request:
    """A request: ``names`` is the body of its list of variables, ``first`` and ``second`` the numbers before it."""

    community: bytes
    kind: int
    identity: bytes
    first: int
    second: int
    names: bytes


def _read(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, begin and end of the value at ``at``."""
    if at + 2 > end:
        raise Malformed("ends inside a header")
    tag, size = data[at], data[at + 1]
    at += 2
    if size & _LONG_LENGTH:
        count = size & 0x7F
        if not 0 < count <= 3 or at + count > end:  # noqa: PLR2004 - no datagram has a longer length
            raise Malformed("length")
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + size > end:
        raise Malformed("ends inside a value")
    return tag, at, at + size


def _expect(tag: int, data: bytes, at: int, end: int) -> tuple[int, int]:
    found, begin, stop = _read(data, at, end)
    if found != tag:
        raise Malformed(f"tag {found:#x}, not {tag:#x}")
    return begin, stop


def parse_request(data: bytes) -> Request:
    """A v2c GET, GETNEXT or GETBULK; Malformed for anything else."""
    at, end = _expect(SEQUENCE, data, 0, len(data))
    begin, at = _expect(INTEGER, data, at, end)
    if int.from_bytes(data[begin:at], "big") != V2C:
        raise Malformed("version")
    begin, at = _expect(OCTETS, data, at, end)
    community = data[begin:at]
    kind, at, end = _read(data, at, end)
    if kind not in {GET, GET_NEXT, GET_BULK}:
        raise Malformed("kind of PDU")
    start = at
    _, at = _expect(INTEGER, data, at, end)
    identity = data[start:at]
    begin, at = _expect(INTEGER, data, at, end)
    first = int.from_bytes(data[begin:at], "big")
    begin, at = _expect(INTEGER, data, at, end)
    second = int.from_bytes(data[begin:at], "big")
    begin, stop = _expect(SEQUENCE, data, at, end)
    return Request(community, kind, identity, first, second, data[begin:stop])


def names(body: bytes) -> Iterator[Oid]:
    """The OIDs of a list of variables; Malformed if it is none."""
    at, end = 0, len(body)
    while at < end:
        begin, stop = _expect(SEQUENCE, body, at, end)
        start, finish = _expect(OID, body, begin, stop)
        yield _oid(body[start:finish])
        at = stop


def _oid(body: bytes) -> Oid:
    if not body:
        raise Malformed("empty OID")
    parts = [body[0] // 40, body[0] % 40]
    value = 0
    for octet in body[1:]:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            parts.append(value)
            value = 0
    return tuple(parts)


def response(request: Request, variables: Iterable[bytes], error: int = 0) -> bytes:
    """The answer to a request; ``variables`` are encoded pairs of OID and value."""
    body = tlv(SEQUENCE, b"".join(variables))
    pdu = tlv(RESPONSE, request.identity + whole(INTEGER, error) + whole(INTEGER, 0) + body)
    return tlv(SEQUENCE, whole(INTEGER, V2C) + tlv(OCTETS, request.community) + pdu)
