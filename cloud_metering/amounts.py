"""Exact numbers as text, and the one place where money is rounded."""

from __future__ import annotations

import re
from fractions import Fraction

_EXACT = re.compile(r"-?\d+(/[1-9]\d*)?")
FEN = 100  # in a yuan
_DISPLAY = 10**6


def half_up(value: Fraction) -> int:
    """Nearest integer, a half away from zero (四舍五入)."""
    doubled = abs(value) * 2
    nearest = (doubled.numerator // doubled.denominator + 1) // 2
    return nearest if value >= 0 else -nearest


def to_fen(yuan: Fraction, rounding: str) -> int:
    """Yuan to whole fen (分) by ``half_up`` or ``half_even``."""
    fen = yuan * FEN
    return half_up(fen) if rounding == "half_up" else round(fen)  # round() of a Fraction is half even, exactly


def yuan_text(fen: int) -> str:
    """Fen as yuan with two places."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // FEN}.{abs(fen) % FEN:02d}"


def fen_of(text: str) -> int:
    """What ``yuan_text`` wrote; ValueError for any other form."""
    if not re.fullmatch(r"-?\d+\.\d\d", text):
        raise ValueError(f"not an amount in yuan with two places: {text!r}")
    return int(text.replace(".", ""))


def quantity_text(value: Fraction) -> str:
    """Rounded half up to 6 places, for display; the exact value stays beside it."""
    return _six_places(half_up(value * _DISPLAY))


def _six_places(millionths: int) -> str:
    return f"{'-' if millionths < 0 else ''}{abs(millionths) // _DISPLAY}.{abs(millionths) % _DISPLAY:06d}"


def price_text(price: Fraction) -> str:
    """A unit price with two places, six where it needs them (CONTRACT §1)."""
    millionths = half_up(price * _DISPLAY)
    return _six_places(millionths) if millionths % 10_000 else yuan_text(millionths // 10_000)


def exact_text(value: Fraction) -> str:
    """An integer, or numerator/denominator."""
    return str(value)


def parse_exact(text: str) -> Fraction:
    """What ``exact_text`` wrote; ValueError for any other form."""
    if not _EXACT.fullmatch(text):
        raise ValueError(f"not an integer or fraction: {text!r}")
    return Fraction(text)


def decimal_text(value: Fraction) -> str:
    """A terminating decimal with at most 9 places, without trailing zeros; ValueError for any other value."""
    nano = value * 10**9
    if nano.denominator != 1 or value < 0:
        raise ValueError(f"no plain decimal with 9 places: {value}")
    whole, places = divmod(nano.numerator, 10**9)
    return f"{whole}.{places:09d}".rstrip("0").rstrip(".")
