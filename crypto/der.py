"""Strict DER: one encoding for one value, so that no second form of a signed thing passes.

Libraries below accept more than DER here and there (trailing bytes, BER lengths); nothing reaches them unchecked.
"""

from __future__ import annotations

from crypto.curve import FIELD_BYTES, N
from crypto.errors import InvalidEncoding

SEQUENCE, INTEGER = 0x30, 0x02
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
    """One element, nothing after it, every nested length minimal; raises InvalidEncoding."""
    tag, start, end = read(data)
    if end != len(data):
        raise InvalidEncoding("{count} bytes after the DER element", _NEXT, count=len(data) - end)
    if tag & CONSTRUCTED:
        _check_inside(data, start, end, 1)


def _check_inside(data: bytes, at: int, end: int, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidEncoding("DER is nested more than {depth} deep", _NEXT, depth=MAX_DEPTH)
    while at < end:
        tag, start, stop = read(data, at)
        if stop > end:
            raise InvalidEncoding("DER element at byte {at} is cut", _NEXT, at=at)
        if tag & CONSTRUCTED:
            _check_inside(data, start, stop, depth + 1)
        at = stop


def parse_signature(der: bytes) -> tuple[int, int]:
    """(r, s) of SEQUENCE{r, s} (GM/T 0009 §7.3); raises InvalidEncoding unless strict, 1 <= r, s < n, r+s != n."""
    tag, start, end = read(der)
    if tag != SEQUENCE or end != len(der):
        raise InvalidEncoding("the signature is no DER SEQUENCE of two INTEGERs", _NEXT)
    r, middle = _integer(der, start)
    s, last = _integer(der, middle)
    if last != end:
        raise InvalidEncoding("the signature has bytes after s", _NEXT)
    _check_range(r, s)
    return r, s


def _integer(der: bytes, at: int) -> tuple[int, int]:
    """A minimal, non-negative INTEGER and where it ends."""
    tag, start, end = read(der, at)
    content = der[start:end]
    minimal = content and content[0] < 0x80 and not (len(content) > 1 and content[0] == 0 and content[1] < 0x80)  # noqa: PLR2004 - sign bit
    if tag != INTEGER or not minimal:
        raise InvalidEncoding("the signature holds no minimal positive INTEGER at byte {at}", _NEXT, at=at)
    return int.from_bytes(content), end


def _check_range(r: int, s: int) -> None:
    if not (1 <= r < N and 1 <= s < N) or r + s == N:
        raise InvalidEncoding("the signature's r or s is out of range", _NEXT)


def encode_signature(r: int, s: int) -> bytes:
    """SEQUENCE{r, s} in DER."""
    body = _encode_integer(r) + _encode_integer(s)
    return bytes((SEQUENCE, len(body))) + body


def _encode_integer(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1)
    return bytes((INTEGER, len(content))) + content


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
