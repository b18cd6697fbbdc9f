"""The frames of a file transfer, each read within its limits."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from crypto.channel.errors import ChannelError
from crypto.channel.stream import Channel

HEADER_BYTES = 5
MAX_WORDS_BYTES = 4096
DATA_BYTES = 1 << 18
MAX_FILE_BYTES = 1 << 42
MAX_NAME_BYTES = 200  # room for a suffix below the 255 of most file systems
VERSION = 1
_SM3 = re.compile(r"[0-9a-f]{64}")
_NEXT = "use the same version of `yw channel` at both ends"


class Kind(IntEnum):
    """What a frame is."""

    GREETING = 1
    OFFER = 2
    RESUME = 3
    DATA = 4
    RECEIPT = 5
    REFUSAL = 6


class ProtocolBroken(ChannelError):  # noqa: N818 - reads as the finding it is
    """A frame that is none, or comes out of turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A file that is to be sent.

    Attributes:
        name: One path component.
        size: Bytes.
        sm3: Of the whole content, lower-case hex.
    """

    name: str
    size: int
    sm3: str

    def __post_init__(self) -> None:
        sound = 0 <= self.size <= MAX_FILE_BYTES and _SM3.fullmatch(self.sm3) is not None and is_plain_name(self.name)
        if not sound:
            raise ProtocolBroken("an offer out of bounds", _NEXT)


def is_plain_name(name: str) -> bool:
    """One visible path component: no separator, no control or direction characters, no leading dot, NFC."""
    return (
        0 < len(name.encode("utf-8", "replace")) <= MAX_NAME_BYTES
        and not name.startswith(".")
        and not any(sign in "/\\" or unicodedata.category(sign)[0] == "C" for sign in name)
        and unicodedata.is_normalized("NFC", name)
        and name == name.strip()
    )


def write_words(channel: Channel, kind: Kind, words: dict[str, Any]) -> None:
    """A frame with a JSON object."""
    write_frame(channel, kind, json.dumps(words, ensure_ascii=False).encode())


def write_frame(channel: Channel, kind: Kind, body: bytes) -> None:
    """A frame as it is."""
    channel.write(bytes((kind,)) + len(body).to_bytes(HEADER_BYTES - 1) + body)


async def read_frame(channel: Channel) -> tuple[Kind, bytes] | None:
    """The next frame, None if the peer closed between two; raises ProtocolBroken, ChannelError."""
    first = await channel.read(1)
    if not first:
        return None
    size = int.from_bytes(await channel.read_exactly(HEADER_BYTES - 1))
    limit = DATA_BYTES if first[0] == Kind.DATA else MAX_WORDS_BYTES
    if first[0] not in set(Kind) or size > limit:
        raise ProtocolBroken("a frame of kind {kind} with {size} bytes", _NEXT, kind=first[0], size=size)
    return Kind(first[0]), await channel.read_exactly(size)


def words_of(body: bytes) -> dict[str, Any]:
    """The JSON object of a frame; raises ProtocolBroken."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProtocolBroken("a frame that holds no JSON object", _NEXT)
    return found


def offer_of(body: bytes) -> Offer:
    """The offer in a frame; raises ProtocolBroken."""
    words = words_of(body)
    name, size, sm3 = (words.get(key) for key in ("name", "size", "sm3"))
    if not isinstance(name, str) or type(size) is not int or not isinstance(sm3, str):
        raise ProtocolBroken("an offer without name, size or SM3", _NEXT)
    return Offer(name=name, size=size, sm3=sm3)


def offer_words(offer: Offer) -> dict[str, Any]:
    """The offer as a JSON object."""
    return asdict(offer)
