"""Strict DER: one encoding for one value, so that no second form of a signed thing passes.

Libraries below accept more than DER here and there (trailing bytes, BER lengths); nothing reaches them unchecked.
"""

from __future__ import annotations

from crypto.curve import FIELD_BYTES, N
from crypto.errors import InvalidEncoding

SEQUENCE, INTEGER, OCTET_STRING = 0x30, 0x02, 0x04
NUMBERS = frozenset({INTEGER, 0x0A})  # and ENUMERATED
CONSTRUCTED = 0x20
LONG_TAG = 0x1F
LONG_LENGTH = 0x80
RAW_BYTES = 2 * FIELD_BYTES
MAX_DEPTH = 32
_NEXT = "get it again from its sender; it was changed or made by a faulty program"


def read(data: bytes, at: int = 0) -> tuple[int, int, int]:
    """Tag, start and end of the content of the element at ``at``; InvalidEncoding unless its length is minimal."""
    if len(data) - at < 2 or data[at] & LONG_TAG == LONG_TAG:  # noqa: PLR2004 - tag and length
        raise InvalidEncoding("cut or unknown DER element at byte {at}", _NEXT, at=at)
    start, size = at + 2, data[at + 1]
    if size >= LONG_LENGTH:
        width = size - LONG_LENGTH
        size = int.from_bytes(data[start : start + width])
        if not 1 <= width <= 4 or size < LONG_LENGTH or size >> (8 * (width - 1)) == 0:  # noqa: PLR2004 - 4 GiB
            raise InvalidEncoding("DER length at byte {at} is not minimal", _NEXT, at=at)
        start += width
    if start + size > len(data):
        raise InvalidEncoding("DER element at byte {at} is cut", _NEXT, at=at)
    return data[at], start, start + size


def check(data: bytes) -> None:
    """One element, nothing after it, every nested length and number minimal; raises InvalidEncoding."""
    _, _, end = read(data)
    if end != len(data):
        raise InvalidEncoding("{count} bytes after the DER element", _NEXT, count=len(data) - end)
    _check_inside(data, 0, end, 0)


def _check_inside(data: bytes, at: int, end: int, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidEncoding("DER is nested more than {depth} deep", _NEXT, depth=MAX_DEPTH)
    while at < end:
        tag, start, stop = read(data, at)
        if stop > end:
            raise InvalidEncoding("DER element at byte {at} is cut", _NEXT, at=at)
        if tag & CONSTRUCTED:
            _check_inside(data, start, stop, depth + 1)
        elif tag in NUMBERS:
            _check_number(data, start, stop)
        at = stop


def _check_number(data: bytes, start: int, stop: int) -> None:
    """X.690 §8.3.2: the first nine bits are neither all zero nor all one."""
    first, sign = data[start : start + 1], data[start + 1 : min(start + 2, stop)]
    if start == stop or (first in (b"\0", b"\xff") and sign and (first[0] ^ sign[0]) < 0x80):  # noqa: PLR2004 - sign bit
        raise InvalidEncoding("the number at byte {at} is not minimal", _NEXT, at=start)


def parse_signature(der: bytes) -> tuple[int, int]:
    """(r, s) of SEQUENCE{r, s} (GM/T 0009 §7.3); raises InvalidEncoding unless strict, 1 <= r, s < n, r+s != n."""
    tag, start, end = read(der)
    if tag != SEQUENCE or end != len(der):
        raise InvalidEncoding("the signature is no DER SEQUENCE of two INTEGERs", _NEXT)
    r, middle = read_integer(der, start)
    s, last = read_integer(der, middle)
    if last != end:
        raise InvalidEncoding("the signature has bytes after s", _NEXT)
    _check_range(r, s)
    return r, s


def read_integer(der: bytes, at: int) -> tuple[int, int]:
    """The minimal, non-negative INTEGER at ``at`` and where it ends; raises InvalidEncoding."""
    tag, start, end = read(der, at)
    content = der[start:end]
    minimal = content and content[0] < 0x80 and not (len(content) > 1 and content[0] == 0 and content[1] < 0x80)  # noqa: PLR2004 - sign bit
    if tag != INTEGER or not minimal:
        raise InvalidEncoding("no minimal positive INTEGER at byte {at}", _NEXT, at=at)
    return int.from_bytes(content), end


def _check_range(r: int, s: int) -> None:
    if not (1 <= r < N and 1 <= s < N) or r + s == N:
        raise InvalidEncoding("the signature's r or s is out of range", _NEXT)


def encode_signature(r: int, s: int) -> bytes:
    """SEQUENCE{r, s} in DER."""
    return encode(SEQUENCE, encode_integer(r) + encode_integer(s))


def encode_integer(value: int) -> bytes:
    """A non-negative INTEGER in DER."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def encode(tag: int, content: bytes) -> bytes:
    """One element in DER."""
    if len(content) < LONG_LENGTH:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes((tag, LONG_LENGTH | len(size))) + size + content


def signature_to_raw(der: bytes) -> bytes:
    """DER to r||s, 64 bytes."""
    r, s = parse_signature(der)
    return r.to_bytes(FIELD_BYTES) + s.to_bytes(FIELD_BYTES)


def signature_from_raw(raw: bytes) -> bytes:
    """r||s, exactly 64 bytes, to DER; raises InvalidEncoding."""
    if len(raw) != RAW_BYTES:
        raise InvalidEncoding(
            "a raw signature has {expected} bytes, this one {count}", _NEXT, expected=RAW_BYTES, count=len(raw)
        )
    r, s = int.from_bytes(raw[:FIELD_BYTES]), int.from_bytes(raw[FIELD_BYTES:])
    _check_range(r, s)
    return encode_signature(r, s)
