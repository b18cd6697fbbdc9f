"""Forms of an SM2 ciphertext: DER of GM/T 0009-2012 §7.2, C1C3C2 (GB/T 32918.4-2016), C1C2C3 (the draft of 2010).

The raw forms begin with 04 and carry no name of their own, so the order is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crypto import der
from crypto.curve import FIELD_BYTES, POINT_BYTES, UNCOMPRESSED, check_point
from crypto.errors import InvalidEncoding

DIGEST_BYTES = 32
MAX_TEXT_BYTES = 255  # as GmSSL; more belongs into an envelope
_NEXT = "get it again from its sender, and ask which form it has: der, c1c3c2 or c1c2c3"


class Mode(StrEnum):
    """Which form; C1C2C3 is for old partners and is never a default."""

    DER = "der"
    C1C3C2 = "c1c3c2"
    C1C2C3 = "c1c2c3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphertext:
    """The three parts, checked.

    Attributes:
        point: C1, 04||x||y on the curve.
        check: C3, 32 bytes.
        text: C2, 1 to 255 bytes.
    """

    point: bytes
    check: bytes
    text: bytes

    def __post_init__(self) -> None:
        if len(self.check) != DIGEST_BYTES or not 1 <= len(self.text) <= MAX_TEXT_BYTES:
            raise InvalidEncoding("the SM2 ciphertext has parts of a wrong length", _NEXT)
        check_point(self.point)

    def encode(self, mode: Mode = Mode.DER) -> bytes:
        """The bytes in one of the forms."""
        if mode is Mode.C1C3C2:
            return self.point + self.check + self.text
        if mode is Mode.C1C2C3:
            return self.point + self.text + self.check
        x, y = int.from_bytes(self.point[1:33]), int.from_bytes(self.point[33:])
        octets = der.encode(der.OCTET_STRING, self.check) + der.encode(der.OCTET_STRING, self.text)
        return der.encode(der.SEQUENCE, der.encode_integer(x) + der.encode_integer(y) + octets)


def parse(data: bytes, mode: Mode = Mode.DER) -> Ciphertext:
    """The parts of a ciphertext; raises InvalidEncoding unless strict and whole, InvalidPoint for C1 off the curve."""
    if mode is Mode.DER:
        return _parse_der(data)
    if len(data) <= POINT_BYTES + DIGEST_BYTES:
        raise InvalidEncoding("the SM2 ciphertext is cut", _NEXT)
    point, rest = data[:POINT_BYTES], data[POINT_BYTES:]
    if mode is Mode.C1C3C2:
        return Ciphertext(point=point, check=rest[:DIGEST_BYTES], text=rest[DIGEST_BYTES:])
    return Ciphertext(point=point, check=rest[-DIGEST_BYTES:], text=rest[:-DIGEST_BYTES])


def _parse_der(data: bytes) -> Ciphertext:
    tag, start, end = der.read(data)
    if tag != der.SEQUENCE or end != len(data):
        raise InvalidEncoding("the SM2 ciphertext is no DER SEQUENCE, or has bytes after it", _NEXT)
    x, at = der.read_integer(data, start)
    y, at = der.read_integer(data, at)
    check, at = _octets(data, at)
    text, at = _octets(data, at)
    if at != end or max(x, y).bit_length() > 8 * FIELD_BYTES:
        raise InvalidEncoding("the SM2 ciphertext has parts of a wrong length", _NEXT)
    point = bytes((UNCOMPRESSED,)) + x.to_bytes(FIELD_BYTES) + y.to_bytes(FIELD_BYTES)
    return Ciphertext(point=point, check=check, text=text)


def _octets(data: bytes, at: int) -> tuple[bytes, int]:
    tag, start, end = der.read(data, at)
    if tag != der.OCTET_STRING:
        raise InvalidEncoding("no OCTET STRING at byte {at}", _NEXT, at=at)
    return data[start:end], end
