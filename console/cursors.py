"""Cursors: a place in an ordered list, told by the row that stands there, so that arriving rows shift nothing."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Literal

from records.errors import UserError


@dataclass(frozen=True, slots=True)
class Place:
    """After (or before) the row with this order value and key."""

    side: Literal["after", "before"]
    value: Any
    key: str


def encode(place: Place) -> str:
    """The cursor as it stands in a URL; opaque to its holder."""
    text = json.dumps([place.side[0], place.value, place.key], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> Place:
    """The place of a cursor; UserError if it is none of ours."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise bad_cursor() from error
    match parts:
        case ["a" | "b" as side, str() | int() | float() | None as value, str() as key]:
            return Place("after" if side == "a" else "before", value, key)
    raise bad_cursor()


def bad_cursor() -> UserError:
    """What a reader with a made-up cursor is told."""
    return UserError("this cursor is not one of ours", "begin at the first page", where="cursor")
