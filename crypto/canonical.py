"""Canonical JSON (RFC 8785): one byte string for one value, so that it can be signed.

No floats: what is signed is exact.
"""

from __future__ import annotations

import json
from typing import Any

import rfc8785

from crypto.errors import InvalidEncoding

_NEXT = "write the file with Yunwang again; editing it breaks its signature"


def canonical_json(value: Any) -> bytes:
    """UTF-8 bytes of objects, lists, texts, integers within 2**53, booleans and None.

    Raises ValueError for floats, larger integers, lone surrogates and other types: decimals are passed as texts.
    """
    _refuse_floats(value)
    return rfc8785.dumps(value)


def parse_canonical(data: bytes) -> Any:
    """The value of canonical JSON; raises InvalidEncoding for any other form of it, repeated keys included."""
    try:
        value = json.loads(data.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float)
        again = canonical_json(value)
    except (ValueError, RecursionError) as error:
        raise InvalidEncoding("not canonical JSON ({error})", _NEXT, error=error) from None
    if again != data:
        raise InvalidEncoding("not canonical JSON (RFC 8785)", _NEXT)
    return value


def _no_float(text: str) -> Any:
    raise ValueError(f"number {text} is no integer")


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise ValueError(f"float {value!r} has no exact form; pass a decimal text")  # noqa: TRY004 - as rfc8785: one kind of error for a value without a form
    if isinstance(value, dict):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_floats(inner)
